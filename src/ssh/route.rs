//! Where a host is, how it proves itself, who we are there, and how long we wait for it.

use std::net::SocketAddr;
use std::time::Duration;

use super::key::HostKey;
use super::sudo::Sudo;

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
    /// How commands are run as root there.
    pub sudo: Sudo,
    /// The keys it may prove itself with; an empty list is an error.
    pub host_keys: Vec<HostKey>,
    /// Keys that were given up: whoever shows one is turned away whatever else is said of it.
    pub revoked: Vec<HostKey>,
    /// Who says which keys it may prove itself with.
    pub vouched_by: Voucher,
    /// The host to go through, itself perhaps behind another.
    pub via: Option<Box<Route>>,
}

impl Route {
    /// Where the way begins: the SSH server that is connected to first.
    pub fn door(&self) -> SocketAddr {
        self.via.as_ref().map_or(self.address, |before| before.door())
    }
}

/// Who says which key a host proves itself with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Voucher {
    /// The cloud: the key was read through the Cloud Assistant and pinned as a tag.
    #[default]
    ControlPlane,
    /// The operator's `known_hosts`.
    KnownHosts,
    /// The topology.
    Topology,
}

impl Voucher {
    /// What has to be done once a changed key is known to be right.
    pub(super) fn amend(self) -> &'static str {
        match self {
            Self::ControlPlane => {
                "then remove the tag `albatross:host-key` of the instance, and `albatross apply FILE` pins the new one"
            }
            Self::KnownHosts => {
                "then take the old one out with `ssh-keygen -R ADDRESS` and add the new one to `known_hosts`"
            }
            Self::Topology => "then write the new one under `ssh.host_keys.pinned`",
        }
    }

    /// Where a key that is missing has to be.
    pub(super) fn supply(self, address: SocketAddr) -> String {
        match self {
            Self::ControlPlane => {
                "`albatross apply FILE` reads it through the cloud's own channel (Cloud Assistant)".to_owned()
            }
            Self::KnownHosts => format!(
                "compare what `ssh-keyscan -p {} {}` prints with the console of the instance, then add it to \
                 `known_hosts`; or leave `ssh.host_keys` out: the cloud is asked then",
                address.port(),
                address.ip()
            ),
            Self::Topology => "write its line under `ssh.host_keys.pinned`".to_owned(),
        }
    }
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
