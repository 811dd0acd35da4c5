//! From polling to WebSocket: the probe, the move, and what comes in between.

use super::server::{Happened, Options, Server};
use super::wire::{Polling, WebSocket, a_while};
use chat_node::engine_io::CloseReason;
use std::time::Duration;

/// A server whose pings come to nobody's rescue, and end nobody.
async fn patient() -> Server {
    let options = Options::default();
    let settings = chat_node::engine_io::Settings {
        ping_interval: Duration::from_mins(1),
        upgrade_timeout: Duration::from_mins(1),
        ..options.settings
    };
    Server::echo_with(Options { settings, ..Options::default() }).await
}

async fn upgraded(server: &Server) -> (Polling, WebSocket) {
    let polling = Polling::open(server).await;
    let mut socket = WebSocket::beside(server, &polling).await;
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    socket.send("5").await;
    (polling, socket)
}

#[tokio::test]
async fn a_session_moves_from_polling_to_websocket() {
    let server = Server::echo().await;
    let polling = Polling::open(&server).await;
    let mut socket = WebSocket::beside(&server, &polling).await;
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    // Ends the poll cleanly.
    assert_eq!(polling.poll().await, (200, "6".to_owned()));
    socket.send("5").await;
    socket.send("4hello").await;
    assert_eq!(socket.text().await, "4hello");
}

#[tokio::test]
async fn a_poll_that_waits_is_answered_by_the_probe() {
    let server = Server::echo().await;
    let polling = Polling::open(&server).await;
    let mut socket = WebSocket::beside(&server, &polling).await;
    let (polled, ()) = tokio::join!(polling.poll(), async {
        a_while(30).await;
        socket.send("2probe").await;
    });
    assert_eq!(polled, (200, "6".to_owned()));
}

#[tokio::test]
async fn polls_are_ignored_after_the_upgrade() {
    let server = Server::echo().await;
    let (polling, mut socket) = upgraded(&server).await;
    socket.send("4hello").await;
    assert_eq!(socket.text().await, "4hello");
    assert_eq!(polling.poll().await.0, 400);
    assert_eq!(polling.post("4no").await.0, 400);
    socket.send("4still here").await;
    assert_eq!(socket.text().await, "4still here");
}

#[tokio::test]
async fn another_websocket_of_the_session_is_ignored_after_the_upgrade() {
    let server = Server::echo().await;
    let (polling, mut socket) = upgraded(&server).await;
    assert_eq!(WebSocket::refused_beside(&server, &polling).await, 400);
    socket.send("4hello").await;
    assert_eq!(socket.text().await, "4hello");
}

#[tokio::test]
async fn only_one_websocket_is_tried_at_a_time() {
    let server = patient().await;
    let polling = Polling::open(&server).await;
    let mut socket = WebSocket::beside(&server, &polling).await;
    assert_eq!(WebSocket::refused_beside(&server, &polling).await, 400);
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    assert_eq!(WebSocket::refused_beside(&server, &polling).await, 400);
    // Who asks again and again for an answer that it does not read is not gone on with.
    socket.send("2probe").await;
    assert_eq!(socket.closed().await, Some(1002));
    assert_eq!(polling.post("4hello").await.0, 200);
}

#[tokio::test]
async fn who_only_listens_hears_at_once_after_the_upgrade() {
    let server = patient().await;
    let (_, mut socket) = upgraded(&server).await;
    let counts = &server.site.engine.registry().counts;
    crate::eventually("it has moved", async || (counts.upgraded.get() == 1).then_some(())).await;
    // Both drivers have had their turn.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    for session in server.site.engine.registry().all() {
        session.send(&chat_node::engine_io::Encoded::text("news"));
    }
    assert_eq!(socket.text().await, "4news");
}

#[tokio::test]
async fn what_waits_moves_along() {
    let server = Server::echo().await;
    let polling = Polling::open(&server).await;
    let mut socket = WebSocket::beside(&server, &polling).await;
    assert_eq!(polling.post("4one\u{1e}4two").await.0, 200);
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    socket.send("5").await;
    assert_eq!((socket.text().await, socket.text().await), ("4one".to_owned(), "4two".to_owned()));
}

#[tokio::test]
async fn the_heartbeat_goes_on_after_the_upgrade() {
    let mut server = Server::echo().await;
    let (_, mut socket) = upgraded(&server).await;
    assert_eq!(socket.text().await, "2");
    socket.send("3").await;
    assert_eq!(socket.text().await, "2");
    assert_eq!(socket.closed().await, Some(1008));
    assert_eq!(server.happens().await, Happened::Closed(CloseReason::PingTimeout));
}

#[tokio::test]
async fn a_websocket_that_does_not_probe_is_closed_and_polling_goes_on() {
    let options = Options::default();
    let settings =
        chat_node::engine_io::Settings { ping_interval: Duration::from_secs(20), ..options.settings };
    let server = Server::echo_with(Options { settings, ..Options::default() }).await;
    let polling = Polling::open(&server).await;
    // One says nothing, one something else, one leaves; none is the way to move.
    let mut silent = WebSocket::beside(&server, &polling).await;
    assert_eq!(silent.closed().await, Some(1002));
    for wrong in ["4hello", "5", "2", "3probe"] {
        let mut socket = WebSocket::beside(&server, &polling).await;
        socket.send(wrong).await;
        assert_eq!(socket.closed().await, Some(1002), "{wrong}");
    }
    let mut left = WebSocket::beside(&server, &polling).await;
    left.send("2probe").await;
    assert_eq!(left.text().await, "3probe");
    left.close().await;
    left.closed().await;
    assert_eq!(polling.post("4hello").await.0, 200);
    assert_eq!(polling.poll().await, (200, "4hello".to_owned()));
    // And it can still be done right.
    let mut socket = WebSocket::beside(&server, &polling).await;
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    socket.send("5").await;
    socket.send("4moved").await;
    assert_eq!(socket.text().await, "4moved");
}

#[tokio::test]
async fn a_session_that_closes_during_the_probe_does_not_come_back() {
    let mut server = Server::echo().await;
    let polling = Polling::open(&server).await;
    let mut socket = WebSocket::beside(&server, &polling).await;
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    assert_eq!(polling.post("1").await.0, 200);
    assert_eq!(server.happens().await, Happened::Closed(CloseReason::TransportClose));
    socket.send("5").await;
    assert_eq!(socket.closed().await, Some(1002));
}
