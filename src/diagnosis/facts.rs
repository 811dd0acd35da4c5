//! What was heard: plain data, so that it can be judged without anybody to ask.

use std::collections::{BTreeMap, BTreeSet};

use crate::deploy::vitals::Vitals;

/// What was asked, or why it could not be.
pub(super) type Asked<T> = Result<T, String>;

/// All of it.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) cloud: CloudFacts,
    pub(super) hosts: HostFacts,
}

/// What the cloud and the DNS say.
#[derive(Debug, Clone)]
pub(super) struct CloudFacts {
    /// The load balancer's state; none when it is not there.
    pub(super) balancer: Asked<Option<String>>,
    /// None when it is not there.
    pub(super) listener: Asked<Option<Listener>>,
    /// None when it is not there.
    pub(super) group: Asked<Option<Group>>,
    /// By the name of the node; none of those that are not in the group.
    pub(super) servers: Asked<BTreeMap<String, Option<Server>>>,
    /// Names of the rules that should let somebody in and do not.
    pub(super) closed: Asked<Vec<String>>,
    /// The state of each node's instance; none when it is not there.
    pub(super) instances: Asked<BTreeMap<String, Option<String>>>,
    /// The state of a managed Redis; none when it is not there, or there is no such.
    pub(super) redis: Option<Asked<Option<String>>>,
    /// The records of the name.
    pub(super) records: Asked<Vec<Record>>,
    /// Who is asked for the domain, and who should be.
    pub(super) delegation: Asked<Delegation>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) status: String,
    pub(super) protocol: String,
    pub(super) idle_timeout: u32,
    pub(super) request_timeout: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) is_sticky: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) weight: u32,
    pub(super) status: String,
    /// State and reason when the load balancer does not find it well.
    pub(super) illness: Option<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) kind: String,
    pub(super) value: String,
    pub(super) ttl: u32,
    pub(super) is_enabled: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Delegation {
    pub(super) expected: BTreeSet<String>,
    pub(super) live: BTreeSet<String>,
}

/// What the hosts say.
#[derive(Debug, Clone)]
pub(super) struct HostFacts {
    /// By name.
    pub(super) nodes: BTreeMap<String, Node>,
    /// Redis on its host; none when it is managed.
    pub(super) redis: Option<Asked<Vitals>>,
}

/// A host with a node. Where it could not be logged into, each part has the reason.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) vitals: Asked<Vitals>,
    /// What the node says of itself; the inner error is why it is not ready.
    pub(super) readiness: Asked<Result<(), String>>,
    /// Whether Redis answers there; the inner error is what came instead.
    pub(super) redis: Asked<Result<(), String>>,
}

impl Node {
    /// Of a host that could not be asked.
    pub(super) fn unasked(why: &str) -> Self {
        Self { vitals: Err(why.to_owned()), readiness: Err(why.to_owned()), redis: Err(why.to_owned()) }
    }
}

impl CloudFacts {
    /// Why the load balancer gives nothing to a node that is in its group.
    pub(super) fn illness(&self, node: &str) -> Option<&(String, String)> {
        self.servers.as_ref().ok()?.get(node)?.as_ref()?.illness.as_ref()
    }
}
