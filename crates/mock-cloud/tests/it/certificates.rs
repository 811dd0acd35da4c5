//! The certificate service: what is uploaded is read for real, and listeners serve it.

use base64::Engine as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_RSA_SHA256,
    SerialNumber, date_time_ymd,
};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::model::{REGION, text};
use crate::support::Cloud;

/// A server certificate with the one that signed it.
pub(crate) struct Issued {
    /// Both, leaf first.
    pub(crate) chain: String,
    pub(crate) key: String,
}

/// Valid from 2020 until the end of this day; the key is an elliptic one unless it is given.
fn issue(domain: &str, until: jiff::civil::Date, key: Option<KeyPair>) -> Issued {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "Test Authority");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let names = vec![domain.to_owned(), format!("*.{domain}"), "192.0.2.7".to_owned()];
    let mut leaf = CertificateParams::new(names).unwrap();
    let parts = [
        (DnType::CommonName, domain),
        (DnType::OrganizationName, "Chat"),
        (DnType::CountryName, "CN"),
        (DnType::LocalityName, "Hangzhou"),
        (DnType::StateOrProvinceName, "Zhejiang"),
    ];
    for (kind, text) in parts {
        leaf.distinguished_name.push(kind, text);
    }
    leaf.not_before = date_time_ymd(2020, 1, 1);
    let (month, day) = (u8::try_from(until.month()).unwrap(), u8::try_from(until.day()).unwrap());
    leaf.not_after = date_time_ymd(until.year().into(), month, day);
    leaf.serial_number = Some(SerialNumber::from(vec![0xf1, 0x02, 0x03]));
    let key = key.unwrap_or_else(|| KeyPair::generate().unwrap());
    let signed = leaf.signed_by(&key, &authority).unwrap();
    Issued { chain: signed.pem() + &authority.pem(), key: key.serialize_pem() }
}

fn in_days(days: i64) -> jiff::civil::Date {
    let today = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now()).date();
    today.checked_add(jiff::Span::new().days(days)).unwrap()
}

pub(crate) fn valid(domain: &str) -> Issued {
    issue(domain, jiff::civil::date(2100, 5, 6), None)
}

/// The bytes of the first certificate of a PEM text.
pub(crate) fn first_block(chain: &str) -> Vec<u8> {
    let body = chain.split("-----").nth(2).unwrap().split_whitespace().collect::<String>();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap()
}

async fn upload(cloud: &Cloud, name: &str, issued: &Issued) -> Value {
    let new = [("Name", name), ("Cert", issued.chain.as_str()), ("Key", issued.key.as_str())];
    cloud.call("cas.UploadUserCertificate", &new).await.good()
}

pub(crate) fn id_of(made: &Value) -> String {
    made["CertId"].as_i64().unwrap().to_string()
}

