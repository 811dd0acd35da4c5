//! Joining and leaving namespaces.

use chat_node::engine_io::{CloseReason, Settings};
use chat_node::socket_io::LeaveReason;
use serde_json::Value;

use super::server::{Happened, Options, Server};
use super::wire::{Polling, WebSocket};

/// Sends a connect packet, and checks the answer and what the application says next.
async fn joins(packet: &str, prefix: &str, greeting: &str) {
    let server = Server::socket_io().await;
    let (mut socket, open) = WebSocket::open(&server).await;
    socket.send(packet).await;
    let answer = socket.text().await;
    let answer: Value = serde_json::from_str(answer.strip_prefix(prefix).unwrap()).unwrap();
    let keys: Vec<&str> = answer.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["sid"]);
    // The id that may be shown is not the one that lets speak for the client.
    assert_ne!(answer["sid"], open["sid"]);
    assert_eq!(socket.text().await, greeting);
}

#[tokio::test]
async fn the_main_namespace_is_joined() {
    joins("40", "40", r#"42["auth",{}]"#).await;
}

#[tokio::test]
async fn the_main_namespace_is_joined_with_a_payload() {
    joins(r#"40{"token":"123"}"#, "40", r#"42["auth",{"token":"123"}]"#).await;
}

#[tokio::test]
async fn a_custom_namespace_is_joined() {
    joins("40/custom,", "40/custom,", r#"42/custom,["auth",{}]"#).await;
}

#[tokio::test]
async fn a_custom_namespace_is_joined_with_a_payload() {
    joins(r#"40/custom,{"token":"abc"}"#, "40/custom,", r#"42/custom,["auth",{"token":"abc"}]"#).await;
}

#[tokio::test]
async fn a_namespace_that_takes_its_time_is_joined() {
    joins("40/slow,", "40/slow,", r#"42/slow,["auth",{}]"#).await;
}

#[tokio::test]
async fn an_unknown_namespace_is_not_joined() {
    let server = Server::socket_io().await;
    let (mut socket, _) = WebSocket::open(&server).await;
    socket.send("40/random").await;
    assert_eq!(socket.text().await, r#"44/random,{"message":"Invalid namespace"}"#);
}

#[tokio::test]
async fn a_client_that_is_refused_reads_why_and_may_try_again() {
    let server = Server::socket_io().await;
    let (mut socket, _) = WebSocket::open(&server).await;
    socket.send(r#"40{"refuse":true}"#).await;
    assert_eq!(socket.text().await, r#"44{"message":"not you"}"#);
    socket.send("40").await;
    assert!(socket.text().await.starts_with("40{"));
}

#[tokio::test]
async fn an_invalid_handshake_closes_the_connection() {
    for packet in ["4abc", "40[]", r#"42["too early"]"#, "41", "4"] {
        let server = Server::socket_io().await;
        let (mut socket, _) = WebSocket::open(&server).await;
        socket.send(packet).await;
        assert_eq!(socket.closed().await, Some(1002), "{packet}");
    }
}

#[tokio::test]
async fn joining_twice_closes_the_connection() {
    let mut server = Server::socket_io().await;
    let mut socket = WebSocket::joined(&server).await;
    socket.send("40").await;
    assert_eq!(socket.closed().await, Some(1002));
    assert_eq!(server.happens().await, Happened::Left(LeaveReason::Transport(CloseReason::ParseError)));
}

#[tokio::test]
async fn a_client_that_joins_nothing_in_time_is_closed() {
    let settings = || {
        let ping_interval = std::time::Duration::from_secs(20);
        let join_timeout = std::time::Duration::from_millis(200);
        Options {
            settings: Settings { ping_interval, join_timeout, ..Options::default().settings },
            ..Options::default()
        }
    };
    let server = Server::socket_io_with(settings()).await;
    let (mut socket, _) = WebSocket::open(&server).await;
    assert_eq!(socket.closed().await, Some(1008));

    let server = Server::socket_io_with(settings()).await;
    let polling = Polling::open(&server).await;
    assert_eq!(polling.poll().await, (200, "1".to_owned()));

    // Whoever has joined stays.
    let server = Server::socket_io_with(settings()).await;
    let mut socket = WebSocket::joined(&server).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    socket.send(r#"42["message","still here"]"#).await;
    assert_eq!(socket.text().await, r#"42["message-back","still here"]"#);
}

#[tokio::test]
async fn the_main_namespace_is_left_and_the_connection_stays() {
    let mut server = Server::socket_io().await;
    let mut socket = WebSocket::joined(&server).await;
    socket.send("41").await;
    assert_eq!(server.happens().await, Happened::Left(LeaveReason::ClientDisconnect));
    assert_eq!(socket.text().await, "2");
}

#[tokio::test]
async fn a_custom_namespace_is_left_and_the_main_one_stays() {
    let server = Server::socket_io().await;
    let mut socket = WebSocket::joined(&server).await;
    socket.send("40/custom").await;
    assert!(socket.event().await.starts_with("40/custom,{"));
    assert_eq!(socket.event().await, r#"42/custom,["auth",{}]"#);
    socket.send("41/custom").await;
    socket.send(r#"42["message","message to main namespace"]"#).await;
    assert_eq!(socket.event().await, r#"42["message-back","message to main namespace"]"#);
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_does_not_join() {
    let server = Server::socket_io().await;
    let mut socket = WebSocket::joined(&server).await;
    socket.send("40/slow,").await;
    socket.send("41/slow,").await;
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    socket.send(r#"42["message","nothing came before"]"#).await;
    assert_eq!(socket.event().await, r#"42["message-back","nothing came before"]"#);
}

#[tokio::test]
async fn the_server_may_put_a_client_out() {
    let mut server = Server::socket_io().await;
    let mut socket = WebSocket::joined(&server).await;
    socket.send(r#"42["put me out"]"#).await;
    assert_eq!(socket.event().await, "41");
    assert_eq!(server.happens().await, Happened::Left(LeaveReason::ServerDisconnect));
    socket.send("40").await;
    assert!(socket.event().await.starts_with("40{"));
}

#[tokio::test]
async fn every_namespace_is_left_when_the_connection_ends() {
    let mut server = Server::socket_io().await;
    let mut socket = WebSocket::joined(&server).await;
    socket.send("40/custom").await;
    assert!(socket.event().await.starts_with("40/custom,{"));
    drop(socket);
    for _ in 0..2 {
        let left = Happened::Left(LeaveReason::Transport(CloseReason::TransportClose));
        assert_eq!(server.happens().await, left);
    }
    assert!(server.site.engine.registry().is_empty() || server.site.engine.registry().len() == 1);
}
