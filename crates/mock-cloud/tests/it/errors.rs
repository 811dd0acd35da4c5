//! What the gateway refuses, and how.

use serde_json::Value;

use crate::support::{Cloud, Signer, fresh_nonce, now, percent, read};

const IDENTITY: &str = "Sts.GetCallerIdentity";

async fn refused_as(change: fn(&mut Signer), status: u16, code: &str) {
    let cloud = Cloud::instant();
    let mut signer = cloud.signer();
    change(&mut signer);
    cloud.signed(&signer, IDENTITY, &[], &[]).await.unwrap().refused(status, code);
}

#[tokio::test]
async fn a_wrong_key_is_not_found() {
    refused_as(|signer| signer.key_id = "nobody".to_owned(), 404, "InvalidAccessKeyId.NotFound").await;
}

#[tokio::test]
async fn a_wrong_secret_does_not_match() {
    refused_as(|signer| signer.secret = "wrong".to_owned(), 400, "SignatureDoesNotMatch").await;
}

#[tokio::test]
async fn a_clock_that_is_off_is_told_so() {
    refused_as(
        |signer| signer.date = Some("2020-01-01T00:00:00Z".to_owned()),
        400,
        "InvalidTimeStamp.Expired",
    )
    .await;
    refused_as(|signer| signer.date = Some("yesterday".to_owned()), 400, "InvalidTimeStamp.Format").await;
}

#[tokio::test]
async fn a_nonce_is_good_once() {
    let cloud = Cloud::instant();
    let signer = Signer { nonce: Some("once".to_owned()), ..cloud.signer() };
    cloud.signed(&signer, IDENTITY, &[], &[]).await.unwrap().good();
    cloud.signed(&signer, IDENTITY, &[], &[]).await.unwrap().refused(400, "SignatureNonceUsed");
}

#[tokio::test]
async fn unknown_actions_versions_and_parameters_are_refused_loudly() {
    let cloud = Cloud::instant();
    cloud.call("Ecs.MakeCoffee", &[]).await.refused(404, "InvalidAction.NotFound");
    cloud.call("Nothing.CreateVpc", &[]).await.refused(400, "InvalidVersion");
    cloud.call("Vpc.CreateVpc", &[]).await.refused(400, "MissingRegionId");
    cloud.call("Vpc.CreateVpc", &[("RegionId", "mars-1")]).await.refused(404, "InvalidRegionId.NotFound");
    let unknown = [("RegionId", "cn-hangzhou"), ("Colour", "red")];
    cloud.call("Vpc.CreateVpc", &unknown).await.refused(400, "Mock.UnknownParameter");
    let lax = Cloud::start(&["--pace", "instant"]);
    lax.call("Vpc.CreateVpc", &unknown).await.good();
}

#[tokio::test]
async fn the_envelope_has_what_clients_read() {
    let cloud = Cloud::instant();
    let answer = cloud.call("Alb.GetListenerAttribute", &[("ListenerId", "lsn-none")]).await;
    for name in ["RequestId", "HostId", "Code", "Message", "Recommend"] {
        assert!(answer.body[name].as_str().is_some_and(|text| !text.is_empty()), "{name} in {}", answer.text);
    }
    answer.refused(404, "ResourceNotFound.Listener");
}

#[tokio::test]
async fn old_clients_sign_with_sha1_and_get_xml_unless_they_ask_for_json() {
    let cloud = Cloud::instant();
    let text = old_call(&cloud, "").await;
    assert!(text.starts_with("<?xml") && text.contains("<DescribeVpcsResponse>"), "{text}");
    let body: Value = serde_json::from_str(&old_call(&cloud, "json").await).unwrap();
    assert_eq!(body["TotalCount"], 0);
}

/// A V1 call of `DescribeVpcs`, the parameters in the query of a GET.
async fn old_call(cloud: &Cloud, format: &str) -> String {
    use base64::Engine as _;
    use hmac::{Hmac, KeyInit, Mac};
    let signer = cloud.signer();
    let (date, nonce) = (now(), fresh_nonce());
    let mut pairs = vec![
        ("AccessKeyId", signer.key_id.as_str()),
        ("Action", "DescribeVpcs"),
        ("RegionId", "cn-hangzhou"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureNonce", &nonce),
        ("SignatureVersion", "1.0"),
        ("Timestamp", &date),
        ("Version", "2016-04-28"),
    ];
    if !format.is_empty() {
        pairs.insert(2, ("Format", format));
    }
    let encoded = pairs.iter().map(|(name, value)| format!("{}={}", percent(name), percent(value)));
    let query = encoded.collect::<Vec<_>>().join("&");
    let key = format!("{}&", signer.secret);
    let mut code = Hmac::<sha1::Sha1>::new_from_slice(key.as_bytes()).unwrap();
    code.update(format!("GET&%2F&{}", percent(&query)).as_bytes());
    let signature = base64::engine::general_purpose::STANDARD.encode(code.finalize().into_bytes());
    let target = format!("{}/?{query}&Signature={}", cloud.endpoint(), percent(&signature));
    let answer = read(reqwest::get(target).await.unwrap()).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.text
}

#[tokio::test]
async fn faults_come_when_they_were_asked_for() {
    let cloud = Cloud::instant();
    let plan = r#"[{"action":"Vpc.CreateVpc","occurrence":2,"fault":{"lost_reply":{}}},
        {"action":"Vpc.CreateVpc","occurrence":3,"fault":{"throttle":{}}},
        {"action":"Vpc.CreateVpc","occurrence":4,"fault":{"error":{"status":403,"code":"Forbidden.RAM"}}}]"#;
    cloud.post_admin("/_mock/faults", plan).await.good();
    let create = [("RegionId", "cn-hangzhou"), ("ClientToken", "a")];
    let first = cloud.call("Vpc.CreateVpc", &create[..1]).await.good();
    let lost = cloud.signed(&cloud.signer(), "Vpc.CreateVpc", &create, &[]).await;
    assert!(lost.is_err(), "the connection closes without an answer");
    cloud.call("Vpc.CreateVpc", &create).await.refused(400, "Throttling.User");
    cloud.call("Vpc.CreateVpc", &create).await.refused(403, "Forbidden.RAM");
    let again = cloud.call("Vpc.CreateVpc", &create).await.good();
    assert_ne!(first["VpcId"], again["VpcId"]);
    assert_eq!(cloud.resources().await, 2, "the lost reply had its effect, and the token found it again");
}

#[tokio::test]
async fn a_lack_of_stock_sticks_to_its_token() {
    let cloud = Cloud::instant();
    let plan = r#"[{"action":"Ecs.RunInstances","occurrence":1,"fault":{"no_stock":{}}}]"#;
    cloud.post_admin("/_mock/faults", plan).await.good();
    let run = [("RegionId", "cn-hangzhou"), ("ClientToken", "a")];
    cloud.call("Ecs.RunInstances", &run).await.refused(403, "OperationDenied.NoStock");
    cloud.call("Ecs.RunInstances", &run).await.refused(403, "OperationDenied.NoStock");
    cloud.call("Ecs.RunInstances", &run[..1]).await.refused(400, "MissingImageId");
}