#[tokio::test]
async fn what_was_uploaded_is_read_back_in_four_forms() {
    let cloud = Cloud::instant();
    let issued = valid("example.com");
    let new = [
        ("Name", "chat"),
        ("Cert", issued.chain.as_str()),
        ("Key", issued.key.as_str()),
        ("ResourceGroupId", "rg-1"),
        ("Tags.1.Key", "stack"),
        ("Tags.1.Value", "chat"),
    ];
    let made = cloud.call("cas.UploadUserCertificate", &new).await.good();
    let id = id_of(&made);
    let resource = made["ResourceId"].as_str().unwrap();
    assert!(resource.starts_with("cas-upload-"), "{resource}");
    let block = first_block(&issued.chain);
    let sha1 = hex::encode_upper(Sha1::digest(&block));
    let sha256 = hex::encode_upper(Sha256::digest(&block));
    let tags = json!([{"TagKey": "stack", "TagValue": "chat"}]);

    let detail = cloud.call("cas.GetUserCertificateDetail", &[("CertId", &id)]).await.good();
    let expected = json!({
        "Id": made["CertId"], "CertIdentifier": format!("{id}-cn-hangzhou"), "InstanceId": resource,
        "Name": "chat", "Common": "example.com", "Sans": "example.com,*.example.com,192.0.2.7",
        "Issuer": "Test Authority", "Country": "CN", "City": "Hangzhou", "Province": "Zhejiang",
        "OrgName": "Chat", "Algorithm": "ECC", "SerialNo": "f10203", "Fingerprint": sha1, "Sha2": sha256,
        "StartDate": "2020-01-01", "EndDate": "2100-05-06", "NotBefore": 1_577_836_800_000_i64,
        "Expired": false, "BuyInAliyun": false, "ResourceGroupId": "rg-1", "Tags": tags,
        "Cert": issued.chain, "Key": issued.key,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(detail[name], *value, "{name}");
    }
    let chain = detail["CertChain"].as_array().unwrap();
    let names: Vec<&Value> = chain.iter().map(|link| &link["CommonName"]).collect();
    assert_eq!(names, ["example.com", "Test Authority"]);
    let filter = [("CertId", id.as_str()), ("CertFilter", "true")];
    let hidden = cloud.call("cas.GetUserCertificateDetail", &filter).await.good();
    assert!(hidden.get("Cert").is_none() && hidden.get("Key").is_none(), "{hidden}");
    assert_eq!(hidden["Fingerprint"], sha1);

    let other = cloud.call("cas.GetCertificateDetail", &[("CertificateId", &id)]).await.good();
    assert_eq!((&other["CertificateId"], &other["KeySize"]), (&made["CertId"], &json!(256)));
    assert_eq!(other["SubjectAlternativeNames"], json!(["example.com", "*.example.com", "192.0.2.7"]));
    assert_eq!((&other["Tags"], &other["ExistPrivateKey"]), (&tags, &json!(true)));
    assert_eq!(other["CertificateChainList"][1]["Subject"], "Test Authority");

    let list = cloud.call("cas.ListCertificates", &[]).await.good();
    let row = &list["CertificateList"][0];
    assert_eq!((&row["CertificateId"], &row["CertificateStatus"]), (&json!(id), &json!("issued")));
    assert_eq!(row["CertIdentifier"], detail["CertIdentifier"]);
    assert_eq!(row["UsingProductList"], json!([]));

    let orders = cloud.call("cas.ListUserCertificateOrder", &[("OrderType", "UPLOAD")]).await.good();
    let row = &orders["CertificateOrderList"][0];
    assert_eq!((&row["CertificateId"], &row["Upload"]), (&made["CertId"], &json!(true)));
    assert_eq!((&row["Sha2"], &row["Fingerprint"]), (&json!(sha256), &json!(sha1)));
}

#[tokio::test]
async fn an_rsa_key_is_told_apart() {
    let cloud = Cloud::instant();
    let issued = issue("example.com", in_days(100), Some(KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap()));
    let id = id_of(&upload(&cloud, "rsa", &issued).await);
    let own = cloud.call("cas.GetCertificateDetail", &[("CertificateId", &id)]).await.good();
    assert_eq!((&own["Algorithm"], &own["KeySize"]), (&json!("RSA"), &json!(2048)));
}

#[tokio::test]
async fn what_cannot_be_served_is_refused() {
    let cloud = Cloud::instant();
    let (good, other, old) = (valid("a.example"), valid("b.example"), issue("c.example", in_days(-1), None));
    let long = "x".repeat(64);
    let broken = good.chain.replacen("MII", "???", 1);
    let cases: &[(&str, &str, &str, &str)] = &[
        ("n", "not PEM", &good.key, "ParseCertificateFailed"),
        ("n", &broken, &good.key, "ParseCertificateFailed"),
        ("n", &good.chain, "not PEM", "ParseCertificateFailed"),
        ("n", &good.chain, &good.chain, "ParseCertificateFailed"),
        ("n", &good.chain, &other.key, "InvalidParameter"),
        ("n", &old.chain, &old.key, "CertificateExpired"),
        ("n", &good.chain, "", "MissingParameter"),
        ("n", "", &good.key, "MissingParameter"),
        (&long, &good.chain, &good.key, "InvalidParameter"),
        ("", &good.chain, &good.key, "MissingName"),
    ];
    for (name, chain, key, code) in cases {
        let new = [("Name", *name), ("Cert", *chain), ("Key", *key)];
        let answer = cloud.call("cas.UploadUserCertificate", &new).await;
        assert!(!answer.text.contains("PRIVATE KEY"), "{}", answer.text);
        answer.refused(400, code);
    }
    let national = [("Name", "n"), ("SignCert", "x"), ("SignPrivateKey", "x")];
    cloud.call("cas.UploadUserCertificate", &national).await.refused(501, "Mock.NotEmulated");
    upload(&cloud, "n", &good).await;
    let again = [("Name", "n"), ("Cert", other.chain.as_str()), ("Key", other.key.as_str())];
    cloud.call("cas.UploadUserCertificate", &again).await.refused(400, "NameRepeat");
    assert_eq!(cloud.resources().await, 1);
}

#[tokio::test]
async fn lists_have_pages_kinds_and_states() {
    let cloud = Cloud::instant();
    for index in 0..3 {
        upload(&cloud, &format!("long-{index}"), &valid(&format!("long{index}.example"))).await;
    }
    upload(&cloud, "short", &issue("short.example", in_days(10), None)).await;

    let size = ("ShowSize", "3");
    let first = cloud.call("cas.ListCertificates", &[size]).await.good();
    let second = cloud.call("cas.ListCertificates", &[size, ("CurrentPage", "2")]).await.good();
    let rows = |page: &Value| page["CertificateList"].as_array().unwrap().clone();
    assert_eq!((rows(&first).len(), rows(&second).len()), (3, 1));
    assert_eq!((&second["TotalCount"], &second["CurrentPage"]), (&json!(4), &json!(2)));
    let all = [rows(&first), rows(&second)].concat();
    let names: std::collections::BTreeSet<&str> =
        all.iter().map(|row| row["CertificateName"].as_str().unwrap()).collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["long-0", "long-1", "long-2", "short"]);
    let beyond = cloud.call("cas.ListCertificates", &[size, ("CurrentPage", "9")]).await.good();
    assert_eq!((rows(&beyond).len(), &beyond["TotalCount"]), (0, &json!(4)));
    cloud.call("cas.ListCertificates", &[("ShowSize", "101")]).await.refused(400, "InvalidParameter");

    for (filter, count) in [
        (("CertificateStatus", "willExpire"), 1),
        (("CertificateStatus", "expired"), 0),
        (("CertificateSource", "BUY"), 0),
        (("Keyword", "long"), 3),
    ] {
        let found = cloud.call("cas.ListCertificates", &[filter]).await.good();
        assert_eq!(found["TotalCount"], count, "{filter:?}");
    }
    for (filters, count) in [
        (&[][..], 0),
        (&[("OrderType", "BUY")][..], 0),
        (&[("OrderType", "CERT")][..], 4),
        (&[("OrderType", "UPLOAD"), ("Status", "WILLEXPIRED")][..], 1),
        (&[("OrderType", "UPLOAD"), ("Keyword", "short.example")][..], 1),
    ] {
        let found = cloud.call("cas.ListUserCertificateOrder", filters).await.good();
        assert_eq!(found["TotalCount"], count, "{filters:?}");
        assert_eq!(found["ShowSize"], 50);
    }
    let unknown = [("OrderType", "FREE")];
    cloud.call("cas.ListUserCertificateOrder", &unknown).await.refused(400, "InvalidParameter");
}

