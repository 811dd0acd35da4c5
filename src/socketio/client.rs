//! One connection to a Socket.IO server.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message};

use super::packet::{EnginePacket, Handshake, Packet, PacketError};

/// What is due after asking to join.
const JOINED: &str = "the answer to the connection";

/// Why a conversation with a server did not go on.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server answered the upgrade with something else.
    #[error("the upgrade to WebSocket was answered with HTTP status {status}{}", with_body(.body))]
    NotUpgraded {
        /// The status.
        status: u16,
        /// The first line of what came with it.
        body: String,
    },
    /// The transport failed.
    #[error("the WebSocket failed")]
    WebSocket(#[source] Box<tungstenite::Error>),
    /// The server ended the connection.
    #[error("the server closed the connection")]
    Closed,
    /// The server does not let us into the namespace.
    #[error("the server refused the connection: {reason}")]
    Refused {
        /// Its reason.
        reason: String,
    },
    /// The server said something that is no Socket.IO.
    #[error("the server does not speak Socket.IO 5")]
    NotSocketIo(#[source] PacketError),
    /// The server said something out of order.
    #[error("the server said `{said}` where {wanted} was due")]
    OutOfOrder {
        /// What came.
        said: String,
        /// What was due.
        wanted: &'static str,
    },
    /// Nothing came in time.
    #[error("nothing came within {:.1} s", .after.as_secs_f64())]
    TimedOut {
        /// The deadline.
        after: Duration,
    },
}

fn with_body(body: &str) -> String {
    if body.is_empty() { String::new() } else { format!(" ({body})") }
}

/// An event that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// What it carries.
    pub arguments: Vec<Value>,
}

impl Event {
    /// The first argument when it is a string, else nothing.
    pub fn text(&self) -> &str {
        self.arguments.first().and_then(Value::as_str).unwrap_or_default()
    }
}

/// A connected client on the namespace `/`.
#[derive(Debug)]
pub struct Client<S> {
    socket: WebSocketStream<S>,
    headers: BTreeMap<String, String>,
    handshake: Handshake,
    sid: String,
    waiting: VecDeque<Event>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Upgrades a fresh connection to `host` (`example.com:5000`, as the Host header shows it) and joins `/`.
    ///
    /// # Errors
    /// Told apart by cause; `deadline` bounds the whole of it.
    pub async fn connect(stream: S, host: &str, deadline: Duration) -> Result<Self, ClientError> {
        let until = Instant::now() + deadline;
        let url = format!("ws://{host}/socket.io/?EIO=4&transport=websocket");
        let upgraded = timeout_at(until, tokio_tungstenite::client_async(url, stream)).await;
        let (socket, response) =
            upgraded.map_err(|_| ClientError::TimedOut { after: deadline })?.map_err(upgrade_error)?;
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let handshake = Handshake {
            sid: String::new(),
            upgrades: Vec::new(),
            ping_interval: 0,
            ping_timeout: 0,
            max_payload: 0,
        };
        let mut client = Self {
            headers: headers.collect(),
            socket,
            handshake,
            sid: String::new(),
            waiting: VecDeque::new(),
        };
        match timeout_at(until, client.join()).await {
            Ok(joined) => joined.map(|()| client),
            Err(_) => Err(ClientError::TimedOut { after: deadline }),
        }
    }

    async fn join(&mut self) -> Result<(), ClientError> {
        let first = self.receive().await?;
        let EnginePacket::Open(handshake) = first else {
            return Err(out_of_order(&first, "the handshake"));
        };
        self.handshake = handshake;
        self.send(&EnginePacket::Message(Packet::Connect { namespace: "/".to_owned(), data: None })).await?;
        loop {
            let message = match self.receive().await? {
                EnginePacket::Message(message) => message,
                EnginePacket::Noop => continue,
                packet @ (EnginePacket::Open(_)
                | EnginePacket::Close
                | EnginePacket::Ping(_)
                | EnginePacket::Pong(_)
                | EnginePacket::Upgrade) => return Err(out_of_order(&packet, JOINED)),
            };
            match message {
                Packet::Connect { data, .. } => {
                    field(data.as_ref(), "sid").clone_into(&mut self.sid);
                    return Ok(());
                }
                Packet::ConnectError { data, .. } => {
                    return Err(ClientError::Refused { reason: field(data.as_ref(), "message").to_owned() });
                }
                Packet::Event { name, arguments, .. } => self.waiting.push_back(Event { name, arguments }),
                message @ (Packet::Disconnect { .. } | Packet::Ack { .. }) => {
                    return Err(out_of_order(&EnginePacket::Message(message), JOINED));
                }
            }
        }
    }

