//! What clients speak: HTTP/2 where it is offered, HTTP/1.1 everywhere, compressed answers for those that read them.

use std::io::Read;

use flate2::read::GzDecoder;
use mock_cloud::plane::spec::ListenerProtocol;
use reqwest::Version;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use crate::balance::secure::{client, issue, secure};
use crate::balance::setup::{Setup, header};

#[tokio::test(flavor = "multi_thread")]
async fn http2_clients_are_served_over_http1() {
    let certificate = issue(&["example.com"]);
    let setup = secure(std::slice::from_ref(&certificate), "tls_cipher_policy_1_2_strict_with_1_3").await;
    let client = client(&setup, &certificate).build().unwrap();
    let request = client.get("https://example.com/seen?a=1").header("cookie", "a=1").header("cookie", "b=2");
    let answer = request.send().await.unwrap();
    assert_eq!((answer.version(), answer.status().as_u16()), (Version::HTTP_2, 200));
    let seen = answer.text().await.unwrap();
    assert!(seen.starts_with("GET /seen?a=1 HTTP/1.1\n"), "{seen}");
    assert!(seen.contains("\nhost: example.com\n"), "{seen}");
    assert!(seen.contains("\ncookie: a=1; b=2\n"), "cookies are one header again: {seen}");
    assert!(seen.contains("\nx-forwarded-for: 127.0.0.1\n"), "{seen}");
    // Many at once on one connection, and a body in each direction.
    let requests = (0..50).map(|number| {
        let request = client.post("https://example.com/echo").body(format!("body {number}"));
        async move { request.send().await.unwrap().text().await.unwrap() }
    });
    let answers = futures_util::future::join_all(requests).await;
    assert!(answers.iter().enumerate().all(|(number, answer)| *answer == format!("body {number}")));
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_not_offered_where_it_is_switched_off() {
    let certificate = issue(&["example.com"]);
    let mut setup = secure(std::slice::from_ref(&certificate), "tls_cipher_policy_1_2").await;
    let version = async || {
        // A client for each question: a connection keeps what it agreed on.
        let client = client(&setup, &certificate).build().unwrap();
        client.get("https://example.com/").send().await.unwrap().version()
    };
    assert_eq!(version().await, Version::HTTP_2);
    if let ListenerProtocol::Https(tls) = &mut setup.listener().protocol {
        tls.http2 = false;
    }
    setup.region.apply();
    let version = async || {
        let client = client(&setup, &certificate).build().unwrap();
        client.get("https://example.com/").send().await.unwrap().version() == Version::HTTP_11
    };
    crate::support::eventually("HTTP/1.1", version).await;
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn websockets_go_through_tls() {
    let certificate = issue(&["example.com"]);
    let setup = secure(std::slice::from_ref(&certificate), "tls_cipher_policy_1_2").await;
    let stream = tokio::net::TcpStream::connect(setup.front).await.unwrap();
    let name = tokio_rustls::rustls::pki_types::ServerName::try_from("example.com").unwrap();
    let config = crate::balance::secure::client_config(std::slice::from_ref(&certificate));
    let mut stream = TlsConnector::from(config).connect(name, stream).await.unwrap();
    let request =
        "GET /socket HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    stream.write_all(b"hello").await.unwrap();
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HELLO");
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_texts_are_compressed_for_clients_that_read_it() {
    let mut setup = Setup::new([100, 100]).await;
    let client = reqwest::Client::builder().no_proxy().resolve("example.com", setup.front).build().unwrap();
    let ask = async |path: &str, coding: &str| {
        let request = client.get(format!("http://example.com{path}")).header("accept-encoding", coding);
        let answer = request.send().await.unwrap();
        let coding = answer.headers().get("content-encoding").map(|own| own.to_str().unwrap().to_owned());
        (coding, answer.bytes().await.unwrap())
    };
    let (coding, body) = ask("/large", "br, gzip").await;
    assert_eq!(coding.as_deref(), Some("gzip"));
    let mut text = String::new();
    GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, "words ".repeat(2000));
    assert!(body.len() < text.len() / 10, "{} bytes", body.len());
    for (path, coding) in [("/large", "br"), ("/large", "gzip;q=0"), ("/picture", "gzip"), ("/", "gzip")] {
        assert_eq!(ask(path, coding).await.0, None, "{path} for {coding}");
    }
    setup.listener().gzip = false;
    setup.region.apply();
    let is_off = async || ask("/large", "gzip").await.0.is_none();
    crate::support::eventually("it is off", is_off).await;
    assert_eq!(header(&setup.ask("/large", "").await, "vary"), None);
    setup.end().await;
}
