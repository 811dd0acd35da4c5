//! Nothing that is shown of the chain holds a secret.

use super::server::ok;
use super::*;
use crate::cloud::Product;
use crate::cloud::call::Call;

#[tokio::test]
async fn nothing_that_can_be_shown_holds_a_secret() {
    let server = Server::start(|asked| {
        if asked.path.starts_with("/keys") { ok(issued("uri", 100)) } else { ok(assumed("role", 100)) }
    })
    .await;
    let profile = json!({"current": "work", "profiles": [{
        "name": "work", "mode": "RamRoleArn", "ram_role_arn": "acs:ram::1:role/deploy", "access_key_id": "a",
        "access_key_secret": secret("s").expose(), "sts_token": secret("t").expose(),
    }, {
        "name": "tool", "mode": "External", "process_command": format!("tool --password {MARK}"),
    }]});
    let (_folder, path) = file("config.json", &profile.to_string());
    let mut sources = Sources { sts: sts_at(&server), ..nothing() };
    sources.cli_profile.file = path;
    sources.variables = Variables {
        access_key_id: None,
        access_key_secret: Some(secret("s")),
        security_token: Some(secret("t")),
    };
    sources.uri = Some(Secret::new(server.url(&format!("keys?{MARK}"))));
    let mut shown = vec![format!("{sources:?}")];

    let role = find(&sources).await.unwrap();
    shown.push(format!("{role:?} {} {:?}", role.source(), role.current().await.unwrap()));
    sources.profile = Some("tool".to_owned());
    let uri = find(&sources).await.unwrap();
    shown.push(format!("{uri:?} {} {:?}", uri.source(), uri.passed_over()));
    let fixed = Credentials::fixed(Keys::new("a", secret("s"), Some(secret("t"))), "environment");
    shown.push(format!("{fixed:?}"));
    sources.uri = None;
    let error = find(&sources).await.unwrap_err();
    shown.push(format!("{error} {error:?} {:?}", error.hint()));

    let call = Call::new(Product::Sts, "AssumeRoleWithOIDC").with_secret("OIDCToken", secret("t"));
    shown.push(format!("{call:?} {}", serde_json::to_string(&call).unwrap()));
    for text in shown {
        assert!(!text.contains(MARK), "{text}");
        assert!(text.len() > 10);
    }
}
