//! The servers the cases talk to: one that echoes Engine.IO messages, and one with the namespaces of the suite.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use chat_node::engine_io::{
    Application, Body, CloseReason, Encoded, Engine, Message, Receiver, Session, Settings, Visitor,
};
use chat_node::http::occupancy::Occupancy;
use chat_node::http::origin::Origins;
use chat_node::http::proxies::Proxies;
use chat_node::http::site::Counts;
use chat_node::http::{Pages, Site, accept};
use chat_node::socket_io::{
    Accepted, Acknowledgement, Admission, Arguments, Event, JoinRequest, LeaveReason, Namespace, Participant,
    Socket, SocketIo,
};
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The clocks of the published suites.
pub(crate) const PING_INTERVAL: Duration = Duration::from_millis(300);
pub(crate) const PING_TIMEOUT: Duration = Duration::from_millis(200);

/// What a case may want otherwise.
pub(crate) struct Options {
    pub(crate) settings: Settings,
    pub(crate) origins: Vec<&'static str>,
    pub(crate) proxies: Vec<&'static str>,
    pub(crate) sessions: usize,
    pub(crate) sessions_an_address: usize,
    pub(crate) connections: usize,
    pub(crate) handshake_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            settings: Settings {
                ping_interval: PING_INTERVAL,
                ping_timeout: PING_TIMEOUT,
                join_timeout: Duration::from_secs(1),
                upgrade_timeout: Duration::from_secs(1),
                write_stall: Duration::from_secs(20),
                max_payload: 1_000_000,
                queue_packets: 1000,
                queue_bytes: 10_000_000,
            },
            origins: Vec::new(),
            proxies: Vec::new(),
            sessions: 1000,
            sessions_an_address: 1000,
            connections: 1000,
            handshake_timeout: Duration::from_secs(10),
        }
    }
}

/// What happened on the server.
#[derive(Debug, PartialEq)]
pub(crate) enum Happened {
    Closed(CloseReason),
    Left(LeaveReason),
    Answered(Option<Arguments>),
}

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) site: Arc<Site>,
    pub(crate) happened: mpsc::UnboundedReceiver<Happened>,
    closing: CancellationToken,
}

impl Server {
    /// One that echoes Engine.IO messages under `/engine.io/`.
    pub(crate) async fn echo() -> Self {
        Self::echo_with(Options::default()).await
    }

    pub(crate) async fn echo_with(options: Options) -> Self {
        let (happening, happened) = mpsc::unbounded_channel();
        Self::start("/engine.io/", options, Arc::new(Echo { happening }), happened).await
    }

    /// One with the namespaces `/`, `/custom` and `/slow` under `/socket.io/`.
    pub(crate) async fn socket_io() -> Self {
        Self::socket_io_with(Options::default()).await
    }

    pub(crate) async fn socket_io_with(options: Options) -> Self {
        let (happening, happened) = mpsc::unbounded_channel();
        let plain = |takes: Duration| -> Arc<dyn Namespace> {
            Arc::new(Answering { happening: happening.clone(), takes })
        };
        let namespaces = [
            ("/", plain(Duration::ZERO)),
            ("/custom", plain(Duration::ZERO)),
            ("/slow", plain(Duration::from_millis(50))),
        ];
        Self::start("/socket.io/", options, Arc::new(SocketIo::new(namespaces)), happened).await
    }

