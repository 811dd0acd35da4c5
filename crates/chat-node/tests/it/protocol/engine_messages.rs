//! Messages in both directions, of text and of bytes, one by one and several in a payload.

use std::time::Duration;

use chat_node::engine_io::CloseReason;

use super::server::{Happened, Server};
use super::wire::{Polling, WebSocket, a_while};

#[tokio::test]
async fn polling_carries_one_text_packet() {
    let server = Server::echo().await;
    let polling = Polling::open(&server).await;
    assert_eq!(polling.post("4hello").await, (200, "ok".to_owned()));
    assert_eq!(polling.poll().await, (200, "4hello".to_owned()));
}

#[tokio::test]
async fn polling_carries_several_text_packets_in_a_payload() {
    let server = Server::echo().await;
    let polling = Polling::open(&server).await;
    assert_eq!(polling.post("4test1\u{1e}4test2\u{1e}4test3").await, (200, "ok".to_owned()));
    assert_eq!(polling.poll().await, (200, "4test1\u{1e}4test2\u{1e}4test3".to_owned()));
}

#[tokio::test]
async fn polling_carries_text_and_binary_packets_in_a_payload() {
    let server = Server::echo().await;
    let polling = Polling::open(&server).await;
    assert_eq!(polling.post("4hello\u{1e}bAQIDBA==").await, (200, "ok".to_owned()));
    assert_eq!(polling.poll().await, (200, "4hello\u{1e}bAQIDBA==".to_owned()));
}

#[tokio::test]
async fn polling_gives_no_more_packets_at_once_than_every_client_takes() {
    let server = Server::echo().await;
    let polling = Polling::open(&server).await;
    let packets: Vec<String> = (0..40).map(|number| format!("4{number}")).collect();
    assert_eq!(polling.post(&packets.join("\u{1e}")).await.0, 200);
    assert_eq!(polling.post("4close me").await.0, 200);
    let mut polled = Vec::new();
    for count in [16, 16, 9] {
        let (status, payload) = polling.poll().await;
        let part: Vec<String> = payload.split('\u{1e}').map(str::to_owned).collect();
        assert_eq!((status, part.len()), (200, count));
        polled.extend(part);
    }
    assert_eq!(polled.pop().unwrap(), "1");
    assert_eq!(polled, packets);
    assert_eq!(polling.poll().await.0, 400);
}

#[tokio::test]
async fn polling_answers_a_poll_that_waits() {
    let server = Server::echo().await;
    let polling = Polling::open(&server).await;
    let (polled, posted) = tokio::join!(polling.poll(), async {
        a_while(30).await;
        polling.post("4at last").await
    });
    assert_eq!((polled, posted.0), ((200, "4at last".to_owned()), 200));
}

#[tokio::test]
async fn polling_closes_the_session_upon_an_invalid_packet() {
    for body in ["abc", "", "4a\u{1e}", "b!", "2"] {
        let mut server = Server::echo().await;
        let polling = Polling::open(&server).await;
        assert_eq!(polling.post(body).await.0, 400, "{body:?}");
        assert!(matches!(server.happens().await, Happened::Closed(_)));
        assert_eq!(polling.poll().await.0, 400, "{body:?}");
    }
}

#[tokio::test]
async fn polling_closes_the_session_upon_a_body_of_bytes() {
    let mut server = Server::echo().await;
    let polling = Polling::open(&server).await;
    let request =
        reqwest::Client::new().post(&polling.url).header("content-type", "application/octet-stream");
    assert_eq!(request.body("4hello").send().await.unwrap().status(), 400);
    assert_eq!(server.happens().await, Happened::Closed(CloseReason::TransportError));
}

#[tokio::test]
async fn polling_closes_the_session_upon_duplicate_polls() {
    let mut server = Server::echo().await;
    let polling = Polling::open(&server).await;
    let (first, second) = tokio::join!(polling.poll(), async {
        a_while(30).await;
        polling.poll().await
    });
    assert_eq!((first, second.0), ((200, "1".to_owned()), 400));
    assert_eq!(server.happens().await, Happened::Closed(CloseReason::TransportError));
    assert_eq!(polling.poll().await.0, 400);
}

#[tokio::test]
async fn polling_closes_the_session_upon_a_cancelled_poll() {
    let mut server = Server::echo().await;
    let polling = Polling::open(&server).await;
    tokio::time::timeout(Duration::from_millis(50), polling.poll()).await.unwrap_err();
    assert_eq!(server.happens().await, Happened::Closed(CloseReason::TransportError));
    assert_eq!(polling.poll().await.0, 400);
}

#[tokio::test]
async fn polling_refuses_a_body_above_the_limit_and_keeps_the_session() {
    let server = Server::echo().await;
    let polling = Polling::open(&server).await;
    assert_eq!(polling.post(&format!("4{}", "x".repeat(1_000_000))).await.0, 413);
    assert_eq!(polling.post(&format!("4{}", "x".repeat(999_999))).await.0, 200);
    assert_eq!(polling.poll().await.1.len(), 1_000_000);
}

#[tokio::test]
async fn websocket_carries_a_text_packet() {
    let server = Server::echo().await;
    let (mut socket, _) = WebSocket::open(&server).await;
    socket.send("4hello").await;
    assert_eq!(socket.text().await, "4hello");
}

#[tokio::test]
async fn websocket_carries_a_binary_packet() {
    let server = Server::echo().await;
    let (mut socket, _) = WebSocket::open(&server).await;
    socket.send_bytes(&[1, 2, 3, 4]).await;
    assert_eq!(socket.bytes().await, [1, 2, 3, 4]);
}

#[tokio::test]
async fn websocket_closes_the_session_upon_an_invalid_packet() {
    let mut server = Server::echo().await;
    let (mut socket, _) = WebSocket::open(&server).await;
    socket.send("abc").await;
    assert_eq!(socket.closed().await, Some(1002));
    assert_eq!(server.happens().await, Happened::Closed(CloseReason::ParseError));
}

#[tokio::test]
async fn a_thousand_messages_keep_their_order() {
    let server = Server::echo().await;
    let (mut socket, _) = WebSocket::open(&server).await;
    for number in 0..1000 {
        socket.send(&format!("4{number}")).await;
    }
    for number in 0..1000 {
        assert_eq!(socket.event().await, format!("4{number}"));
    }
}
