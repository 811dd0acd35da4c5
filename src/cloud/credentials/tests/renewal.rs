//! Keys that end: who renews them, when, and what happens when that fails.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::server::{Reply, ok, status};
use super::*;
use crate::base::ids::RegionId;
use crate::cloud::Product;
use crate::cloud::call::Call;
use crate::cloud::endpoint::Endpoint;
use crate::cloud::transport::Client;

/// A service whose first key lasts so many seconds, and which then says other things.
async fn service(first: i64, later: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Server {
    let count = AtomicUsize::new(0);
    Server::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => ok(issued("first", first)),
        number => later(number),
    })
    .await
}

async fn found(server: &Server) -> Credentials {
    find(&Sources { uri: Some(Secret::new(server.url("keys"))), ..nothing() }).await.unwrap()
}

async fn current(credentials: &Credentials) -> String {
    credentials.current().await.unwrap().access_key_id
}

#[tokio::test]
async fn a_key_that_is_good_for_long_is_kept() {
    let server = service(200, |_| ok(issued("second", 3600))).await;
    let credentials = found(&server).await;
    assert_eq!(current(&credentials).await, "first");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_key_that_ends_soon_is_renewed_once_while_others_wait() {
    let server = service(170, |number| ok(issued(&format!("key{number}"), 3600))).await;
    let credentials = found(&server).await;
    let callers = (0..20).map(|_| {
        let credentials = credentials.clone();
        tokio::spawn(async move { current(&credentials).await })
    });
    for caller in callers.collect::<Vec<_>>() {
        assert_eq!(caller.await.unwrap(), "key1");
    }
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_renewal_that_fails_leaves_the_old_key_while_it_is_good() {
    let server = service(170, |_| status(500)).await;
    let credentials = found(&server).await;
    for _ in 0..5 {
        assert_eq!(current(&credentials).await, "first");
    }
    assert_eq!(server.asked().len(), 2, "a service in trouble is left alone for a while");
}

#[tokio::test]
async fn a_renewal_that_hangs_is_not_waited_for_while_the_old_key_is_good() {
    let server = service(170, |_| Reply::Never).await;
    let credentials = found(&server).await;
    let begun = tokio::time::Instant::now();
    for _ in 0..3 {
        assert_eq!(current(&credentials).await, "first");
    }
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_key_that_has_ended_is_not_given() {
    let server = service(2, |_| status(500)).await;
    let credentials = found(&server).await;
    let error = loop {
        match credentials.current().await {
            Ok(keys) => assert_eq!(keys.access_key_id, "first"),
            Err(error) => break error,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let place = server.url("").replace("http://", "").replace('/', "");
    assert_eq!(error.to_string(), format!("cannot renew the access key from credentials URI at {place}"));
    assert!(error.hint().is_some());
}

/// A cloud that knows these keys, and says of all others that they have ended.
async fn cloud(known: &'static [&'static str]) -> Server {
    Server::start(move |asked| {
        let signed_by = &asked.headers["x-acs-accesskey-id"];
        if known.contains(&signed_by.as_str()) {
            return ok(json!({"RequestId": "0A1B"}));
        }
        let token = &asked.headers["x-acs-security-token"];
        let refusal = json!({
            "RequestId": "0A1B", "Code": "InvalidSecurityToken.Expired", "Message": format!("{token} has ended"),
        });
        Reply::Text(400, refusal.to_string())
    })
    .await
}

fn client(credentials: Credentials, cloud: &Server) -> Client {
    Client::new(credentials, Endpoint::parse_override(&cloud.url("")).unwrap(), RegionId::new("cn-hangzhou"))
}

#[tokio::test]
async fn a_call_that_is_refused_for_its_key_is_sent_again_with_a_new_one() {
    let server = service(3600, |number| ok(issued(&format!("key{number}"), 3600))).await;
    let cloud = cloud(&["key1"]).await;
    let client = client(found(&server).await, &cloud);
    let call = Call::new(Product::Ecs, "DescribeInstances");
    let calls = (0..8).map(|_| {
        let (client, call) = (client.clone(), call.clone());
        tokio::spawn(async move { client.call::<Value>(&call).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    assert_eq!(server.asked().len(), 2, "eight refusals are one renewal");
}

#[tokio::test]
async fn a_new_key_that_is_refused_too_is_the_end() {
    let server = service(3600, |number| ok(issued(&format!("key{number}"), 3600))).await;
    let cloud = cloud(&[]).await;
    let client = client(found(&server).await, &cloud);
    let error = client.call::<Value>(&Call::new(Product::Ecs, "DescribeInstances")).await.unwrap_err();
    assert_eq!(error.to_string(), "ECS DescribeInstances: InvalidSecurityToken.Expired: *** has ended");
    assert_eq!((cloud.asked().len(), server.asked().len()), (2, 2));
}

#[tokio::test]
async fn a_fixed_key_that_is_refused_stays_refused() {
    let cloud = cloud(&[]).await;
    let keys = Keys::new("fixed", secret("s"), Some(secret("token")));
    let client = client(Credentials::fixed(keys, "environment"), &cloud);
    let error = client.call::<Value>(&Call::new(Product::Ecs, "DescribeInstances")).await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidSecurityToken.Expired"));
    assert!(error.hint().unwrap().starts_with("fetch a new key"));
    assert_eq!(cloud.asked().len(), 1);
}

#[tokio::test]
async fn a_call_without_a_key_says_why_there_is_none() {
    let server = service(3600, |_| status(503)).await;
    let cloud = cloud(&[]).await;
    let client = client(found(&server).await, &cloud);
    let error = client.call::<Value>(&Call::new(Product::Ecs, "DescribeInstances")).await.unwrap_err();
    assert_eq!(error.to_string(), "ECS DescribeInstances: there is no key to sign with");
    let source = std::error::Error::source(&error).expect("it says why");
    assert!(source.to_string().starts_with("cannot renew the access key from"), "{source}");
}

/// Prints a key that ends soon, and counts how often.
#[derive(Debug, Default)]
struct Counting(Mutex<usize>);

impl RunProgram for Counting {
    fn run(&self, command: Vec<String>, _: Duration) -> BoxFuture<'_, Result<Secret<Vec<u8>>, RunFailure>> {
        assert_eq!(command, ["print-key", "a b"]);
        let mut count = self.0.lock().unwrap();
        *count += 1;
        let printed = json!({
            "mode": "StsToken", "access_key_id": format!("key{count}"), "access_key_secret": "s", "sts_token": "t",
            "expiration": in_seconds(if *count == 1 { 100 } else { 3600 }),
        });
        Box::pin(async move { Ok(Secret::new(printed.to_string().into_bytes())) })
    }
}

#[tokio::test]
async fn a_program_is_run_again_when_its_key_ends() {
    let profile = json!({"current": "work", "profiles": [
        {"name": "work", "mode": "External", "process_command": "print-key 'a b'"},
    ]});
    let (_folder, path) = file("config.json", &profile.to_string());
    let cli_profile = CliProfile { file: path, ..CliProfile::default() };
    let found =
        find(&Sources { cli_profile, run: Arc::new(Counting::default()), ..nothing() }).await.unwrap();
    assert_eq!(current(&found).await, "key2");
    assert_eq!(current(&found).await, "key2");
}