    /// A header of the upgrade's response, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// What the server said first.
    pub fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    /// The session id on the namespace.
    pub fn sid(&self) -> &str {
        &self.sid
    }

    /// Sends an event with one string.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn emit(&mut self, name: &str, text: &str) -> Result<(), ClientError> {
        self.send(&EnginePacket::Message(Packet::event(name, text))).await
    }

    /// The next event, answering pings on the way.
    ///
    /// # Errors
    /// When the connection ends, or nothing comes within `deadline`.
    pub async fn next_event(&mut self, deadline: Duration) -> Result<Event, ClientError> {
        if let Some(event) = self.waiting.pop_front() {
            return Ok(event);
        }
        let until = Instant::now() + deadline;
        loop {
            let packet = timeout_at(until, self.receive()).await;
            match packet.map_err(|_| ClientError::TimedOut { after: deadline })?? {
                EnginePacket::Message(Packet::Event { name, arguments, .. }) => {
                    return Ok(Event { name, arguments });
                }
                EnginePacket::Message(Packet::Disconnect { .. }) | EnginePacket::Close => {
                    return Err(ClientError::Closed);
                }
                EnginePacket::Message(
                    Packet::Connect { .. } | Packet::Ack { .. } | Packet::ConnectError { .. },
                )
                | EnginePacket::Open(_)
                | EnginePacket::Ping(_)
                | EnginePacket::Pong(_)
                | EnginePacket::Upgrade
                | EnginePacket::Noop => {}
            }
        }
    }

    /// Leaves the namespace and ends the connection.
    pub async fn close(mut self) {
        let leave = EnginePacket::Message(Packet::Disconnect { namespace: "/".to_owned() });
        // Leaving a server that is gone is leaving too.
        if self.send(&leave).await.is_ok() {
            let _ = self.socket.close(None).await;
        }
    }

    async fn send(&mut self, packet: &EnginePacket) -> Result<(), ClientError> {
        self.socket.send(Message::text(packet.encode())).await.map_err(transport_error)
    }

    /// The next packet; a ping is answered and given back too.
    async fn receive(&mut self) -> Result<EnginePacket, ClientError> {
        loop {
            let message = self.socket.next().await.ok_or(ClientError::Closed)?.map_err(transport_error)?;
            match message {
                Message::Text(text) => {
                    let packet = EnginePacket::parse(text.as_str()).map_err(ClientError::NotSocketIo)?;
                    if let EnginePacket::Ping(text) = &packet {
                        self.send(&EnginePacket::Pong(text.clone())).await?;
                        continue;
                    }
                    return Ok(packet);
                }
                Message::Close(_) => return Err(ClientError::Closed),
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }
}

/// A text field of what came with a packet.
fn field<'data>(data: Option<&'data Value>, name: &str) -> &'data str {
    data.and_then(|data| data.get(name)).and_then(Value::as_str).unwrap_or_default()
}

fn out_of_order(packet: &EnginePacket, wanted: &'static str) -> ClientError {
    ClientError::OutOfOrder { said: packet.encode().chars().take(80).collect(), wanted }
}

fn transport_error(error: tungstenite::Error) -> ClientError {
    if matches!(error, tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed) {
        return ClientError::Closed;
    }
    ClientError::WebSocket(Box::new(error))
}

fn upgrade_error(error: tungstenite::Error) -> ClientError {
    let tungstenite::Error::Http(response) = error else {
        return ClientError::WebSocket(Box::new(error));
    };
    let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    let body = body.lines().next().unwrap_or_default().chars().take(120).collect();
    ClientError::NotUpgraded { status: response.status().as_u16(), body }
}