#[tokio::test]
async fn a_token_uploads_once_and_a_name_is_free_after_its_end() {
    let cloud = Cloud::instant();
    let (issued, other) = (valid("a.example"), valid("b.example"));
    let new = |chain: &Issued| {
        [("Name", "n".to_owned()), ("Cert", chain.chain.clone()), ("Key", chain.key.clone())]
    };
    let (first, second) = (new(&issued), new(&other));
    let with_token = |pairs: &[(&'static str, String)]| -> Vec<(&'static str, String)> {
        pairs.iter().cloned().chain([("ClientToken", "t".to_owned())]).collect()
    };
    let send = async |pairs: Vec<(&'static str, String)>| {
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        cloud.call("cas.UploadUserCertificate", &pairs).await
    };
    let made = send(with_token(&first)).await.good();
    let again = send(with_token(&first)).await.good();
    assert_eq!(made["CertId"], again["CertId"]);
    send(with_token(&second)).await.refused(400, "IdempotentParameterMismatch");
    send(first.to_vec()).await.refused(400, "NameRepeat");

    let id = id_of(&made);
    cloud.call("cas.DeleteUserCertificate", &[("CertId", &id)]).await.good();
    cloud.call("cas.DeleteUserCertificate", &[("CertId", &id)]).await.refused(400, "NotFound");
    cloud.call("cas.GetUserCertificateDetail", &[("CertId", &id)]).await.refused(400, "NotFound");
    cloud.call("cas.GetCertificateDetail", &[("CertificateId", "1")]).await.refused(400, "NotFound");
    assert_eq!(cloud.call("cas.ListCertificates", &[]).await.good()["TotalCount"], 0);
    assert_ne!(id_of(&send(second.to_vec()).await.good()), id);
}

#[tokio::test]
async fn abroad_there_is_another_store() {
    let cloud = Cloud::start(&["--pace", "instant", "--region", "eu-central-1"]);
    let id = id_of(&upload(&cloud, "n", &valid("a.example")).await);
    let own = cloud.call("cas.GetUserCertificateDetail", &[("CertId", &id)]).await.good();
    assert_eq!(own["CertIdentifier"], format!("{id}-ap-southeast-1"));
    let at_home = [("RegionId", "cn-hangzhou"), ("CertId", id.as_str())];
    cloud.call("cas.GetUserCertificateDetail", &at_home).await.refused(400, "NotFound");
}

/// What a listener needs: an ALB and a server group, made by whatever sends these calls.
fn balancer_calls() -> [(&'static str, &'static [(&'static str, &'static str)]); 5] {
    [
        ("Vpc.CreateVpc", &[REGION, ("CidrBlock", "10.0.0.0/8")]),
        ("Vpc.CreateVSwitch", &[REGION, ("ZoneId", "cn-hangzhou-j"), ("CidrBlock", "10.0.0.0/24")]),
        ("Vpc.CreateVSwitch", &[REGION, ("ZoneId", "cn-hangzhou-k"), ("CidrBlock", "10.0.1.0/24")]),
        (
            "Alb.CreateLoadBalancer",
            &[
                ("LoadBalancerName", "chat"),
                ("AddressType", "Internet"),
                ("LoadBalancerEdition", "Standard"),
                ("LoadBalancerBillingConfig.PayType", "PostPay"),
                ("ZoneMappings.1.ZoneId", "cn-hangzhou-j"),
                ("ZoneMappings.2.ZoneId", "cn-hangzhou-k"),
            ],
        ),
        (
            "Alb.CreateServerGroup",
            &[
                ("ServerGroupName", "nodes"),
                ("Protocol", "HTTP"),
                ("HealthCheckConfig.HealthCheckEnabled", "false"),
                ("StickySessionConfig.StickySessionEnabled", "false"),
            ],
        ),
    ]
}

/// Sends them one after the other, each with the ids the ones before it gave; answers those of ALB and group.
pub(crate) async fn make_balancer(
    mut send: impl AsyncFnMut(&str, Vec<(&str, String)>) -> Value,
) -> (String, String) {
    let mut ids: Vec<String> = Vec::new();
    for (name, parameters) in balancer_calls() {
        let mut given: Vec<(&str, String)> =
            parameters.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        if let Some(vpc) = ids.first() {
            given.push(("VpcId", vpc.clone()));
        }
        if name == "Alb.CreateLoadBalancer" {
            given.push(("ZoneMappings.1.VSwitchId", ids[1].clone()));
            given.push(("ZoneMappings.2.VSwitchId", ids[2].clone()));
        }
        let made = send(name, given).await;
        let key = name.split_once(".Create").unwrap().1.to_owned() + "Id";
        ids.push(text(&made[key]));
    }
    (ids[3].clone(), ids[4].clone())
}

#[tokio::test]
async fn a_tls_listener_takes_a_certificate_of_the_store_alone() {
    let cloud = Cloud::instant();
    let send = async |name: &str, given: Vec<(&str, String)>| {
        let given: Vec<(&str, &str)> = given.iter().map(|(name, value)| (*name, value.as_str())).collect();
        cloud.call(name, &given).await.good()
    };
    let (balancer, group) = make_balancer(send).await;
    let first = id_of(&upload(&cloud, "first", &valid("a.example")).await);
    let second = id_of(&upload(&cloud, "second", &valid("b.example")).await);
    let identifier = |id: &str| format!("{id}-cn-hangzhou");
    let new = [
        ("LoadBalancerId", balancer.as_str()),
        ("ListenerPort", "443"),
        ("ListenerProtocol", "HTTPS"),
        ("DefaultActions.1.Type", "ForwardGroup"),
        ("DefaultActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId", &group),
    ];
    cloud.call("Alb.CreateListener", &new).await.refused(400, "MissingCertificates");
    for wrong in [identifier("12345678"), first.clone(), format!("{first}-ap-southeast-1")] {
        let given = [&new[..], &[("Certificates.1.CertificateId", wrong.as_str())]].concat();
        cloud.call("Alb.CreateListener", &given).await.refused(404, "ResourceNotFound.Certificate");
    }
    let own = identifier(&first);
    let given = [&new[..], &[("Certificates.1.CertificateId", own.as_str())]].concat();
    let made = cloud.call("Alb.CreateListener", &given).await.good();
    let listener = made["ListenerId"].as_str().unwrap();
    let shown = cloud.call("Alb.GetListenerAttribute", &[("ListenerId", listener)]).await.good();
    assert_eq!(shown["Certificates"][0]["CertificateId"], own);
    assert_eq!(using(&cloud, &first).await, json!(["ALB"]));
    assert_eq!(using(&cloud, &second).await, json!([]));

    let change = |id: String| {
        [("ListenerId".to_owned(), listener.to_owned()), ("Certificates.1.CertificateId".to_owned(), id)]
    };
    let send = async |pairs: [(String, String); 2]| {
        let pairs = pairs.each_ref().map(|(name, value)| (name.as_str(), value.as_str()));
        cloud.call("Alb.UpdateListenerAttribute", &pairs).await
    };
    send(change(identifier("12345678"))).await.refused(404, "ResourceNotFound.Certificate");
    send(change(identifier(&second))).await.good();
    assert_eq!((using(&cloud, &first).await, using(&cloud, &second).await), (json!([]), json!(["ALB"])));

    cloud.call("cas.DeleteUserCertificate", &[("CertId", &second)]).await.good();
    cloud.call("cas.GetCertificateDetail", &[("CertificateId", &second)]).await.refused(400, "NotFound");
    send(change(identifier(&second))).await.refused(404, "ResourceNotFound.Certificate");
    let shown = cloud.call("Alb.GetListenerAttribute", &[("ListenerId", listener)]).await.good();
    assert_eq!(shown["Certificates"][0]["CertificateId"], identifier(&second), "it is still served");
}

async fn using(cloud: &Cloud, id: &str) -> Value {
    let own = cloud.call("cas.GetCertificateDetail", &[("CertificateId", id)]).await.good();
    own["UsingProductList"].clone()
}

#[tokio::test]
async fn private_keys_are_neither_logged_nor_shown_with_the_world() {
    let cloud = Cloud::instant();
    let issued = valid("a.example");
    upload(&cloud, "n", &issued).await;
    let national =
        [("Name", "m"), ("SignCert", "x"), ("SignPrivateKey", "own"), ("EncryptPrivateKey", "own")];
    cloud.call("cas.UploadUserCertificate", &national).await.refused(501, "Mock.NotEmulated");
    let body: String = issued.key.split("-----").nth(2).unwrap().split_whitespace().collect();
    let secret = &body[..40];
    for path in ["/_mock/calls", "/_mock/world"] {
        let text = cloud.read_admin(path).await;
        assert!(text.contains("a.example") || text.contains("UploadUserCertificate"), "{text}");
        assert!(!text.contains(secret) && !text.contains("\"own\""), "{path} holds a private key");
    }
}
