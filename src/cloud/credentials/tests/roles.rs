//! Roles: what STS is asked, by whom and where.

use super::server::{Reply, ok};
use super::*;
use crate::cloud::Product;
use crate::cloud::endpoint::Endpoint;
use crate::cloud::error::{CloudError, GaveUp};

const ARN: &str = "acs:ram::1:role/deploy";

fn with_profiles(server: &Server, profiles: &Value) -> (tempfile::TempDir, Sources) {
    let (folder, path) = file("config.json", &json!({"current": "work", "profiles": profiles}).to_string());
    let cli_profile = CliProfile { file: path, ..CliProfile::default() };
    (folder, Sources { cli_profile, sts: sts_at(server), ..nothing() })
}

fn role(more: &Value) -> Value {
    let mut profile = json!({
        "name": "work", "mode": "RamRoleArn", "ram_role_arn": ARN,
        "access_key_id": "base", "access_key_secret": secret("s").expose(),
    });
    for (key, value) in more.as_object().unwrap() {
        profile[key] = value.clone();
    }
    profile
}

#[tokio::test]
async fn a_role_is_asked_for_with_all_that_the_profile_says() {
    let server = Server::start(|_| ok(assumed("role", 3600))).await;
    let more = json!({
        "ram_session_name": "me", "expired_seconds": 1800, "external_id": "theirs", "policy": "{}", "sts_token": "t",
    });
    let (_folder, sources) = with_profiles(&server, &json!([role(&more)]));
    let keys = find(&sources).await.unwrap().current().await.unwrap();
    assert_eq!(keys.access_key_id, "role");
    assert_eq!(keys.security_token, Some(secret("token")));
    let asked = &server.asked()[0];
    for (field, value) in [
        ("RoleArn", ARN),
        ("RoleSessionName", "me"),
        ("DurationSeconds", "1800"),
        ("ExternalId", "theirs"),
        ("Policy", "{}"),
    ] {
        assert_eq!(asked.form(field).as_deref(), Some(value));
    }
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/"));
    assert_eq!(asked.headers["x-acs-action"], "AssumeRole");
    assert_eq!(asked.headers["x-acs-version"], "2015-04-01");
    assert_eq!(asked.headers["x-acs-security-token"], "t");
    assert!(asked.headers["authorization"].starts_with("ACS3-HMAC-SHA256 Credential=base,"));
}

#[tokio::test]
async fn what_a_profile_leaves_out_is_as_in_the_official_libraries() {
    let server = Server::start(|_| ok(assumed("role", 3600))).await;
    let (_folder, mut sources) =
        with_profiles(&server, &json!([role(&json!({"ram_role_arn": "", "expired_seconds": 0}))]));
    sources.oidc.role_arn = Some("acs:ram::1:role/variable".to_owned());
    find(&sources).await.unwrap();
    sources.oidc.session_name = Some("named".to_owned());
    find(&sources).await.unwrap();
    let asked = server.asked();
    assert_eq!(asked[0].form("RoleArn").as_deref(), Some("acs:ram::1:role/variable"));
    assert_eq!(asked[0].form("DurationSeconds").as_deref(), Some("3600"));
    assert!(asked[0].form("RoleSessionName").unwrap().starts_with("albatross-"));
    assert_eq!(asked[0].form("ExternalId"), None);
    assert_eq!(asked[1].form("RoleSessionName").as_deref(), Some("named"));
}

#[tokio::test]
async fn roles_are_assumed_one_after_the_other() {
    let server = Server::start(|asked| {
        let arn = asked.form("RoleArn").unwrap();
        ok(assumed(if arn.ends_with("first") { "first" } else { "second" }, 3600))
    })
    .await;
    let mut first = role(&json!({"ram_role_arn": "acs:ram::1:role/first"}));
    first["name"] = json!("first");
    let second = json!({
        "name": "work", "mode": "ChainableRamRoleArn", "source_profile": "first", "ram_role_arn": "acs:ram::1:role/second",
    });
    let (_folder, sources) = with_profiles(&server, &json!([first, second]));
    assert_eq!(find(&sources).await.unwrap().current().await.unwrap().access_key_id, "second");
    let signed_by: Vec<String> =
        server.asked().iter().map(|asked| asked.headers["authorization"].clone()).collect();
    assert!(
        signed_by[0].contains("Credential=base,") && signed_by[1].contains("Credential=first,"),
        "{signed_by:?}"
    );
}

