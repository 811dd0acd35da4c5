//! What the gateway refuses, and how.

use serde_json::Value;

use crate::old_client;
use crate::support::{Cloud, Signer};

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

async fn old_call(cloud: &Cloud, format: &str) -> String {
    let mut parameters = vec![
        ("Action", "DescribeVpcs"),
        ("Version", "2016-04-28"),
        ("RegionId", "cn-hangzhou"),
        ("Format", format),
    ];
    parameters.retain(|(_, value)| !value.is_empty());
    let reply = old_client::call(cloud, "GET", &parameters).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body
}
