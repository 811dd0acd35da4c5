//! STS: who calls, temporary keys and their end.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::old_client::{self, send};
use crate::support::{Answer, Cloud, Signer, percent};

const ISSUER: &str = "https://issuer.example";

fn user(cloud: &Cloud) -> Signer {
    let text = |name: &str| cloud.ready["ram_user"][name].as_str().unwrap().to_owned();
    Signer { key_id: text("access_key_id"), secret: text("access_key_secret"), ..cloud.signer() }
}

fn temporary(cloud: &Cloud, credentials: &Value) -> Signer {
    let text = |name: &str| credentials[name].as_str().unwrap().to_owned();
    Signer {
        key_id: text("AccessKeyId"),
        secret: text("AccessKeySecret"),
        security_token: Some(text("SecurityToken")),
        ..cloud.signer()
    }
}

async fn call(cloud: &Cloud, signer: &Signer, name: &str, parameters: &[(&str, &str)]) -> Answer {
    cloud.signed(signer, name, parameters, &[]).await.unwrap()
}

async fn assume(cloud: &Cloud, more: &[(&str, &str)]) -> Answer {
    let arn = cloud.ready["roles"][0].as_str().unwrap().to_owned();
    let mut parameters = vec![("RoleArn", arn.as_str()), ("RoleSessionName", "alice")];
    for (name, value) in more {
        parameters.retain(|(own, _)| own != name);
        parameters.push((name, value));
    }
    call(cloud, &user(cloud), "Sts.AssumeRole", &parameters).await
}

/// Who has assumed the role of every account.
pub(crate) async fn session(cloud: &Cloud) -> Signer {
    let session = assume(cloud, &[]).await.good();
    temporary(cloud, &session["Credentials"])
}

#[tokio::test]
async fn every_kind_of_caller_is_told_apart() {
    let cloud = Cloud::instant();
    let account = cloud.ready["account"]["id"].as_str().unwrap();
    let root = cloud.call("Sts.GetCallerIdentity", &[]).await.good();
    assert_eq!((&root["IdentityType"], &root["AccountId"]), (&json!("Account"), &json!(account)));
    let own = call(&cloud, &user(&cloud), "Sts.GetCallerIdentity", &[]).await.good();
    assert_eq!(own["IdentityType"], "RAMUser");
    assert_eq!(own["Arn"], format!("acs:ram::{account}:user/albatross"));
    let session = assume(&cloud, &[]).await.good();
    assert_eq!(session["AssumedRoleUser"]["Arn"], format!("acs:ram::{account}:role/albatross/alice"));
    let signer = temporary(&cloud, &session["Credentials"]);
    assert!(signer.key_id.starts_with("STS."));
    let role = call(&cloud, &signer, "Sts.GetCallerIdentity", &[]).await.good();
    assert_eq!(role["IdentityType"], "AssumedRoleUser");
    assert_eq!(role["Arn"], format!("acs:ram::{account}:assumed-role/albatross/alice"));
    assert_eq!(role["PrincipalId"], session["AssumedRoleUser"]["AssumedRoleId"]);
    let (query, host) =
        (old_client::signed_query(&signer, "GET", &IDENTITY), "Host: h\r\nConnection: close\r\n");
    let old = send(cloud.endpoint(), format!("GET /?{query} HTTP/1.1\r\n{host}\r\n").as_bytes()).await;
    assert_eq!((old.status, &old.json()["RoleId"]), (200, &role["RoleId"]), "{}", old.body);
}

const IDENTITY: [(&str, &str); 3] =
    [("Action", "GetCallerIdentity"), ("Version", "2015-04-01"), ("Format", "json")];

#[tokio::test]
async fn only_who_may_gets_a_session_and_only_as_long_as_the_role_allows() {
    let cloud = Cloud::start(&["--pace", "instant", "--role", "ci=7200"]);
    let account = cloud.ready["account"]["id"].as_str().unwrap();
    let role = ("RoleArn", cloud.ready["roles"][0].as_str().unwrap());
    let root = cloud.call("Sts.AssumeRole", &[role, ("RoleSessionName", "alice")]).await;
    root.refused(403, "NoPermission");
    for seconds in ["899", "3601"] {
        let refused = assume(&cloud, &[("DurationSeconds", seconds)]).await;
        refused.refused(400, "InvalidParameter.DurationSeconds");
    }
    let longer = format!("acs:ram::{account}:role/ci");
    assume(&cloud, &[("RoleArn", &longer), ("DurationSeconds", "7200")]).await.good();
    let nobody = format!("acs:ram::{account}:role/nobody");
    assume(&cloud, &[("RoleArn", &nobody)]).await.refused(404, "EntityNotExist.Role");
    assume(&cloud, &[("RoleArn", "acs:ram::1:role/ci")]).await.refused(404, "EntityNotExist.Role");
    assume(&cloud, &[("RoleArn", "role/ci")]).await.refused(400, "InvalidParameter.RoleArn");
    assume(&cloud, &[("RoleSessionName", "a b")]).await.refused(400, "InvalidParameter.RoleSessionName");
    assume(&cloud, &[("Policy", "{}")]).await.refused(400, "InvalidParameter.PolicyGrammar");
    let policy = r#"{"Version":"1","Statement":[]}"#;
    assume(&cloud, &[("Policy", policy), ("DurationSeconds", "900")]).await.good();
}