    async fn start(
        path: &'static str,
        options: Options,
        application: Arc<dyn Application>,
        happened: mpsc::UnboundedReceiver<Happened>,
    ) -> Self {
        let origins: Vec<_> =
            options.origins.iter().map(|origin| chat_node::config::Origin::parse(origin).unwrap()).collect();
        let site = Arc::new(Site {
            engine: Engine::new(options.settings, application),
            path,
            pages: Arc::new(NoPages),
            node: "a-node".parse().unwrap(),
            origins: Origins::new(&origins),
            proxies: Proxies::new(options.proxies.iter().map(|network| network.parse().unwrap()).collect()),
            sessions: Arc::new(Occupancy::new(options.sessions, options.sessions_an_address)),
            connections: Arc::new(Occupancy::new(options.connections, options.connections)),
            handshake_timeout: options.handshake_timeout,
            write_stall: Duration::from_secs(20),
            draining: Arc::new(AtomicBool::new(false)),
            counts: Arc::new(Counts::default()),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let closing = CancellationToken::new();
        tokio::spawn(accept(listener, site.clone(), closing.clone(), TaskTracker::new()));
        Self { address, site, happened, closing }
    }

    /// The URL of requests with a transport; more may be appended.
    pub(crate) fn url(&self, transport: &str) -> String {
        format!("http://{}{}?EIO=4&transport={transport}", self.address, self.site.path)
    }

    /// The next thing that happens.
    pub(crate) async fn happens(&mut self) -> Happened {
        tokio::time::timeout(crate::DEADLINE, self.happened.recv()).await.expect("nothing happened").unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

#[derive(Debug)]
struct NoPages;

impl Pages for NoPages {
    fn page(&self, _: &str, _: chat_node::http::Way) -> Option<chat_node::http::Response<Body>> {
        None
    }
}

#[derive(Debug)]
struct Echo {
    happening: mpsc::UnboundedSender<Happened>,
}

impl Application for Echo {
    fn open(&self, session: &Arc<Session>) -> Arc<dyn Receiver> {
        session.joined();
        Arc::new(Self { happening: self.happening.clone() })
    }
}

impl Receiver for Echo {
    fn receive(&self, session: &Arc<Session>, message: Message<'_>) {
        match message {
            Message::Text("close me") => session.close(CloseReason::ForcedClose),
            Message::Text("flood me") => {
                let big = Encoded::text(&"x".repeat(100_000));
                while session.send(&big) == chat_node::engine_io::Sent::Queued {}
            }
            Message::Text(text) => drop(session.send(&Encoded::text(text))),
            Message::Binary(bytes) => drop(session.send(&Encoded::binary(&bytes))),
        }
    }

    fn closed(&self, reason: CloseReason) {
        self.happening.send(Happened::Closed(reason)).ok();
    }
}

/// The application of the published suite, and a little more.
#[derive(Debug)]
struct Answering {
    happening: mpsc::UnboundedSender<Happened>,
    takes: Duration,
}

impl Namespace for Answering {
    fn connect(&self, _: &Visitor, request: JoinRequest) -> Admission {
        let auth = request.auth.unwrap_or_default();
        if auth.contains_key("refuse") {
            return Admission::Refused("not you".to_owned());
        }
        let participant = Answerer { happening: self.happening.clone(), auth };
        let accepted = Accepted::new(Box::new(participant));
        if self.takes.is_zero() {
            return Admission::Accepted(accepted);
        }
        let takes = self.takes;
        Admission::Later(Box::pin(async move {
            tokio::time::sleep(takes).await;
            Ok(accepted)
        }))
    }
}

#[derive(Debug)]
struct Answerer {
    happening: mpsc::UnboundedSender<Happened>,
    auth: Map<String, Value>,
}

impl Participant for Answerer {
    fn joined(&mut self, socket: &Socket) {
        socket.emit("auth", &vec![Value::Object(self.auth.clone())].into());
    }

    fn event(&mut self, socket: &Socket, event: Event, acknowledgement: Option<Acknowledgement>) {
        match (event.name.as_str(), acknowledgement) {
            ("message", _) => drop(socket.emit("message-back", &event.arguments)),
            ("message-with-ack", Some(acknowledgement)) => drop(acknowledgement.send(&event.arguments)),
            ("put me out", _) => socket.disconnect(),
            ("ask me", _) => {
                let (socket, happening) = (socket.clone(), self.happening.clone());
                tokio::spawn(async move {
                    let answer =
                        socket.ask("question", &vec!["why?"].into(), Duration::from_millis(200)).await;
                    happening.send(Happened::Answered(answer.ok())).ok();
                });
            }
            _ => {}
        }
    }

    fn left(&mut self, _: &Socket, reason: LeaveReason) {
        self.happening.send(Happened::Left(reason)).ok();
    }
}
