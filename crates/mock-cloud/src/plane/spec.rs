//! What the control plane tells the data plane, and what it hears back.
//!
//! The seam is level-triggered: the control plane hands over everything it wants (`Desired`) whenever something
//! changed, and the data plane makes it so in its own time and reports how far it is (`Status`). Neither side
//! keeps a queue of commands, so nothing is lost when one of them is slow.

mod balancer;
mod conditions;
mod redis;
pub mod rule;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;

use ipnet::Ipv4Net;
use serde::Serialize;

pub use balancer::{
    Certificate, CheckProtocol, ForwardedFor, ForwardedHeader, HealthCheck, HttpVersion, Listener,
    ListenerProtocol, LoadBalancer, Scheduler, Server, ServerGroup, ServerProtocol, Sticky, Tls,
};
pub use conditions::{Conditions, Troubles, is_node, is_redis};
pub use redis::{Account, Privilege, Redis};

/// Everything that should exist on the data plane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desired {
    /// Instances by id; one that is missing here is torn down with its files.
    pub instances: BTreeMap<String, Instance>,
    /// Security groups by id.
    pub security_groups: BTreeMap<String, SecurityGroup>,
    /// Load balancers by id.
    pub load_balancers: BTreeMap<String, LoadBalancer>,
    /// Managed Redis instances by id; one that is missing here is ended, with what it holds.
    pub redis: BTreeMap<String, Redis>,
    /// DNS records of the account's domains, by domain name; ALB names are derived from `load_balancers`.
    pub domains: BTreeMap<String, Vec<Record>>,
    /// What is wrong at the moment.
    pub troubles: Troubles,
}

/// One ECS instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// `i-...`.
    pub id: String,
    /// `HostName` of the API, what `hostname` prints.
    pub host_name: String,
    /// The image id or family it was made from; decides what `/etc/os-release` says.
    pub image: String,
    /// `vpc-...`; another VPC may use the same addresses.
    pub vpc: String,
    /// Addresses of its `vSwitch`; the last but two is the router's.
    pub subnet: Ipv4Net,
    /// Address in its `vSwitch`.
    pub private_address: Ipv4Addr,
    /// Groups it is in.
    pub security_groups: Vec<String>,
    /// Bytes of memory its type has.
    pub memory: u64,
    /// When it was last started, in milliseconds since 1970: another moment is another boot.
    pub started: i64,
    /// Public address, when it has bandwidth to the Internet.
    pub public_address: Option<Ipv4Addr>,
    /// Public keys in OpenSSH form that may log in as root.
    pub authorized_keys: Vec<String>,
    /// Decoded user data.
    pub user_data: Option<Vec<u8>>,
    /// Whether it should run; a stopped instance keeps its files.
    pub power: Power,
    /// Whether nothing listens on its SSH port: a fault.
    pub refuses_ssh: bool,
}

/// Whether an instance should be running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// Starting or running.
    On,
    /// Stopping or stopped.
    Off,
}

/// One security group. Inside a normal one everything is admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroup {
    /// Whether its members admit each other.
    pub inside: Inside,
    /// What its members admit and drop beside that.
    pub rules: Vec<Rule>,
}

/// What members of a security group think of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inside {
    /// All is admitted, as in a normal group.
    Open,
    /// Nothing is, as in an enterprise group.
    Closed,
}

/// One rule for what comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// 1 to 100; the lowest decides, and of two with the same the one that drops.
    pub priority: i64,
    /// What happens.
    pub policy: Policy,
    /// What it is about.
    pub traffic: Traffic,
    /// Where it comes from.
    pub source: Source,
}

/// What a rule does with what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// It is dropped without a word.
    Drop,
    /// It is let through.
    Accept,
}

/// What a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Traffic {
    /// Everything.
    All,
    /// TCP to these ports.
    Tcp(RangeInclusive<u16>),
    /// UDP to these ports.
    Udp(RangeInclusive<u16>),
    /// ICMP.
    Icmp,
    /// GRE.
    Gre,
}

/// Where something comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// These addresses.
    Addresses(Ipv4Net),
    /// Members of this group.
    Group(String),
}

/// One DNS record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `@` or the host part.
    pub host: String,
    /// `A`, `AAAA`, `CNAME`, `TXT`, `MX`, `NS`.
    pub kind: String,
    /// Its value as the API has it.
    pub value: String,
    /// Seconds.
    pub ttl: u32,
}

/// What the data plane reports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Instances by id.
    pub hosts: BTreeMap<String, Host>,
    /// Health by server key, of what [`health_key`] says.
    pub health: BTreeMap<String, BTreeMap<String, Health>>,
    /// Revision that is in force of each managed Redis instance that answers.
    pub redis: BTreeMap<String, u64>,
    /// From an address of the API to the loopback address that reaches it.
    pub connect_to: BTreeMap<String, SocketAddr>,
}

/// Under which name the health of a group is reported: the listener for the group of its default action, else the
/// two together, since the same group may be judged differently elsewhere.
pub fn health_key(listener: &str, default_group: &str, group: &str) -> String {
    if group == default_group { listener.to_owned() } else { format!("{listener}/{group}") }
}

/// What a host said, and up to where that is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Said {
    /// Lines, each with its end.
    pub text: String,
    /// What to ask with for what it says afterwards.
    pub place: String,
}

/// What goes through a load balancer to one server, counted since it is in its group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Carried {
    /// Requests that were sent to it, those that were upgraded included.
    pub requests: u64,
    /// WebSocket connections that are open.
    pub websockets: u64,
    /// WebSocket connections that were opened.
    pub websockets_total: u64,
    /// WebSocket messages to it.
    pub messages_in: u64,
    /// WebSocket messages from it.
    pub messages_out: u64,
    /// Bytes to it over WebSocket connections.
    pub bytes_in: u64,
    /// Bytes from it: answers, and over WebSocket connections.
    pub bytes_out: u64,
}

/// Traffic by load balancer and server group, and by server key in it.
pub type TrafficMap = BTreeMap<(String, String), BTreeMap<String, Carried>>;

/// How far an instance is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Host {
    /// State of the machine itself.
    pub state: HostState,
    /// Units that run or ran on it.
    pub processes: Vec<Process>,
    /// The start that this is the state of, where a host knows which; the control plane may be at a later one.
    #[serde(skip)]
    pub started: Option<i64>,
    /// The last lines on its console; empty without a machine.
    #[serde(skip)]
    pub console: String,
}

/// State of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HostState {
    /// Not yet reachable over SSH.
    Booting,
    /// Reachable over SSH; the Cloud Assistant answers.
    Ready,
    /// Off, files kept.
    Off,
    /// Will not boot.
    Failed(String),
}

/// One unit on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Process {
    /// Unit name, `chat-node.service`.
    pub unit: String,
    /// Main process of the unit as the outer machine sees it, when it runs.
    pub pid: Option<u32>,
    /// systemd's word: `active`, `failed`, `inactive`, `activating`.
    pub state: String,
}

/// Health of a server as the ALB sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Not yet judged.
    Initial,
    /// Passed its threshold.
    Healthy,
    /// Failed its threshold, with the ALB's reason code (`CONNECT_TIMEOUT`, `CONNECT_FAILED`, `RESPONSE_MISMATCH`, ...).
    Unhealthy(String),
    /// Weight 0.
    Unused,
}

/// Result of a Cloud Assistant command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandResult {
    /// Exit status of the script.
    pub exit_code: i32,
    /// Standard output and standard error together.
    pub output: Vec<u8>,
}
