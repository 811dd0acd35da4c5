//! A raw Socket.IO client: WebSocket frames with Engine.IO 4 and Socket.IO 5 packets, nothing hidden.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::DEADLINE;

/// One connection.
pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    /// The `X-Chat-Node` of the 101 response.
    pub(crate) node: String,
    /// The session id of the namespace.
    pub(crate) sid: String,
    /// The private id, when the server gave one.
    pub(crate) pid: Option<String>,
}

impl Client {
    /// Connects and joins the namespace `/`.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self::over(stream, address, "40{}").await
    }

    /// The same, with something to say when it joins.
    pub(crate) async fn connect_saying(address: SocketAddr, auth: &Value) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self::over(stream, address, &format!("40{auth}")).await
    }

    /// The same, with as little room for unread bytes as the system allows.
    pub(crate) async fn connect_with_small_window(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self::over(socket.connect(address).await.unwrap(), address, "40{}").await
    }

    async fn over(stream: TcpStream, address: SocketAddr, join: &str) -> Self {
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
        let (socket, response) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        assert_eq!(response.status(), 101);
        let node = response.headers()["x-chat-node"].to_str().unwrap().to_owned();
        let mut client = Self { socket, node, sid: String::new(), pid: None };
        let open = client.packet().await.unwrap();
        assert!(open.starts_with("0{"), "{open}");
        client.send(join).await;
        let joined = client.packet().await.unwrap();
        let joined: Value = serde_json::from_str(joined.strip_prefix("40").unwrap()).unwrap();
        joined["sid"].as_str().unwrap().clone_into(&mut client.sid);
        client.pid = joined["pid"].as_str().map(str::to_owned);
        client
    }

    /// Sends one text frame.
    pub(crate) async fn send(&mut self, packet: &str) {
        self.socket.send(Message::text(packet)).await.unwrap();
    }

    /// Emits an event the server may answer by closing before it has taken all of it.
    pub(crate) async fn try_emit(&mut self, event: &str, text: &str) {
        let packet = format!("42{}", serde_json::json!([event, text]));
        self.socket.send(Message::text(packet)).await.ok();
    }

    /// Emits an event with one string.
    pub(crate) async fn emit(&mut self, event: &str, text: &str) {
        self.send(&format!("42{}", serde_json::json!([event, text]))).await;
    }

    /// The next packet that is not a ping; those are answered. `None` when the server has closed.
    pub(crate) async fn packet(&mut self) -> Option<String> {
        timeout(DEADLINE, self.packet_but_ping()).await.expect("nothing came in time")
    }

    async fn packet_but_ping(&mut self) -> Option<String> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(packet))) if packet.starts_with('2') => {
                    // A closed server has no use for an answer; the next read tells.
                    self.socket.send(Message::text("3")).await.ok();
                }
                Some(Ok(Message::Text(packet))) => return Some(packet.to_string()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The text of the next `message` event.
    pub(crate) async fn message(&mut self) -> String {
        self.event().await.remove(0)
    }

    /// The texts of the next `message` event: what was said, and behind it perhaps an offset.
    pub(crate) async fn event(&mut self) -> Vec<String> {
        let packet = self.packet().await.expect("the server closed the connection");
        let event = packet.strip_prefix("42").unwrap_or_else(|| panic!("{packet}"));
        let mut event: Vec<String> = serde_json::from_str(event).unwrap();
        assert_eq!(event.remove(0), "message");
        event
    }

    /// The answer to the event of an id.
    pub(crate) async fn acknowledged(&mut self, id: u32) -> Value {
        let packet = self.packet().await.expect("the server closed the connection");
        let prefix = format!("43{id}");
        let answer = packet.strip_prefix(&prefix).unwrap_or_else(|| panic!("{packet}"));
        serde_json::from_str::<Vec<Value>>(answer).unwrap().remove(0)
    }

    /// The next `count` messages.
    pub(crate) async fn messages(&mut self, count: usize) -> Vec<String> {
        let mut messages = Vec::with_capacity(count);
        for _ in 0..count {
            messages.push(self.message().await);
        }
        messages
    }

    /// Reads on until the server closes, and says how the connection ended: the last packet before.
    pub(crate) async fn closed(&mut self) -> Option<String> {
        let mut last = None;
        while let Some(packet) = self.packet().await {
            last = Some(packet);
        }
        last
    }

    /// Reads on until the server closes, and gives the code of its close frame.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        loop {
            match timeout(DEADLINE, self.socket.next()).await.expect("it was not closed") {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// Loses its connection without a word.
    pub(crate) fn vanish(self) {
        drop(self.socket);
    }

    /// Leaves as a closed browser tab does.
    pub(crate) async fn leave(mut self) {
        self.socket.close(None).await.unwrap();
    }
}
