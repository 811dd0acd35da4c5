//! What to verify, and from where.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

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
    Ssh(Arc<Session>),
}

impl fmt::Display for Vantage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local { bind: None } => formatter.write_str("this machine"),
            Self::Local { bind: Some(address) } => write!(formatter, "this machine ({address})"),
            Self::Ssh(session) => formatter.write_str(session.host()),
        }
    }
}

impl fmt::Debug for Vantage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

/// A chatroom and what is expected of it.
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
    /// The load balancer's name, which `host` has to be an alias of.
    pub expected_cname: String,
    /// How addresses are reached from here.
    pub address_map: AddressMap,
    /// Where the two clients connect from.
    pub sources: [Vantage; 2],
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
