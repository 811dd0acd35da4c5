//! Events, attachments and acknowledgements, in both directions.

use bytes::Bytes;
use chat_node::socket_io::Arguments;
use serde_json::json;

use super::server::{Happened, Server};
use super::wire::{Polling, WebSocket};

const TWO: &str = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;

#[tokio::test]
async fn a_plain_event_is_sent() {
    let server = Server::socket_io().await;
    let mut socket = WebSocket::joined(&server).await;
    socket.send(r#"42["message",1,"2",{"3":[true]}]"#).await;
    assert_eq!(socket.event().await, r#"42["message-back",1,"2",{"3":[true]}]"#);
}

#[tokio::test]
async fn an_event_with_attachments_is_sent() {
    let server = Server::socket_io().await;
    let mut socket = WebSocket::joined(&server).await;
    socket.send(&format!(r#"452-["message",{TWO}"#)).await;
    socket.send_bytes(&[1, 2, 3]).await;
    socket.send_bytes(&[4, 5, 6]).await;
    assert_eq!(socket.event().await, format!(r#"452-["message-back",{TWO}"#));
    assert_eq!((socket.bytes().await, socket.bytes().await), (vec![1, 2, 3], vec![4, 5, 6]));
}

#[tokio::test]
async fn a_plain_event_is_acknowledged() {
    let server = Server::socket_io().await;
    let mut socket = WebSocket::joined(&server).await;
    socket.send(r#"42456["message-with-ack",1,"2",{"3":[false]}]"#).await;
    assert_eq!(socket.event().await, r#"43456[1,"2",{"3":[false]}]"#);
}

#[tokio::test]
async fn an_event_with_attachments_is_acknowledged() {
    let server = Server::socket_io().await;
    let mut socket = WebSocket::joined(&server).await;
    socket.send(&format!(r#"452-789["message-with-ack",{TWO}"#)).await;
    socket.send_bytes(&[1, 2, 3]).await;
    socket.send_bytes(&[4, 5, 6]).await;
    assert_eq!(socket.event().await, format!("462-789[{TWO}"));
    assert_eq!((socket.bytes().await, socket.bytes().await), (vec![1, 2, 3], vec![4, 5, 6]));
}

#[tokio::test]
async fn an_event_with_attachments_travels_by_polling() {
    let server = Server::socket_io().await;
    let polling = Polling::open(&server).await;
    let body = format!("40\u{1e}452-[\"message\",{TWO}\u{1e}bAQID\u{1e}bBAUG");
    assert_eq!(polling.post(&body).await.0, 200);
    let (_, payload) = polling.poll().await;
    let packets: Vec<&str> = payload.split('\u{1e}').collect();
    assert_eq!(packets[2..], [format!(r#"452-["message-back",{TWO}"#).as_str(), "bAQID", "bBAUG"]);
}

#[tokio::test]
async fn a_client_is_asked_and_answers() {
    let mut server = Server::socket_io().await;
    let mut socket = WebSocket::joined(&server).await;
    socket.send(r#"42["ask me"]"#).await;
    assert_eq!(socket.event().await, r#"421["question","why?"]"#);
    // An answer to something else is of no use to anybody.
    socket.send(r#"437["never asked"]"#).await;
    socket.send(r#"461-1["because",{"_placeholder":true,"num":0}]"#).await;
    socket.send_bytes(&[7]).await;
    let attachments = vec![Bytes::from_static(&[7])];
    let values = vec![json!("because"), json!({"_placeholder": true, "num": 0})];
    assert_eq!(server.happens().await, Happened::Answered(Some(Arguments { values, attachments })));
}

#[tokio::test]
async fn a_client_that_does_not_answer_or_goes_is_not_waited_for() {
    let mut server = Server::socket_io().await;
    let mut socket = WebSocket::joined(&server).await;
    socket.send(r#"42["ask me"]"#).await;
    assert_eq!(socket.event().await, r#"421["question","why?"]"#);
    assert_eq!(server.happens().await, Happened::Answered(None));
    socket.send(r#"42["ask me"]"#).await;
    assert_eq!(socket.event().await, r#"422["question","why?"]"#);
    drop(socket);
    let mut answered = false;
    while !answered {
        answered = server.happens().await == Happened::Answered(None);
    }
}

#[tokio::test]
async fn invalid_packets_close_the_connection() {
    for packet in [
        "4abc",
        "42{}",
        r#"42abc["message-with-ack",1,"2",{"3":[false]}]"#,
        "43[]",
        r#"42["connect"]"#,
        r#"451-["message",{"_placeholder":true,"num":1}]"#,
        r#"4511-["message"]"#,
        r#"42/elsewhere,["message"]"#,
    ] {
        let server = Server::socket_io().await;
        let mut socket = WebSocket::joined(&server).await;
        socket.send(packet).await;
        assert_eq!(socket.closed().await, Some(1002), "{packet}");
    }
}

#[tokio::test]
async fn attachments_out_of_place_close_the_connection() {
    let server = Server::socket_io().await;
    let mut socket = WebSocket::joined(&server).await;
    socket.send_bytes(&[1]).await;
    assert_eq!(socket.closed().await, Some(1002));

    let mut socket = WebSocket::joined(&server).await;
    socket.send(r#"451-["message",{"_placeholder":true,"num":0}]"#).await;
    socket.send(r#"42["message"]"#).await;
    assert_eq!(socket.closed().await, Some(1002));
}

#[tokio::test]
async fn events_and_their_answers_keep_the_order_of_the_client() {
    let server = Server::socket_io().await;
    let mut socket = WebSocket::joined(&server).await;
    for number in 0..200 {
        socket.send(&format!(r#"42["message",{number}]"#)).await;
        socket.send(&format!(r#"42{number}["message-with-ack"]"#)).await;
    }
    for number in 0..200 {
        assert_eq!(socket.event().await, format!(r#"42["message-back",{number}]"#));
        assert_eq!(socket.event().await, format!("43{number}[]"));
    }
}
