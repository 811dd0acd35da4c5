//! Other services than a chatroom: pages, and what says something back over a WebSocket.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

use super::{OUTSIDE, alias, check, failed, report, scenario};
use crate::base::address_map::AddressMap;
use crate::verify::tests::room::Behaviour;
use crate::verify::{CheckId, Echo, Page, Scenario, Service, Status};

/// Answers every connection with these bytes.
async fn page(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 2000];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    address
}

/// A WebSocket that greets, and answers with what it is told.
async fn socket(answer: fn(&str) -> Option<String>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
                let _ = socket.send(Message::text("hello")).await;
                while let Some(Ok(Message::Text(text))) = socket.next().await {
                    let Some(answer) = answer(&text) else { return };
                    let _ = socket.send(Message::text(answer)).await;
                }
            });
        }
    });
    address
}

async fn of(service: Service, served: SocketAddr) -> Scenario {
    let address_map = AddressMap::Mapped([(SocketAddr::new(OUTSIDE, 5000), served)].into());
    Scenario { address_map, service, ..scenario(Behaviour::default(), alias()).await }
}

fn wanted() -> Page {
    Page {
        path: "/status".to_owned(),
        status: 201,
        body: Some("Welcome".to_owned()),
        headers: [("content-type".to_owned(), "text/plain".to_owned())].into(),
    }
}

const GOOD: &str = "HTTP/1.1 201 Created\r\nContent-Type: text/plain; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n\
                    3\r\nWel\r\n4\r\ncome\r\n0\r\n\r\n";

#[tokio::test]
async fn a_page_is_as_expected_from_both_places() {
    let report = report(&of(Service::Http(wanted()), page(GOOD).await).await).await;
    assert_eq!(failed(&report), [""; 0], "{report:#?}");
    let ids: Vec<CheckId> = report.checks.iter().map(|check| check.id).collect();
    assert_eq!(ids, CheckId::OF_HTTP);
    let answers = check(&report, CheckId::HttpAnswers);
    assert_eq!(answers.status, Status::Passed);
    assert_eq!((answers.evidence["bytes_a"].as_str(), answers.evidence["bytes_b"].as_str()), ("7", "7"));
    assert!(answers.evidence["source_b"].contains("127.0.0.2"), "{answers:?}");
}

#[tokio::test]
async fn what_of_a_page_is_not_as_expected_is_named() {
    for (answer, words) in [
        ("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nWelcome", "the status is 200"),
        ("HTTP/1.1 503 X\r\n\r\n", "the status is 503: no server of the group is healthy"),
        ("HTTP/1.1 201 Created\r\nContent-Type: text/html\r\n\r\nWelcome", "content-type is `text/html`"),
        ("HTTP/1.1 201 Created\r\n\r\nWelcome", "there is no header content-type"),
        (
            "HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\n\r\nGoodbye",
            "its 7 bytes do not have `Welcome`",
        ),
        ("SSH-2.0-x\r\n\r\n", "the answer is no HTTP"),
    ] {
        let report = report(&of(Service::Http(wanted()), page(answer).await).await).await;
        assert_eq!(failed(&report), ["http.answers"], "{answer}");
        let answers = check(&report, CheckId::HttpAnswers);
        assert!(answers.sentence.contains(words), "{answers:?}");
        let start = "expected http://example.com:5000/status from this machine with status 201, `text/plain` in \
                     content-type, `Welcome` in its body, but ";
        assert!(answers.sentence.starts_with(start), "{answers:?}");
    }
}

fn echo(send: Option<&str>, expect: Option<&str>) -> Service {
    let own = str::to_owned;
    Service::Echo(Echo { path: "/ws".to_owned(), send: send.map(own), expect: expect.map(own) })
}

#[tokio::test]
async fn a_websocket_says_back_what_is_expected() {
    let same = |text: &str| Some(text.to_owned());
    let loud = |text: &str| Some(text.to_uppercase());
    for (service, served) in [
        (echo(None, None), socket(same).await),
        (echo(Some("ping"), None), socket(same).await),
        (echo(Some("ping"), Some("PING")), socket(loud).await),
    ] {
        let report = report(&of(service, served).await).await;
        assert_eq!(failed(&report), [""; 0], "{report:#?}");
        assert!(check(&report, CheckId::WebsocketEcho).evidence.contains_key("latency_b"));
    }
}

#[tokio::test]
async fn a_websocket_that_says_something_else_closes_or_is_none_is_told() {
    let loud = |text: &str| Some(text.to_uppercase());
    let report = report(&of(echo(Some("ping"), None), socket(loud).await).await).await;
    assert_eq!(failed(&report), ["websocket.echo"]);
    let sentence = &check(&report, CheckId::WebsocketEcho).sentence;
    let start =
        "expected `ping` from ws://example.com:5000/ws after `ping`, but it did not come within 1.5 s";
    assert!(sentence.starts_with(start) && sentence.ends_with("what came is `hello` `PING`"), "{sentence}");

    let report = super::report(&of(echo(None, None), socket(|_| None).await).await).await;
    assert_eq!(failed(&report), ["websocket.echo"]);

    let report = super::report(&of(echo(None, None), page(GOOD).await).await).await;
    assert_eq!(failed(&report), ["websocket.upgrade", "websocket.echo"]);
    let upgrade = check(&report, CheckId::WebsocketUpgrade);
    assert!(upgrade.sentence.contains("was answered with HTTP status 201"), "{upgrade:?}");
}
