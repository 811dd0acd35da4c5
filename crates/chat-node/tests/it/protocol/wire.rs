//! Clients of the cases: plain HTTP, a WebSocket whose messages are looked at one by one, and bare bytes.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::server::Server;
use crate::DEADLINE;

/// Status and body of an answer.
pub(crate) type Answer = (u16, String);

/// Asks.
pub(crate) async fn ask(method: Method, url: &str, body: &str) -> Answer {
    let request = reqwest::Client::new().request(method, url).body(body.to_owned());
    let response = timeout(DEADLINE, request.send()).await.expect("no answer").unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

pub(crate) async fn get(url: &str) -> Answer {
    ask(Method::GET, url, "").await
}

/// A session that polls.
pub(crate) struct Polling {
    pub(crate) sid: String,
    pub(crate) url: String,
}

impl Polling {
    pub(crate) async fn open(server: &Server) -> Self {
        let (status, open) = get(&server.url("polling")).await;
        assert_eq!(status, 200, "{open}");
        let open: Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
        let sid = open["sid"].as_str().unwrap().to_owned();
        Self { url: format!("{}&sid={sid}", server.url("polling")), sid }
    }

    pub(crate) async fn poll(&self) -> Answer {
        get(&self.url).await
    }

    pub(crate) async fn post(&self, body: &str) -> Answer {
        ask(Method::POST, &self.url, body).await
    }
}

/// A WebSocket.
pub(crate) struct WebSocket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl WebSocket {
    pub(crate) async fn connect(url: &str) -> Result<Self, Error> {
        let url = url.replacen("http", "ws", 1);
        tokio_tungstenite::connect_async(url).await.map(|(socket, _)| Self(socket))
    }

    /// Opens a session, and gives what the server says of it.
    pub(crate) async fn open(server: &Server) -> (Self, Value) {
        let mut socket = Self::connect(&server.url("websocket")).await.unwrap();
        let open = socket.text().await;
        let open = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
        (socket, open)
    }

    /// Opens a session and joins the main namespace of the suite's application.
    pub(crate) async fn joined(server: &Server) -> Self {
        let (mut socket, _) = Self::open(server).await;
        socket.send("40").await;
        assert!(socket.text().await.starts_with("40{"));
        assert_eq!(socket.text().await, r#"42["auth",{}]"#);
        socket
    }

    /// Goes beside a session that polls.
    pub(crate) async fn beside(server: &Server, polling: &Polling) -> Self {
        Self::connect(&format!("{}&sid={}", server.url("websocket"), polling.sid)).await.unwrap()
    }

    /// The status with which that is refused.
    pub(crate) async fn refused_beside(server: &Server, polling: &Polling) -> u16 {
        match Self::connect(&format!("{}&sid={}", server.url("websocket"), polling.sid)).await {
            Err(Error::Http(response)) => response.status().as_u16(),
            Err(error) => panic!("no answer: {error}"),
            Ok(_) => panic!("it was let in"),
        }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &'static [u8]) {
        self.0.send(Message::binary(bytes)).await.unwrap();
    }

    /// The next frame, whatever it is.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        timeout(DEADLINE, self.0.next()).await.expect("nothing came in time").and_then(Result::ok)
    }

    /// The next message, which must be text.
    pub(crate) async fn text(&mut self) -> String {
        match self.next().await {
            Some(Message::Text(text)) => text.to_string(),
            other => panic!("not a text: {other:?}"),
        }
    }

    /// The next message of text that is not a ping; those are answered.
    pub(crate) async fn event(&mut self) -> String {
        loop {
            let text = self.text().await;
            if text != "2" {
                return text;
            }
            self.send("3").await;
        }
    }

    /// The next message, which must be bytes.
    pub(crate) async fn bytes(&mut self) -> Vec<u8> {
        match self.next().await {
            Some(Message::Binary(bytes)) => bytes.to_vec(),
            other => panic!("not bytes: {other:?}"),
        }
    }

    /// Reads on until the server closes, and gives the code of its close frame.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        let mut code = None;
        while let Some(message) = self.next().await {
            if let Message::Close(frame) = message {
                code = frame.map(|frame| frame.code.into());
            }
        }
        code
    }

    pub(crate) async fn close(&mut self) {
        self.0.close(None).await.unwrap();
    }
}

/// A connection whose bytes are ours.
pub(crate) struct Bare(TcpStream);

impl Bare {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// A WebSocket whose opening message was read.
    pub(crate) async fn websocket(server: &Server) -> Self {
        let mut bare = Self::connect(server.address).await;
        let request = format!(
            "GET {}?EIO=4&transport=websocket HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            server.site.path
        );
        bare.write(request.as_bytes()).await;
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") {
            answer.push(timeout(DEADLINE, bare.0.read_u8()).await.expect("no answer").unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
        bare
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Reads a number of bytes.
    pub(crate) async fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        timeout(DEADLINE, self.0.read_exact(&mut bytes)).await.expect("nothing came").unwrap();
        bytes
    }

    /// Everything up to the end; a connection that was reset counts as ended.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        timeout(DEADLINE, self.0.read_to_end(&mut bytes)).await.expect("the server did not close").ok();
        bytes
    }
}

/// A frame as a client sends it, with its first byte as given.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1_u8, 2, 3, 4];
    let mut frame = vec![first];
    match u16::try_from(payload.len()).unwrap() {
        length @ 0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
        length => {
            frame.push(0xfe);
            frame.extend_from_slice(&length.to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A little while, for cases about what must not happen.
pub(crate) async fn a_while(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}
