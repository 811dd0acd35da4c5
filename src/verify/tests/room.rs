//! A load balancer and its nodes in one task: connections go to the nodes in turn, or where a cookie says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use super::polls::{self, Polls};
use crate::socketio::{EnginePacket, Packet};

/// How far messages go.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Crossing {
    Everywhere,
    OwnNode,
    Nowhere,
    /// All but one number of each client, which the other node never hears.
    NotTheSeventh,
    /// All but what somebody says who has moved from a node that is away.
    NotOfMoved,
}

impl Crossing {
    /// Whether a node hears what was said on another one, or on itself.
    pub(super) fn leads(self, from: &str, to: &str, text: &str) -> bool {
        match self {
            Self::Everywhere => true,
            Self::OwnNode => from == to,
            Self::Nowhere => false,
            Self::NotOfMoved => !text.starts_with('f'),
            Self::NotTheSeventh => from == to || !text.ends_with(": 7"),
        }
    }
}

/// Says which node is away.
pub(super) type Away = watch::Sender<Option<String>>;

/// What is wrong with the room, if anything.
#[derive(Clone)]
pub(super) struct Behaviour {
    pub(super) nodes: Vec<&'static str>,
    pub(super) crossing: Crossing,
    pub(super) takes_names: bool,
    pub(super) status: Option<u16>,
    /// Whether the load balancer leads by its cookie.
    pub(super) is_sticky: bool,
    /// Whether each node counts the entries of a stream of its own.
    pub(super) has_own_streams: bool,
    /// After what time it cuts who has no name.
    pub(super) cuts_silent: Option<Duration>,
    /// The node that is away, if one is.
    pub(super) away: Away,
    /// With TLS.
    pub(super) tls: Option<TlsAcceptor>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            nodes: vec!["ecs01", "ecs02"],
            crossing: Crossing::Everywhere,
            takes_names: true,
            status: None,
            is_sticky: true,
            has_own_streams: false,
            cuts_silent: None,
            away: watch::channel(None).0,
            tls: None,
        }
    }
}

/// A connection, plain or not, whose beginning has been read already.
type Connection = Box<dyn Both>;
type Socket = WebSocketStream<Connection>;

trait Both: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Both for S {}

/// What was said: where, what, and as which entry of the stream.
pub(super) type News = (&'static str, String, u64);

/// Where everything is said, and the streams' last entries: the common one, and those of nodes that have their own.
#[derive(Clone)]
pub(super) struct Bus {
    pub(super) news: broadcast::Sender<News>,
    entries: Arc<[AtomicU64; 2]>,
}

impl Bus {
    pub(super) fn spread(&self, behaviour: &Behaviour, node: &'static str, text: String) {
        let own = behaviour.nodes.iter().position(|one| *one == node).unwrap_or(0) % 2;
        let stream = if behaviour.has_own_streams { own } else { 0 };
        let entry = self.entries[stream].fetch_add(1, Ordering::Relaxed);
        let _ = self.news.send((node, text, entry));
    }
}

/// A message as a node sends it to who reads offsets.
pub(super) fn message(text: &str, entry: u64) -> String {
    let arguments = vec![text.into(), format!("1-{entry}").into()];
    let event = Packet::Event { namespace: "/".to_owned(), id: None, name: "message".to_owned(), arguments };
    EnginePacket::Message(event).encode()
}

pub(super) async fn serve(behaviour: Behaviour) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let bus = Bus { news: broadcast::channel(10_000).0, entries: Arc::default() };
    let polls = Polls::default();
    // The page comes first and takes the last node's turn, so that the first client meets the first node.
    let turn = Arc::new(AtomicUsize::new(behaviour.nodes.len() - 1));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let away = behaviour.away.borrow().clone();
            let here: Vec<_> =
                behaviour.nodes.iter().filter(|node| away.as_deref() != Some(**node)).copied().collect();
            let node = here[turn.fetch_add(1, Ordering::Relaxed) % here.len()];
            let (behaviour, bus, polls) = (behaviour.clone(), bus.clone(), polls.clone());
            tokio::spawn(async move {
                match &behaviour.tls {
                    // Who does not like the certificate goes away.
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            connection(stream, node, behaviour, (bus, polls)).await;
                        }
                    }
                    None => connection(stream, node, behaviour, (bus, polls)).await,
                }
            });
        }
    });
    address
}

