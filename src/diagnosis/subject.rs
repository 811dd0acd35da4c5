//! What there is to ask, and what should be there.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use ipnet::Ipv4Net;

use crate::base::ids::CloudId;
use crate::cloud::transport::Client;
use crate::ssh::Session;

/// Opens sessions to hosts.
pub trait Door: Sync {
    /// A session to a host, by its name in the topology; else why there is none.
    fn open<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Arc<Session>, String>>;
}

/// Whom to ask, and what about.
pub struct Subject<'a> {
    /// The cloud.
    pub client: &'a Client,
    /// The hosts.
    pub door: &'a dyn Door,
    /// The DNS server to ask; the system's when `None`.
    pub dns_server: Option<SocketAddr>,
    /// Ids as they were when the verification began; none of what was not there.
    pub balancer: Option<CloudId>,
    /// The group of the nodes.
    pub group: Option<CloudId>,
    /// The group of all instances.
    pub security_group: Option<CloudId>,
    /// What should be there.
    pub wanted: Wanted,
}

/// What should be there, as the topology says.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// How this program is called: `albatross --local`.
    pub program: String,
    /// The topology's file, as a shell reads it.
    pub file: String,
    /// The domain of the name.
    pub domain: String,
    /// Its host record.
    pub host: String,
    /// What the record should lead to.
    pub target: String,
    /// Whether a domain needs an ICP filing where this is.
    pub needs_filing: bool,
    /// The listener.
    pub listener: ListenerSubject,
    /// The nodes.
    pub nodes: Vec<NodeSubject>,
    /// Redis.
    pub redis: RedisSubject,
    /// Who must be let in.
    pub rules: Vec<RuleSubject>,
}

/// The listener.
#[derive(Debug, Clone)]
pub struct ListenerSubject {
    /// Its port.
    pub port: u16,
    /// `HTTP` or `HTTPS`.
    pub protocol: &'static str,
    /// Seconds.
    pub idle_timeout: u32,
    /// Seconds.
    pub request_timeout: u32,
}

/// A host with a node.
#[derive(Debug, Clone)]
pub struct NodeSubject {
    /// Its name.
    pub name: String,
    /// Its id, when it was there.
    pub instance: Option<CloudId>,
    /// Its address in the VPC.
    pub address: Option<Ipv4Addr>,
    /// The node's port.
    pub port: u16,
    /// What it answers with success while it is well.
    pub health_path: String,
}

/// Where Redis is.
#[derive(Debug, Clone)]
pub enum RedisSubject {
    /// On a host.
    OnHost {
        /// Its name.
        name: String,
        /// Its address in the VPC.
        address: Option<Ipv4Addr>,
        /// Redis' port.
        port: u16,
    },
    /// In the cloud.
    Managed {
        /// Its id, when it was there.
        id: Option<CloudId>,
    },
    /// Nowhere: an app does without.
    Absent,
}

/// A rule that lets TCP in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSubject {
    /// What it is called in a plan.
    pub name: String,
    /// To this port.
    pub port: u16,
    /// From there.
    pub source: Ipv4Net,
}

impl Wanted {
    /// A command of this program about the topology's file, as it is typed.
    pub(super) fn command(&self, verb: &str, rest: &str) -> String {
        let space = if rest.is_empty() { "" } else { " " };
        format!("`{} {verb} {}{space}{rest}`", self.program, self.file)
    }
}
