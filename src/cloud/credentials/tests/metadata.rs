//! The metadata service, well and badly behaved.

use super::server::{Asked, Refused, Reply, ok, status};
use super::*;

const TOKEN: &str = "/latest/api/token";
const ROLES: &str = "/latest/meta-data/ram/security-credentials/";
const KEYS: &str = "/latest/meta-data/ram/security-credentials/node";

fn at(server: &Server) -> Sources {
    let mut sources = nothing();
    sources.metadata.disabled = false;
    sources.metadata.address = server.url("").parse().unwrap();
    sources
}

/// A service that answers these paths in another way than it should.
async fn service(other: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) -> Server {
    Server::start(move |asked| {
        other(asked).unwrap_or_else(|| match asked.path.as_str() {
            TOKEN => ok(format!("metadata-{MARK}")),
            ROLES => ok("node\n"),
            KEYS => ok(issued("metadata", 3600)),
            _ => status(404),
        })
    })
    .await
}

fn paths(server: &Server) -> Vec<(String, bool)> {
    let with_token = |asked: &Asked| asked.headers.contains_key("x-aliyun-ecs-metadata-token");
    server.asked().iter().map(|asked| (asked.path.clone(), with_token(asked))).collect()
}

#[tokio::test]
async fn it_is_asked_with_a_token() {
    let server = service(|_| None).await;
    let keys = find(&at(&server)).await.unwrap().current().await.unwrap();
    assert_eq!(keys.access_key_id, "metadata");
    assert!(keys.security_token.is_some());
    assert_eq!(
        paths(&server),
        [(TOKEN.to_owned(), false), (ROLES.to_owned(), true), (KEYS.to_owned(), true)]
    );
    let first = &server.asked()[0];
    assert_eq!(
        (first.method.as_str(), first.headers["x-aliyun-ecs-metadata-token-ttl-seconds"].as_str()),
        ("PUT", "21600")
    );
}

#[tokio::test]
async fn a_role_that_is_named_is_not_asked_for() {
    let server = service(|_| None).await;
    let mut sources = at(&server);
    sources.metadata.role = Some("node".to_owned());
    find(&sources).await.unwrap();
    assert_eq!(paths(&server), [(TOKEN.to_owned(), false), (KEYS.to_owned(), true)]);
}

#[tokio::test]
async fn a_service_without_tokens_is_asked_without_unless_that_is_forbidden() {
    let no_token = |asked: &Asked| (asked.path == TOKEN).then(|| status(404));
    let server = service(no_token).await;
    assert!(find(&at(&server)).await.is_ok());
    assert_eq!(paths(&server)[1..], [(ROLES.to_owned(), false), (KEYS.to_owned(), false)]);

    let server = service(no_token).await;
    let mut sources = at(&server);
    sources.metadata.token_required = true;
    let error = find(&sources).await.unwrap_err();
    assert!(reason(&error, Link::Metadata).ends_with("answered with status 404"), "{error}");
    assert_eq!(paths(&server).len(), 1);
}

#[tokio::test]
async fn a_token_that_is_refused_is_left_out_unless_that_is_forbidden() {
    let refuses =
        |asked: &Asked| asked.headers.contains_key("x-aliyun-ecs-metadata-token").then(|| status(403));
    let server = service(refuses).await;
    assert!(find(&at(&server)).await.is_ok());
    assert_eq!(paths(&server)[1..3], [(ROLES.to_owned(), true), (ROLES.to_owned(), false)]);

    let server = service(refuses).await;
    let mut sources = at(&server);
    sources.metadata.token_required = true;
    let error = find(&sources).await.unwrap_err();
    assert!(reason(&error, Link::Metadata).ends_with("answered with status 403"), "{error}");
}

#[tokio::test]
async fn what_is_no_key_is_said_to_be_none() {
    let roles: [Refused; 3] = [
        (|| status(404), "answered with status 404"),
        (|| ok("../../user-data"), "it is not the name of a role"),
        (|| ok(""), "it is not the name of a role"),
    ];
    let keys: [Refused; 7] = [
        (|| status(500), "answered with status 500"),
        (|| ok("<html>hunter2</html>"), "it is not JSON"),
        (|| ok(r#"{"Code": "NoRole", "AccessKeyId": "hunter2"}"#), "its `Code` is not `Success`"),
        (|| ok(r#"{"Code": "Success", "AccessKeyId": "a"}"#), "it has no `AccessKeySecret`"),
        (|| ok(issued("metadata", -1)), "gave a key that ended at"),
        (|| ok("x".repeat(100_000)), "it is too large"),
        (
            || {
                let mut key = issued("metadata", 3600);
                key["Expiration"] = json!("tomorrow");
                ok(key)
            },
            "its expiration is not a date",
        ),
    ];
    let answers =
        roles.map(|refused| (ROLES, refused)).into_iter().chain(keys.map(|refused| (KEYS, refused)));
    for (path, (answer, expected)) in answers {
        let server = service(move |asked| (asked.path == path).then(answer)).await;
        let error = find(&at(&server)).await.unwrap_err();
        let reason = reason(&error, Link::Metadata);
        assert!(reason.contains(expected), "{reason}: expected {expected}");
        assert!(!format!("{error} {error:?}").contains(MARK), "{error:?}");
    }
}

#[tokio::test]
async fn one_that_hangs_is_given_up() {
    let server = service(|asked| (asked.path == KEYS).then_some(Reply::Never)).await;
    let begun = tokio::time::Instant::now();
    let error = find(&at(&server)).await.unwrap_err();
    assert!(reason(&error, Link::Metadata).starts_with("no answer from the metadata service"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn where_nobody_listens_nobody_is_asked_twice() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut sources = nothing();
    sources.metadata.disabled = false;
    sources.metadata.address = format!("http://{address}/").parse().unwrap();
    let error = find(&sources).await.unwrap_err();
    let reason = reason(&error, Link::Metadata);
    assert!(reason.contains("no answer") && reason.contains("refused"), "{reason}");
    assert!(error.hint().unwrap().starts_with("set ALIBABA_CLOUD_ACCESS_KEY_ID"));
}
