//! What to verify, and from where.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::check::CheckId;
use super::tls::Tls;
use crate::base::address_map::AddressMap;
use crate::ssh::Session;

/// Where a client's connection leaves from.
#[derive(Clone)]
pub enum Vantage {
    /// This machine, from the given address if any.
    Local {
        /// Source address.
        bind: Option<IpAddr>,
    },
    /// A host, through its SSH session.
    Ssh {
        /// To the host.
        session: Arc<Session>,
        /// The host's address: where its connections come from.
        address: Option<IpAddr>,
    },
}

impl Vantage {
    /// The place with its source address, as evidence.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Ssh { session, address: Some(address) } => format!("{} ({address})", session.host()),
            Self::Local { bind: None } => {
                format!("{self} ({})", source_address().unwrap_or("its own".to_owned()))
            }
            Self::Local { bind: Some(_) } | Self::Ssh { address: None, .. } => self.to_string(),
        }
    }
}

/// The address that this machine has on the way out. Nothing is sent: a UDP socket is only told where it would.
fn source_address() -> Option<String> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect(DOCUMENTATION).ok()?;
    Some(socket.local_addr().ok()?.ip().to_string())
}

/// An address that nobody has, and that is routed as any other.
const DOCUMENTATION: &str = "192.0.2.1:9";

impl fmt::Display for Vantage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local { bind: None } => formatter.write_str("this machine"),
            Self::Local { bind: Some(address) } => write!(formatter, "this machine ({address})"),
            Self::Ssh { session, .. } => formatter.write_str(session.host()),
        }
    }
}

impl fmt::Debug for Vantage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

/// The servers that know a zone first hand.
#[derive(Debug, Clone)]
pub enum Authorities {
    /// Those that the zone of this name is delegated to.
    OfZone(String),
    /// These; one that everybody asks anyway is not asked twice.
    At(Vec<SocketAddr>),
}

/// What is served.
#[derive(Debug, Clone, Default)]
pub enum Service {
    /// The chatroom.
    #[default]
    Chat,
    /// A WebSocket that says something back.
    Echo(Echo),
    /// Pages.
    Http(Page),
}

impl Service {
    /// The checks that are made of it, in order.
    pub fn checks(&self) -> &'static [CheckId] {
        match self {
            Self::Chat => CheckId::OF_CHAT,
            Self::Echo(_) => CheckId::OF_ECHO,
            Self::Http(_) => CheckId::OF_HTTP,
        }
    }
}

/// What is said at a WebSocket, and what has to come back.
#[derive(Debug, Clone)]
pub struct Echo {
    /// Its path.
    pub path: String,
    /// What is said; none is something that nobody has said before.
    pub send: Option<String>,
    /// What has to come back; none is what was said.
    pub expect: Option<String>,
}

/// A page, and what it has to be like.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its path.
    pub path: String,
    /// Its status.
    pub status: u16,
    /// What its body has in it.
    pub body: Option<String>,
    /// Headers by lower-case name, and what each has in it.
    pub headers: BTreeMap<String, String>,
}

/// A chatroom, or another service, and what is expected of it.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The name people type: `example.com`.
    pub host: String,
    /// The listener's port.
    pub port: u16,
    /// How https is spoken; none with plain HTTP.
    pub tls: Option<Tls>,
    /// Port on which plain HTTP leads to https.
    pub redirect_from: Option<u16>,
    /// Which DNS server to ask; the system's when `None`.
    pub dns_server: Option<SocketAddr>,
    /// Whom the zone of `host` belongs to.
    pub authorities: Authorities,
    /// Where to connect in place of what the DNS says, by port.
    pub connect_to: BTreeMap<u16, SocketAddr>,
    /// The load balancer's name, which `host` has to be an alias of.
    pub expected_cname: String,
    /// How addresses are reached from here.
    pub address_map: AddressMap,
    /// Where the two clients connect from.
    pub sources: [Vantage; 2],
    /// What is served there.
    pub service: Service,
    /// Ids of the nodes that may answer.
    pub nodes: Vec<String>,
    /// How long a single check may wait for what it expects.
    pub deadline: Duration,
    /// The larger of the listener's timeouts: a silent client has to stay for longer.
    pub listener_timeout: Duration,
    /// Whether what takes long is left out, and less is said.
    pub quick: bool,
}

impl Scenario {
    /// The Host header: without the port where it is the scheme's own.
    pub(super) fn authority(&self) -> String {
        authority(&self.host, self.port, if self.tls.is_some() { 443 } else { 80 })
    }

    /// The address of a path, for browsers.
    pub(super) fn url(&self, path: &str) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.authority())
    }

    /// The same for a WebSocket.
    pub(super) fn socket_url(&self, path: &str) -> String {
        let scheme = if self.tls.is_some() { "wss" } else { "ws" };
        format!("{scheme}://{}{path}", self.authority())
    }
}

/// Host and port, without the port where it is the scheme's own.
pub(super) fn authority(host: &str, port: u16, own: u16) -> String {
    if port == own { host.to_owned() } else { format!("{host}:{port}") }
}
