//! How many may be here, from where, and how long a connection may say nothing.

use std::time::Duration;

use super::server::{Options, Server};
use super::wire::{Bare, Polling, WebSocket, get};
use crate::eventually;

async fn status_from(server: &Server, forwarded_for: &str) -> u16 {
    let request = reqwest::Client::new().get(server.url("polling")).header("x-forwarded-for", forwarded_for);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn sessions_are_limited_in_all_and_places_are_given_back() {
    let server = Server::echo_with(Options { sessions: 2, ..Options::default() }).await;
    let polling = Polling::open(&server).await;
    let (mut socket, _) = WebSocket::open(&server).await;
    assert_eq!(get(&server.url("polling")).await, (503, "too many connections\n".to_owned()));
    let refused = reqwest::get(server.url("polling")).await.unwrap();
    assert_eq!(
        (&refused.headers()["retry-after"], &refused.headers()["x-chat-node"]),
        (&"1".parse().unwrap(), &"a-node".parse().unwrap())
    );
    assert_eq!(server.site.counts.full.get(), 2);

    // Those who are here are not bothered.
    assert_eq!(polling.post("4hello").await.0, 200);
    socket.close().await;
    socket.closed().await;
    eventually("the place is free", async || (server.site.sessions.taken() == 1).then_some(())).await;
    let (mut socket, _) = WebSocket::open(&server).await;
    socket.send("4hello").await;
    assert_eq!(socket.text().await, "4hello");
}

#[tokio::test]
async fn an_upgraded_session_has_one_place() {
    let server = Server::echo_with(Options { sessions: 1, ..Options::default() }).await;
    let polling = Polling::open(&server).await;
    let mut socket = WebSocket::beside(&server, &polling).await;
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    socket.send("5").await;
    socket.send("4hello").await;
    assert_eq!(socket.text().await, "4hello");
    assert_eq!(server.site.sessions.taken(), 1);
    drop(socket);
    eventually("the place is free", async || (server.site.sessions.taken() == 0).then_some(())).await;
}

#[tokio::test]
async fn sessions_are_limited_by_the_address_behind_a_trusted_proxy() {
    let options = Options { sessions_an_address: 1, proxies: vec!["127.0.0.0/8"], ..Options::default() };
    let server = Server::echo_with(options).await;
    assert_eq!(status_from(&server, "192.0.2.1").await, 200);
    assert_eq!(status_from(&server, "192.0.2.1").await, 429);
    assert_eq!(status_from(&server, "192.0.2.2").await, 200);
    // What a client puts in front of the proxy's entry counts for nothing.
    assert_eq!(status_from(&server, "192.0.2.9, 192.0.2.2").await, 429);
    assert_eq!(server.site.counts.full_address.get(), 2);
}

#[tokio::test]
async fn without_a_trusted_proxy_the_header_says_nothing() {
    let server = Server::echo_with(Options { sessions_an_address: 1, ..Options::default() }).await;
    assert_eq!(status_from(&server, "192.0.2.1").await, 200);
    assert_eq!(status_from(&server, "192.0.2.2").await, 429);
}

#[tokio::test]
async fn connections_are_limited_and_told() {
    let server = Server::echo_with(Options { connections: 1, ..Options::default() }).await;
    let first = Bare::connect(server.address).await;
    eventually("the first is in", async || (server.site.connections.taken() == 1).then_some(())).await;
    let mut second = Bare::connect(server.address).await;
    let refused = String::from_utf8(second.rest().await).unwrap();
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("x-chat-node: a-node"), "{refused}");
    drop(first);
    eventually("the place is free", async || (server.site.connections.taken() == 0).then_some(())).await;
    assert_eq!(get(&server.url("polling")).await.0, 200);
}

#[tokio::test]
async fn a_connection_that_asks_for_nothing_is_closed() {
    let options = Options { handshake_timeout: Duration::from_millis(100), ..Options::default() };
    let server = Server::echo_with(options).await;
    let mut silent = Bare::connect(server.address).await;
    silent.write(b"GET / HTTP/1.1\r\n").await;
    assert_eq!(silent.rest().await, b"");
    assert_eq!(server.site.counts.silent.get(), 1);
}
