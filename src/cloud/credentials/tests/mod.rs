//! The chain against services that answer, refuse, hang and talk nonsense. Nothing outside this machine is asked.

mod chain;
mod metadata;
mod profiles;
mod renewal;
mod roles;
mod secrets;
mod server;
mod uri;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::*;
use crate::base::address::ServiceAddress;
use crate::base::clock;
use crate::base::secret::Secret;
use server::Server;

/// In every secret of these tests, and nowhere else.
const MARK: &str = "hunter2";

fn secret(name: &str) -> Secret<String> {
    Secret::new(format!("{name}-{MARK}"))
}

/// Nothing is set up, and nobody listens at the metadata service.
fn nothing() -> Sources {
    Sources {
        variables: Variables::default(),
        oidc: OidcVariables::default(),
        profile: None,
        cli_profile: CliProfile { disabled: false, file: "/nonexistent/config.json".into(), named: false },
        credentials_files: vec!["/nonexistent/credentials".into(), "/nonexistent/credentials.ini".into()],
        credentials_file_named: false,
        metadata: Metadata {
            disabled: true,
            token_required: false,
            role: None,
            address: "http://127.0.0.1:1/".parse().unwrap(),
        },
        uri: None,
        no_external: false,
        sts: StsAddress::default(),
        run: Arc::new(Printing(String::new())),
    }
}

/// Every program prints this.
#[derive(Debug)]
struct Printing(String);

impl RunProgram for Printing {
    fn run(&self, _: Vec<String>, _: Duration) -> BoxFuture<'_, Result<Secret<Vec<u8>>, RunFailure>> {
        Box::pin(async { Ok(Secret::new(self.0.clone().into_bytes())) })
    }
}

/// A date so many seconds from now, as services write it.
fn in_seconds(seconds: i64) -> String {
    let then = clock::now().checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap();
    then.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A temporary key that lasts so many seconds.
fn issued(id: &str, seconds: i64) -> Value {
    json!({
        "Code": "Success",
        "AccessKeyId": id,
        "AccessKeySecret": secret(id).expose(),
        "SecurityToken": secret("token").expose(),
        "Expiration": in_seconds(seconds),
    })
}

/// An answer of STS with such a key.
fn assumed(id: &str, seconds: i64) -> String {
    json!({"RequestId": "0A1B", "Credentials": issued(id, seconds)}).to_string()
}

fn sts_at(server: &Server) -> StsAddress {
    StsAddress { overridden: Some(ServiceAddress::parse(&server.url("")).unwrap()), ..StsAddress::default() }
}

/// A file with this text, in a folder of its own.
fn file(name: &str, text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    crate::base::durable::replace(&path, text.as_bytes()).unwrap();
    (folder, path)
}

/// The one reason why the chain gave nothing at this link.
#[track_caller]
fn reason(error: &CredentialsError, link: Link) -> String {
    let CredentialsError::NotFound { passed_over } = error else { panic!("{error}") };
    let passed = passed_over.iter().find(|passed| passed.link == link).expect("every link was tried");
    passed.why.to_string()
}
