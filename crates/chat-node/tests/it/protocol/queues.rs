//! What waits for a client is bounded: one that does not read is told and cut, and nobody waits for it.

use chat_node::engine_io::{CloseReason, Encoded, Sent, Settings};

use super::server::{Happened, Options, Server};
use super::wire::{Bare, Polling, WebSocket, frame};

fn options(queue_packets: usize, queue_bytes: usize) -> Options {
    let options = Options::default();
    let ping_interval = std::time::Duration::from_secs(20);
    let settings = Settings { queue_packets, queue_bytes, ping_interval, ..options.settings };
    Options { settings, ..Options::default() }
}

#[tokio::test]
async fn a_full_queue_ends_a_session_that_polls_and_tells_its_client() {
    for (packets, bytes) in [(3, 1_000_000), (1000, 30)] {
        let mut server = Server::echo_with(options(packets, bytes)).await;
        let polling = Polling::open(&server).await;
        let session = server.site.engine.registry().get(&polling.sid).unwrap();
        let packet = Encoded::text("hello 78");
        assert_eq!(
            [(); 4].map(|()| session.send(&packet)),
            [
                Sent::Queued,
                Sent::Queued,
                if packets == 3 { Sent::Queued } else { Sent::Overflow },
                if packets == 3 { Sent::Overflow } else { Sent::Closed }
            ]
        );
        assert_eq!(server.happens().await, Happened::Closed(CloseReason::SlowReader));
        assert_eq!(polling.poll().await, (200, "1".to_owned()));
    }
}

#[tokio::test]
async fn a_full_queue_ends_a_websocket_with_a_code_for_trying_again() {
    let mut server = Server::echo_with(options(1000, 1_000_000)).await;
    let (mut socket, _) = WebSocket::open(&server).await;
    socket.send("4flood me").await;
    assert_eq!(server.happens().await, Happened::Closed(CloseReason::SlowReader));
    assert_eq!(socket.closed().await, Some(1013));
}

#[tokio::test]
async fn a_client_that_reads_again_gets_whole_frames_only() {
    let mut server = Server::echo_with(options(1000, 8_000_000)).await;
    let mut bare = Bare::websocket(&server).await;
    bare.write(&frame(0x81, b"4flood me")).await;
    assert_eq!(server.happens().await, Happened::Closed(CloseReason::SlowReader));
    let mut rest = &bare.rest().await[..];
    while rest[0] == 0x81 {
        assert_eq!(rest[1], 127);
        rest = &rest[10 + 100_001..];
    }
    assert_eq!((rest[0], u16::from_be_bytes([rest[2], rest[3]])), (0x88, 1013));
}

#[tokio::test]
async fn a_queue_that_is_read_never_fills() {
    let server = Server::echo_with(options(10, 1_000_000)).await;
    let (mut socket, open) = WebSocket::open(&server).await;
    let session = server.site.engine.registry().get(open["sid"].as_str().unwrap()).unwrap();
    for _ in 0..100 {
        for _ in 0..10 {
            assert_eq!(session.send(&Encoded::text("hello")), Sent::Queued);
        }
        for _ in 0..10 {
            assert_eq!(socket.text().await, "4hello");
        }
        let registry = server.site.engine.registry();
        crate::eventually("the queue is empty", async || (registry.queued() == (0, 0)).then_some(())).await;
    }
}