async fn connection(
    mut stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    node: &'static str,
    behaviour: Behaviour,
    (bus, polls): (Bus, Polls),
) {
    let mut head = vec![0; 2000];
    // Requests this short come in one piece.
    let Ok(length) = stream.read(&mut head).await else { return };
    head.truncate(length);
    let status = behaviour.status.unwrap_or(200);
    let text = String::from_utf8_lossy(&head);
    let is_upgrade = text.contains("Upgrade: websocket");
    if !is_upgrade && status == 200 && text.contains("transport=polling") {
        let answer = polls::answer(&text, node, &behaviour, (&bus, &polls)).await;
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
        return;
    }
    if !is_upgrade || status != 200 {
        let body = "<!doctype html><title>chat</title>";
        let length = body.len();
        let page = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: text/html; charset=utf-8\r\nX-Chat-Node: {node}\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        let _ = stream.write_all(page.as_bytes()).await;
        let _ = stream.shutdown().await;
        return;
    }
    let (read, write) = tokio::io::split(stream);
    let stream: Connection = Box::new(tokio::io::join(std::io::Cursor::new(head).chain(read), write));
    #[expect(clippy::result_large_err, reason = "the handshake's callback type has it so")]
    let name_node = |_: &Request, mut response: Response| {
        response.headers_mut().insert("X-Chat-Node", node.parse().unwrap());
        Ok(response)
    };
    if let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, name_node).await {
        let mut seat = Seat { socket, node, behaviour, bus, name: None };
        let _ = seat.sit().await;
        if let Some(name) = seat.name.take() {
            seat.bus.spread(&seat.behaviour, node, format!("{name} left the chatroom."));
        }
    }
}

/// Comes to its end when the node is away.
async fn gone(away: &mut watch::Receiver<Option<String>>, node: &str) {
    drop(away.wait_for(|away| away.as_deref() == Some(node)).await);
}

struct Seat {
    socket: Socket,
    node: &'static str,
    behaviour: Behaviour,
    bus: Bus,
    name: Option<String>,
}

impl Seat {
    async fn sit(&mut self) -> Option<()> {
        let mut news = self.bus.news.subscribe();
        let cut = tokio::time::sleep(self.behaviour.cuts_silent.unwrap_or(Duration::from_hours(1)));
        tokio::pin!(cut);
        self.send(
            "0{\"sid\":\"e\",\"upgrades\":[],\"pingInterval\":50,\"pingTimeout\":5000,\"maxPayload\":100000}",
        )
        .await?;
        let mut away = self.behaviour.away.subscribe();
        let node = self.node;
        loop {
            tokio::select! {
                () = gone(&mut away, node) => return None,
                () = &mut cut, if self.name.is_none() => return None,
                message = self.socket.next() => {
                    let text = message?.ok()?.into_text().ok()?;
                    let packet = EnginePacket::parse(&text).ok()?;
                    if let EnginePacket::Message(Packet::Connect { .. }) = &packet {
                        self.send("40{\"sid\":\"s\"}").await?;
                        self.send("2").await?;
                        self.tell("Welcome to the chatroom!").await?;
                    } else if let EnginePacket::Message(Packet::Event { name, arguments, .. }) = &packet {
                        self.event(name, arguments[0].as_str()?).await?;
                    } else if !matches!(packet, EnginePacket::Pong(_)) {
                        return None;
                    }
                }
                news = news.recv() => {
                    let (node, text, entry) = news.ok()?;
                    if self.behaviour.crossing.leads(node, self.node, &text) {
                        self.send(&message(&text, entry)).await?;
                    }
                }
            }
        }
    }

    async fn event(&mut self, event: &str, text: &str) -> Option<()> {
        match (event, &self.name) {
            ("set_username", _) if self.behaviour.takes_names => {
                self.name = Some(text.to_owned());
                self.tell(&format!("Your username is set to {text}")).await
            }
            ("message", None) => self.tell("Failed to send the message. Specify a username first.").await,
            ("message", Some(name)) => {
                self.bus.spread(&self.behaviour, self.node, format!("{name}: {text}"));
                Some(())
            }
            _ => Some(()),
        }
    }

    async fn tell(&mut self, text: &str) -> Option<()> {
        let packet = EnginePacket::Message(Packet::event("message", text)).encode();
        self.send(&packet).await
    }

    async fn send(&mut self, text: &str) -> Option<()> {
        self.socket.send(Message::text(text)).await.ok()
    }
}
