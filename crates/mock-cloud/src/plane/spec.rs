//! What the control plane tells the data plane, and what it hears back.
//!
//! The seam is level-triggered: the control plane hands over everything it wants (`Desired`) whenever something
//! changed, and the data plane makes it so in its own time and reports how far it is (`Status`). Neither side
//! keeps a queue of commands, so nothing is lost when one of them is slow.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::Ipv4Net;
use serde::Serialize;

use crate::secret::Secret;

/// Everything that should exist on the data plane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desired {
    /// Instances by id; one that is missing here is torn down with its files.
    pub instances: BTreeMap<String, Instance>,
    /// Security groups by id.
    pub security_groups: BTreeMap<String, SecurityGroup>,
    /// Load balancers by id.
    pub load_balancers: BTreeMap<String, LoadBalancer>,
    /// DNS records of the account's domains, by domain name; ALB names are derived from `load_balancers`.
    pub domains: BTreeMap<String, Vec<Record>>,
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

/// One ALB instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadBalancer {
    /// `alb-...`.
    pub id: String,
    /// `vpc-...` its servers are in.
    pub vpc: String,
    /// The addresses in its `vSwitch`es that its servers see it come from, one a zone.
    pub sources: Vec<Ipv4Addr>,
    /// Its own DNS name; requests with this Host are refused.
    pub dns_name: String,
    /// Its public (or VPC) addresses, one a zone.
    pub addresses: Vec<Ipv4Addr>,
    /// Listeners by id.
    pub listeners: BTreeMap<String, Listener>,
}

/// One listener with the group its default action forwards to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// 1 to 65535.
    pub port: u16,
    /// HTTP or HTTPS.
    pub protocol: ListenerProtocol,
    /// A silent connection is cut after this; 1 to 600 s, 15 s unless told.
    pub idle_timeout: Duration,
    /// A backend that does not answer within this gives 504; 1 to 600 s, 60 s unless told.
    pub request_timeout: Duration,
    /// Stopped listeners accept nothing.
    pub running: bool,
    /// `sgp-...` of the default action.
    pub server_group: String,
    /// Servers by their key (`<server id>:<port>`).
    pub servers: BTreeMap<String, Server>,
    /// How servers are probed.
    pub health_check: HealthCheck,
    /// Sticky session by inserted cookie, with its lifetime.
    pub sticky: Option<Duration>,
}

/// What a listener speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenerProtocol {
    /// Plain HTTP/1.1 with WebSocket upgrade.
    Http,
    /// TLS with this certificate chain and key (PEM).
    Https {
        /// PEM chain, leaf first.
        chain: String,
        /// PEM private key.
        key: Secret,
    },
}

/// One server of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// `vpc-...` the address is of.
    pub vpc: String,
    /// VPC address of the server.
    pub address: Ipv4Addr,
    /// Port on the server.
    pub port: u16,
    /// 0 to 100; 0 gets no new requests.
    pub weight: u16,
}

/// How a group's servers are probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// Off means every server counts as healthy.
    pub enabled: bool,
    /// Path asked.
    pub path: String,
    /// HEAD or GET.
    pub method: String,
    /// Probe port; `None` is the server's own.
    pub port: Option<u16>,
    /// Time between probes.
    pub interval: Duration,
    /// Time a probe may take.
    pub timeout: Duration,
    /// Successes before a server is healthy.
    pub healthy_threshold: u32,
    /// Failures before a server is unhealthy.
    pub unhealthy_threshold: u32,
    /// Accepted classes: `http_2xx`, `http_3xx`, ...
    pub codes: Vec<String>,
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
    /// Health by listener id and server key.
    pub health: BTreeMap<String, BTreeMap<String, Health>>,
    /// From an address of the API to the loopback address that reaches it.
    pub connect_to: BTreeMap<String, SocketAddr>,
}

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