#[tokio::test]
async fn a_temporary_key_needs_its_own_token_and_ends_with_it() {
    let cloud = Cloud::instant();
    let first = assume(&cloud, &[("DurationSeconds", "900")]).await.good();
    let second = assume(&cloud, &[]).await.good();
    assert_ne!(first["Credentials"]["AccessKeyId"], second["Credentials"]["AccessKeyId"]);
    let good = temporary(&cloud, &first["Credentials"]);
    let other = temporary(&cloud, &second["Credentials"]).security_token;
    let with = |security_token: Option<String>| Signer { security_token, ..good.clone() };
    let refused = async |signer: &Signer, code: &str| {
        call(&cloud, signer, "Ecs.DescribeRegions", &[]).await.refused(400, code);
    };
    refused(&with(None), "MissingSecurityToken").await;
    refused(&with(Some("rubbish".to_owned())), "InvalidSecurityToken.Malformed").await;
    refused(&with(other.clone()), "InvalidSecurityToken.MismatchWithAccessKey").await;
    let lasting = Signer { security_token: other, ..cloud.signer() };
    refused(&lasting, "InvalidSecurityToken.MismatchWithAccessKey").await;
    call(&cloud, &good, "Ecs.DescribeRegions", &[]).await.good();
    cloud.post_admin("/_mock/clock", r#"{"advance_seconds": 899}"#).await.good();
    call(&cloud, &good, "Ecs.DescribeRegions", &[]).await.good();
    cloud.post_admin("/_mock/clock", r#"{"advance_seconds": 2}"#).await.good();
    refused(&good, "InvalidSecurityToken.Expired").await;
    call(&cloud, &temporary(&cloud, &second["Credentials"]), "Ecs.DescribeRegions", &[]).await.good();
}

fn id_token(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2lnbmF0dXJl", part(&json!({"alg": "RS256"})), part(claims))
}

/// The anonymous call as the official client makes it: the old form, without key and signature.
async fn assume_with(cloud: &Cloud, token: &str) -> old_client::Reply {
    let (role, provider) = (&cloud.ready["roles"][0], &cloud.ready["oidc_provider"]["arn"]);
    let query = format!(
        "Action=AssumeRoleWithOIDC&Version=2015-04-01&Format=json&RoleSessionName=pod&RoleArn={}&OIDCProviderArn={}",
        percent(role.as_str().unwrap()),
        percent(provider.as_str().unwrap()),
    );
    let form = format!("OIDCToken={}", percent(token));
    let kind = "Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n";
    let head = format!("POST /?{query} HTTP/1.1\r\nHost: h\r\n{kind}Content-Length: {}\r\n\r\n", form.len());
    send(cloud.endpoint(), format!("{head}{form}").as_bytes()).await
}

#[tokio::test]
async fn a_token_of_the_registered_issuer_is_a_way_in() {
    let cloud = Cloud::start(&["--pace", "instant", "--oidc-issuer", ISSUER, "--oidc-client", "me"]);
    let now = jiff::Timestamp::now().as_second();
    let claims = json!({"iss": ISSUER, "aud": ["you", "me"], "exp": now + 600, "iat": now, "sub": "pod"});
    let session = assume_with(&cloud, &id_token(&claims)).await;
    assert_eq!(
        (session.status, &session.json()["OIDCTokenInfo"]["Subject"]),
        (200, &json!("pod")),
        "{}",
        session.body
    );
    let signer = temporary(&cloud, &session.json()["Credentials"]);
    let identity = call(&cloud, &signer, "Sts.GetCallerIdentity", &[]).await.good();
    assert_eq!(identity["IdentityType"], "AssumedRoleUser");
    let log = cloud.log().await;
    assert!(!log.contains(&id_token(&claims)), "the log holds no token");
    let changed = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        id_token(&claims)
    };
    let cases = [
        (changed("iss", json!("https://other.example")), "AuthenticationFail.OIDCToken.IssuerNotMatch"),
        (changed("aud", json!("you")), "AuthenticationFail.OIDCToken.AudienceNotMatch"),
        (changed("exp", json!(now - 1)), "AuthenticationFail.OIDCToken.Expired"),
        (changed("exp", json!("soon")), "AuthenticationFail.OIDCToken.Invalid"),
        ("not.a.token".to_owned(), "AuthenticationFail.OIDCToken.Invalid"),
    ];
    for (token, code) in cases {
        let refused = assume_with(&cloud, &token).await;
        assert_eq!((refused.status, &refused.json()["Code"]), (400, &json!(code)), "{}", refused.body);
    }
}
