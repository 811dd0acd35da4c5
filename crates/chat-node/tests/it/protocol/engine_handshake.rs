//! Opening a session: over polling and as WebSocket, and what is refused with which answer.

use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use super::server::Server;
use super::wire::{Answer, WebSocket, ask, get};

fn check_settings(open: &Value, upgrades: &Value) {
    let keys: Vec<&str> = open.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["maxPayload", "pingInterval", "pingTimeout", "sid", "upgrades"]);
    assert_eq!(open["sid"].as_str().unwrap().len(), 20);
    assert_eq!(&open["upgrades"], upgrades);
    assert_eq!((&open["pingInterval"], &open["pingTimeout"]), (&json!(300), &json!(200)));
    assert_eq!(open["maxPayload"], 1_000_000);
}

fn refusal(code: u8, message: &str) -> Answer {
    (400, format!(r#"{{"code":{code},"message":"{message}"}}"#))
}

#[tokio::test]
async fn polling_opens_a_session() {
    let server = Server::echo().await;
    let (status, open) = get(&server.url("polling")).await;
    assert_eq!(status, 200);
    check_settings(&serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap(), &json!(["websocket"]));
}

#[tokio::test]
async fn polling_fails_with_an_invalid_version() {
    let server = Server::echo().await;
    for query in ["transport=polling", "EIO=abc&transport=polling", "EIO=3&transport=polling"] {
        let answer = get(&format!("http://{}/engine.io/?{query}", server.address)).await;
        assert_eq!(answer, refusal(5, "Unsupported protocol version"), "{query}");
    }
}

#[tokio::test]
async fn polling_fails_with_an_invalid_transport() {
    let server = Server::echo().await;
    for query in ["EIO=4", "EIO=4&transport=abc", "EIO=4&transport=webtransport"] {
        let answer = get(&format!("http://{}/engine.io/?{query}", server.address)).await;
        assert_eq!(answer, refusal(0, "Transport unknown"), "{query}");
    }
}

#[tokio::test]
async fn polling_fails_with_an_invalid_method() {
    let server = Server::echo().await;
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let answer = ask(method.clone(), &server.url("polling"), "").await;
        assert_eq!(answer, refusal(2, "Bad handshake method"), "{method}");
    }
}

#[tokio::test]
async fn requests_of_unknown_sessions_fail() {
    let server = Server::echo().await;
    for sid in ["abc", "aaaaaaaaaaaaaaaaaaaa", ""] {
        for method in [Method::GET, Method::POST] {
            let answer = ask(method, &format!("{}&sid={sid}", server.url("polling")), "").await;
            assert_eq!(answer, refusal(1, "Session ID unknown"), "{sid}");
        }
    }
}

#[tokio::test]
async fn websocket_opens_a_session() {
    let server = Server::echo().await;
    let (mut socket, open) = WebSocket::open(&server).await;
    check_settings(&open, &json!([]));
    socket.close().await;
}

async fn refused_with(url: &str) -> u16 {
    let error = WebSocket::connect(url).await.err().expect("it was accepted");
    let Error::Http(response) = error else { panic!("{error}") };
    response.status().as_u16()
}

#[tokio::test]
async fn websocket_fails_with_an_invalid_version() {
    let server = Server::echo().await;
    for query in ["transport=websocket", "EIO=abc&transport=websocket"] {
        assert_eq!(
            refused_with(&format!("http://{}/engine.io/?{query}", server.address)).await,
            400,
            "{query}"
        );
    }
}

#[tokio::test]
async fn websocket_fails_with_an_invalid_transport() {
    let server = Server::echo().await;
    for query in ["EIO=4", "EIO=4&transport=abc"] {
        assert_eq!(
            refused_with(&format!("http://{}/engine.io/?{query}", server.address)).await,
            400,
            "{query}"
        );
    }
}

#[tokio::test]
async fn websocket_fails_without_an_upgrade_and_for_an_unknown_session() {
    let server = Server::echo().await;
    assert_eq!(get(&server.url("websocket")).await, refusal(3, "Bad request"));
    assert_eq!(refused_with(&format!("{}&sid=abc", server.url("websocket"))).await, 400);
    assert_eq!(server.site.engine.registry().len(), 0);
}
