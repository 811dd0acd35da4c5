//! The end of a session, by the client and by the server.

use chat_node::engine_io::{CloseReason, Settings};

use super::server::{Happened, Options, Server};
use super::wire::{Polling, WebSocket, a_while};

#[tokio::test]
async fn polling_closes_by_a_packet_and_ends_the_poll_that_waits() {
    let mut server = Server::echo().await;
    let polling = Polling::open(&server).await;
    let (polled, posted) = tokio::join!(polling.poll(), async {
        a_while(30).await;
        polling.post("1").await
    });
    assert_eq!((polled, posted.0), ((200, "6".to_owned()), 200));
    assert_eq!(polling.poll().await.0, 400);
    assert_eq!(server.happens().await, Happened::Closed(CloseReason::TransportClose));
}

#[tokio::test]
async fn polling_closes_by_a_packet_that_overtakes_the_poll() {
    let server = Server::echo().await;
    let polling = Polling::open(&server).await;
    assert_eq!(polling.post("1").await.0, 200);
    assert_eq!(polling.poll().await, (200, "6".to_owned()));
    assert_eq!(polling.poll().await.0, 400);
}

#[tokio::test]
async fn polling_is_told_when_the_server_closes_and_misses_nothing() {
    let mut server = Server::echo().await;
    let polling = Polling::open(&server).await;
    assert_eq!(polling.post("4before\u{1e}4close me\u{1e}4after").await.0, 200);
    assert_eq!(server.happens().await, Happened::Closed(CloseReason::ForcedClose));
    assert_eq!(polling.poll().await, (200, "4before\u{1e}1".to_owned()));
    assert_eq!(polling.poll().await.0, 400);
    assert_eq!(server.site.engine.registry().len(), 0);
}

/// The poll that tells the client and the task that tells the application wake at the same moment, on two threads.
#[tokio::test(flavor = "multi_thread")]
async fn polling_ends_for_the_reason_it_was_closed_for_whoever_is_told_first() {
    let options = Options::default();
    let settings = Settings { ping_interval: std::time::Duration::from_secs(20), ..options.settings };
    let mut server = Server::echo_with(Options { settings, ..Options::default() }).await;
    for _ in 0..200 {
        let polling = Polling::open(&server).await;
        let session = server.site.engine.registry().get(&polling.sid).unwrap();
        let (polled, ()) = tokio::join!(polling.poll(), async {
            a_while(2).await;
            session.close(CloseReason::ShuttingDown);
        });
        assert_eq!(polled, (200, "1".to_owned()));
        assert_eq!(server.happens().await, Happened::Closed(CloseReason::ShuttingDown));
    }
}

#[tokio::test]
async fn websocket_closes_by_a_packet() {
    let mut server = Server::echo().await;
    let (mut socket, _) = WebSocket::open(&server).await;
    socket.send("1").await;
    assert_eq!(socket.closed().await, Some(1000));
    assert_eq!(server.happens().await, Happened::Closed(CloseReason::TransportClose));
}

#[tokio::test]
async fn websocket_closes_by_a_close_frame() {
    let mut server = Server::echo().await;
    let (mut socket, _) = WebSocket::open(&server).await;
    socket.close().await;
    socket.closed().await;
    assert_eq!(server.happens().await, Happened::Closed(CloseReason::TransportClose));
}

#[tokio::test]
async fn websocket_is_told_when_the_server_closes_and_misses_nothing() {
    let mut server = Server::echo().await;
    let (mut socket, _) = WebSocket::open(&server).await;
    for text in ["4before", "4close me", "4after"] {
        socket.send(text).await;
    }
    assert_eq!(socket.text().await, "4before");
    assert_eq!(socket.closed().await, Some(1008));
    assert_eq!(server.happens().await, Happened::Closed(CloseReason::ForcedClose));
}

#[tokio::test]
async fn a_connection_that_is_lost_ends_the_session() {
    let mut server = Server::echo().await;
    let (socket, _) = WebSocket::open(&server).await;
    drop(socket);
    assert_eq!(server.happens().await, Happened::Closed(CloseReason::TransportClose));
}