#[tokio::test]
async fn a_workload_is_known_by_its_token_alone() {
    let server = Server::start(|_| ok(assumed("oidc", 100))).await;
    let (_folder, token) = file("token", &format!("first-{MARK}\n"));
    let mut sources = Sources { sts: sts_at(&server), ..nothing() };
    sources.oidc = OidcVariables {
        role_arn: Some(ARN.to_owned()),
        provider_arn: Some("acs:ram::1:oidc-provider/ack".to_owned()),
        token_file: Some(token.clone()),
        session_name: Some("pod".to_owned()),
    };
    let found = find(&sources).await.unwrap();
    // The platform replaces the token; the key ends soon.
    crate::base::durable::replace(&token, format!("second-{MARK}").as_bytes()).unwrap();
    found.current().await.unwrap();
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].form("OIDCToken"), Some(format!("first-{MARK}")));
    assert_eq!(asked[1].form("OIDCToken"), Some(format!("second-{MARK}")));
    for one in asked {
        assert_eq!(one.form("OIDCProviderArn").as_deref(), Some("acs:ram::1:oidc-provider/ack"));
        assert_eq!(one.form("RoleSessionName").as_deref(), Some("pod"));
        for part in [
            "Action=AssumeRoleWithOIDC",
            "Version=2015-04-01",
            "Format=JSON",
            "Timestamp=",
            "SignatureNonce=",
        ] {
            assert!(one.path.contains(part), "{}", one.path);
        }
        assert!(!one.headers.contains_key("authorization") && !one.path.contains(MARK));
    }
}

#[tokio::test]
async fn what_sts_says_is_repeated_without_the_token() {
    let refusal = json!({
        "RequestId": "0A1B", "Code": "AuthenticationFail.OIDCToken.Invalid",
        "Message": format!("this token is not valid: first-{MARK}"),
    });
    let server = Server::start(move |_| Reply::Text(400, refusal.to_string())).await;
    let (_folder, token) = file("token", &format!("first-{MARK}"));
    let mut sources = Sources { sts: sts_at(&server), ..nothing() };
    sources.oidc.role_arn = Some(ARN.to_owned());
    sources.oidc.provider_arn = Some("p".to_owned());
    sources.oidc.token_file = Some(token);
    let error = find(&sources).await.unwrap_err();
    assert_eq!(
        reason(&error, Link::Oidc),
        "STS AssumeRoleWithOIDC: AuthenticationFail.OIDCToken.Invalid: this token is not valid: ***"
    );
    assert!(!format!("{error:?}").contains(MARK));
}

#[tokio::test]
async fn a_key_without_an_end_is_not_taken_from_sts() {
    for (answer, expected) in [
        (json!({"RequestId": "0A1B"}), "it has no `AccessKeyId`"),
        (json!({"Credentials": "hunter2"}), "it has no `AccessKeyId`"),
        (
            json!({"Credentials": {"AccessKeyId": "a", "AccessKeySecret": "b", "SecurityToken": "c"}}),
            "it has no `Expiration`",
        ),
    ] {
        let server = Server::start(move |_| ok(&answer)).await;
        let (_folder, sources) = with_profiles(&server, &json!([role(&json!({}))]));
        let error = find(&sources).await.unwrap_err();
        assert!(reason(&error, Link::CliProfile).ends_with(expected), "{error}");
        assert!(!format!("{error} {error:?}").contains(MARK));
    }
}

#[test]
fn sts_is_asked_where_the_official_libraries_ask_it() {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let address = |endpoint: &str, region: &str, in_vpc| StsAddress {
        overridden: None,
        endpoint: text(endpoint),
        region: text(region),
        in_vpc,
    };
    let cases = [
        (address("", "", false), address("", "", false), "sts.aliyuncs.com"),
        (address("", "", true), address("", "", false), "sts.aliyuncs.com"),
        (address("", "cn-beijing", false), address("", "", false), "sts.cn-beijing.aliyuncs.com"),
        (address("", "cn-beijing", true), address("", "", false), "sts-vpc.cn-beijing.aliyuncs.com"),
        (address("", "cn-beijing", false), address("", "", true), "sts-vpc.cn-beijing.aliyuncs.com"),
        (address("", "cn-beijing", false), address("", "cn-shanghai", false), "sts.cn-shanghai.aliyuncs.com"),
        (
            address("sts.variable.com", "cn-beijing", true),
            address("", "cn-shanghai", true),
            "sts.variable.com",
        ),
        (address("sts.variable.com", "", false), address("sts.profile.com", "", false), "sts.profile.com"),
    ];
    for (variables, profile, expected) in cases {
        let endpoint = variables.endpoint(&profile).unwrap();
        assert_eq!(endpoint.url(Product::Sts).host_str(), Some(expected));
        let flag = Endpoint::parse_override("http://127.0.0.1:8080").unwrap();
        let endpoint = variables.following(&flag).endpoint(&profile).unwrap();
        assert_eq!(endpoint.url(Product::Sts).as_str(), "http://127.0.0.1:8080/");
    }
}

#[tokio::test]
async fn why_sts_gave_no_answer_is_said_however_often_it_was_tried() {
    let refused =
        reqwest::Client::builder().no_proxy().build().unwrap().get("http://127.0.0.1:1/").send().await;
    let last = CloudError::Unreachable {
        product: Product::Sts,
        action: "AssumeRole".to_owned(),
        host: "127.0.0.1:1".to_owned(),
        source: refused.unwrap_err().into(),
    };
    let gave_up = GaveUp { tries: 3, waited: Duration::from_mins(1), last: Box::new(last) };
    let error = SourceError::Sts { error: Box::new(CloudError::GaveUp(gave_up)) }.to_string();
    assert!(error.contains("(tried 3 times in 60 s): ") && error.contains("refused"), "{error}");
}
