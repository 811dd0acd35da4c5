//! What a load balancer should be: listeners, server groups, certificates, health checks.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::plane::spec::rule::{ActionKind, ForwardRule};
use crate::secret::Secret;

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
    /// The groups its listeners and their rules name, by id.
    pub server_groups: BTreeMap<String, ServerGroup>,
}

/// One listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// 1 to 65535.
    pub port: u16,
    /// HTTP or HTTPS.
    pub protocol: ListenerProtocol,
    /// A silent connection is cut after this; 1 to 600 s, 15 s unless told.
    pub idle_timeout: Duration,
    /// A server that does not answer within this gives 504; 1 to 600 s, 60 s unless told.
    pub request_timeout: Duration,
    /// Stopped listeners accept nothing.
    pub running: bool,
    /// Whether answers are compressed for clients that can read it.
    pub gzip: bool,
    /// What becomes of `X-Forwarded-For`.
    pub forwarded_for: ForwardedFor,
    /// What servers are told beside that.
    pub forwarded: Vec<ForwardedHeader>,
    /// `sgp-...` of the default action.
    pub server_group: String,
    /// What is asked before the default action, the strongest first.
    pub rules: Vec<ForwardRule>,
}

impl Listener {
    /// The groups that its default action and its rules name.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        let rules = self.rules.iter().flat_map(|rule| &rule.actions).flat_map(ActionKind::groups);
        std::iter::once(self.server_group.as_str()).chain(rules)
    }
}

/// What a listener speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenerProtocol {
    /// Plain HTTP/1.1 with WebSocket upgrade.
    Http,
    /// The same and HTTP/2 over TLS.
    Https(Tls),
}

/// How a listener speaks TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The default one first.
    pub certificates: Vec<Certificate>,
    /// `TLSv1.0` to `TLSv1.3`.
    pub versions: Vec<String>,
    /// By the names that OpenSSL has for them.
    pub ciphers: Vec<String>,
    /// Whether HTTP/2 is offered.
    pub http2: bool,
}

/// A certificate with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// PEM chain, leaf first.
    pub chain: String,
    /// PEM private key.
    pub key: Secret,
    /// DNS names it is for, some with `*.`.
    pub names: Vec<String>,
}

/// What becomes of the header `X-Forwarded-For`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardedFor {
    /// The address of the client is added.
    Append,
    /// It is taken out.
    Remove,
    /// It stays as it came.
    Untouched,
}

/// A header that tells servers of the client or the load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-Proto`: what the listener speaks.
    Protocol,
    /// `X-Forwarded-Port`: port of the listener.
    Port,
    /// `X-Forwarded-Host`: what the client asked for.
    Host,
    /// `X-Forwarded-Client-srcport`: port of the client.
    ClientPort,
    /// `SLB-ID`: id of the load balancer.
    BalancerId,
}

/// One server group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerGroup {
    /// What its servers speak.
    pub protocol: ServerProtocol,
    /// Who is next.
    pub scheduler: Scheduler,
    /// Servers by their key (`<server id>:<port>`).
    pub servers: BTreeMap<String, Server>,
    /// How servers are probed.
    pub health_check: HealthCheck,
    /// Whether clients stay with their server.
    pub sticky: Option<Sticky>,
    /// How long what is under way may go on when a server leaves or falls ill; without, it is not waited for.
    pub drain: Option<Duration>,
    /// How long a new server takes to its full share.
    pub slow_start: Option<Duration>,
    /// Whether connections to servers are kept for the next request.
    pub keep_alive: bool,
}

/// What servers speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerProtocol {
    /// HTTP/1.1.
    Http,
    /// HTTP/1.1 over TLS; who they are is not checked.
    Https,
}

/// How the server of a request is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduler {
    /// By turns, by weight.
    RoundRobin,
    /// Where the fewest requests and tunnels are open, by weight.
    LeastConnections,
    /// The same for the same address of a client.
    SourceHash,
}

/// How clients stay with their server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sticky {
    /// By a cookie of the load balancer that lives this long.
    Insert(Duration),
    /// By the cookie of this name that servers set; its value is replaced.
    Server(String),
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
    /// How.
    pub protocol: CheckProtocol,
    /// Version of HTTP.
    pub version: HttpVersion,
    /// Host asked for; `None` is the address of the server.
    pub host: Option<String>,
    /// Path asked.
    pub path: String,
    /// HEAD, GET or POST.
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

/// What a probe speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckProtocol {
    /// One request.
    Http,
    /// One request over TLS.
    Https,
    /// A connection is enough.
    Tcp,
}

/// Version of HTTP that a probe speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}
