//! The credentials URI: which are asked, and what is taken for a key.

use super::server::{Refused, ok, status};
use super::*;

fn at(uri: &str) -> Sources {
    Sources { uri: Some(Secret::new(uri.to_owned())), ..nothing() }
}

#[tokio::test]
async fn it_is_asked_as_it_is_written() {
    let server = Server::start(|_| ok(issued("uri", 3600))).await;
    let found = find(&at(&server.url(&format!("keys?token={MARK}")))).await.unwrap();
    assert_eq!(found.current().await.unwrap().access_key_id, "uri");
    assert_eq!(server.asked()[0].path, format!("/keys?token={MARK}"));
    assert!(!found.source().contains(MARK) && !format!("{found:?}").contains(MARK));
}

#[tokio::test]
async fn code_and_expiration_may_be_left_out() {
    let server = Server::start(|_| {
        let mut key = issued("uri", 3600);
        let fields = key.as_object_mut().unwrap();
        fields.remove("Code");
        fields.remove("Expiration");
        ok(key)
    })
    .await;
    let found = find(&at(&server.url("keys"))).await.unwrap();
    found.current().await.unwrap();
    assert_eq!(server.asked().len(), 1, "a key without an end is not asked for again");
}

#[tokio::test]
async fn keys_are_not_asked_for_in_the_clear() {
    for uri in ["http://keys.example.com/", "http://10.0.0.1/", "ftp://127.0.0.1/", "file:///etc/keys"] {
        let error = find(&at(&format!("{uri}{MARK}"))).await.unwrap_err();
        assert_eq!(
            reason(&error, Link::Uri),
            "environment: `ALIBABA_CLOUD_CREDENTIALS_URI` must be https, or http on the loopback"
        );
        assert!(!format!("{error} {error:?}").contains(MARK));
    }
    let error = find(&at("not a URI")).await.unwrap_err();
    assert_eq!(reason(&error, Link::Uri), "environment: `ALIBABA_CLOUD_CREDENTIALS_URI` is not a URI");
}

#[tokio::test]
async fn what_is_no_key_is_said_to_be_none() {
    let answers: [Refused; 6] = [
        (|| status(404), "answered with status 404"),
        (|| status(302), "answered with status 302"),
        (|| ok("hunter2"), "it is not JSON"),
        (|| ok(r#"{"Code": "Failed"}"#), "its `Code` is not `Success`"),
        (|| ok(r#"{"AccessKeyId": "a", "AccessKeySecret": "hunter2"}"#), "it has no `SecurityToken`"),
        (|| ok(issued("uri", -5)), "gave a key that ended at"),
    ];
    for (answer, expected) in answers {
        let server = Server::start(move |_| answer()).await;
        let error = find(&at(&server.url("keys"))).await.unwrap_err();
        let reason = reason(&error, Link::Uri);
        assert!(reason.contains(expected), "{reason}: expected {expected}");
        assert!(!format!("{error} {error:?}").contains(MARK));
        assert_eq!(server.asked().len(), 1);
    }
}
