//! Where a host is, how it proves itself, and how long we wait for it.

use std::net::SocketAddr;
use std::time::Duration;

use super::key::HostKey;

/// The way to one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The name messages use, as in the topology: `ecs01`.
    pub host: String,
    /// Where its SSH server listens: without `via` an address that can be connected to from here, with `via` one that
    /// the host before it can connect to.
    pub address: SocketAddr,
    /// Who to log in as.
    pub user: String,
    /// The keys it may prove itself with; an empty list is an error.
    pub host_keys: Vec<HostKey>,
    /// The host to go through, itself perhaps behind another.
    pub via: Option<Box<Route>>,
}

/// How long each kind of operation may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until the TCP connection stands.
    pub connect: Duration,
    /// From there until the host is verified and we are logged in.
    pub handshake: Duration,
    /// One command or file, unless the command says otherwise.
    pub command: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            handshake: Duration::from_secs(20),
            command: Duration::from_mins(1),
        }
    }
}
