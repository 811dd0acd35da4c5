//! The server asks at intervals whether the client is there, and ends a session whose client does not answer in time.

use chat_node::engine_io::CloseReason;
use tokio::time::Instant;

use super::server::{Happened, PING_INTERVAL, PING_TIMEOUT, Server};
use super::wire::{Polling, WebSocket};

#[tokio::test]
async fn polling_sends_pings_and_takes_pongs() {
    let server = Server::echo().await;
    let polling = Polling::open(&server).await;
    for _ in 0..3 {
        assert_eq!(polling.poll().await, (200, "2".to_owned()));
        assert_eq!(polling.post("3").await.0, 200);
    }
}

#[tokio::test]
async fn polling_closes_the_session_upon_a_ping_timeout() {
    let mut server = Server::echo().await;
    let started = Instant::now();
    let polling = Polling::open(&server).await;
    assert_eq!(server.happens().await, Happened::Closed(CloseReason::PingTimeout));
    assert!(started.elapsed() >= PING_INTERVAL + PING_TIMEOUT / 2, "{:?}", started.elapsed());
    assert_eq!(polling.poll().await.0, 400);
}

#[tokio::test]
async fn websocket_sends_pings_and_takes_pongs() {
    let server = Server::echo().await;
    let (mut socket, _) = WebSocket::open(&server).await;
    let started = Instant::now();
    for _ in 0..3 {
        assert_eq!(socket.text().await, "2");
        socket.send("3").await;
    }
    assert!(started.elapsed() + PING_TIMEOUT / 2 >= PING_INTERVAL * 3, "{:?}", started.elapsed());
}

#[tokio::test]
async fn websocket_closes_the_session_upon_a_ping_timeout() {
    let mut server = Server::echo().await;
    let (mut socket, _) = WebSocket::open(&server).await;
    let started = Instant::now();
    assert_eq!(socket.closed().await, Some(1008));
    assert!(started.elapsed() >= PING_INTERVAL + PING_TIMEOUT / 2, "{:?}", started.elapsed());
    assert_eq!(server.happens().await, Happened::Closed(CloseReason::PingTimeout));
}

#[tokio::test]
async fn a_client_that_pings_breaks_the_protocol() {
    let mut server = Server::echo().await;
    let (mut socket, _) = WebSocket::open(&server).await;
    socket.send("2").await;
    assert_eq!(socket.closed().await, Some(1002));
    assert_eq!(server.happens().await, Happened::Closed(CloseReason::TransportError));
}
