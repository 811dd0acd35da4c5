//! One check: its name, its verdict, and what it rests on.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// The checks, in the order they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckId {
    /// The host's name leads to the load balancer.
    DnsCname,
    /// The certificate is for the host's name and leads to a root that is trusted.
    TlsValid,
    /// Plain HTTP leads to https.
    HttpRedirects,
    /// A browser gets the page.
    PageLoads,
    /// Two clients get a WebSocket.
    WebsocketUpgrade,
    /// The server greets.
    Welcome,
    /// Nobody speaks without a name.
    UsernameRequired,
    /// A name can be taken.
    UsernameSet,
    /// What the first client says reaches the second.
    MessageAToB,
    /// What the second client says reaches the first.
    MessageBToA,
    /// The two clients sit on two nodes.
    NodesDiffer,
    /// Each node of the group answers.
    NodesAll,
    /// Many messages go both ways between the two nodes through Redis: none lost, none doubled, in one order.
    RedisPath,
    /// Two clients that poll sit on two nodes, each on its own, and hear each other.
    PollingSticky,
    /// A departure is announced.
    LeaveAnnounced,
    /// A client that says nothing stays connected for longer than the listener's timeouts.
    IdleSurvives,
    /// Clients of a node that is stopped move to another one, and it comes back.
    Failover,
    /// A WebSocket of any service says back what is expected.
    WebsocketEcho,
    /// A page of any service is as expected.
    HttpAnswers,
}

impl CheckId {
    /// All of them: those of a chatroom in order, then those of other services.
    pub const ALL: [Self; 19] = [
        Self::DnsCname,
        Self::TlsValid,
        Self::HttpRedirects,
        Self::PageLoads,
        Self::WebsocketUpgrade,
        Self::Welcome,
        Self::UsernameRequired,
        Self::UsernameSet,
        Self::MessageAToB,
        Self::MessageBToA,
        Self::NodesDiffer,
        Self::NodesAll,
        Self::RedisPath,
        Self::PollingSticky,
        Self::LeaveAnnounced,
        Self::IdleSurvives,
        Self::Failover,
        Self::WebsocketEcho,
        Self::HttpAnswers,
    ];

    /// Those of a chatroom, in order.
    pub const OF_CHAT: &'static [Self] = Self::ALL.split_at(17).0;

    /// Those of a WebSocket that says something back, in order.
    pub const OF_ECHO: &'static [Self] =
        &[Self::DnsCname, Self::TlsValid, Self::HttpRedirects, Self::WebsocketUpgrade, Self::WebsocketEcho];

    /// Those of pages, in order.
    pub const OF_HTTP: &'static [Self] =
        &[Self::DnsCname, Self::TlsValid, Self::HttpRedirects, Self::HttpAnswers];

    /// The name people and reports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::DnsCname => "dns.cname",
            Self::TlsValid => "tls.valid",
            Self::HttpRedirects => "http.redirects",
            Self::PageLoads => "page.loads",
            Self::WebsocketUpgrade => "websocket.upgrade",
            Self::Welcome => "welcome",
            Self::UsernameRequired => "username.required",
            Self::UsernameSet => "username.set",
            Self::MessageAToB => "message.a_to_b",
            Self::MessageBToA => "message.b_to_a",
            Self::NodesDiffer => "nodes.differ",
            Self::NodesAll => "nodes.all",
            Self::RedisPath => "redis.path",
            Self::PollingSticky => "polling.sticky",
            Self::LeaveAnnounced => "leave.announced",
            Self::IdleSurvives => "idle.survives",
            Self::Failover => "failover",
            Self::WebsocketEcho => "websocket.echo",
            Self::HttpAnswers => "http.answers",
        }
    }
}

impl fmt::Display for CheckId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl Serialize for CheckId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As expected.
    Passed,
    /// Not as expected, or not reached.
    Failed,
    /// Left out on purpose; the sentence says why.
    Skipped,
}

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// Which one.
    pub id: CheckId,
    /// The verdict.
    pub status: Status,
    /// What was seen; when it failed, also what was expected.
    pub sentence: String,
    /// How long it took.
    #[serde(rename = "duration_milliseconds", serialize_with = "milliseconds")]
    pub duration: Duration,
    /// Addresses, node ids, times: what the verdict rests on.
    pub evidence: BTreeMap<String, String>,
    /// What to type next when it failed.
    pub hint: Option<String>,
}

/// How the sentence of a check begins that was not made because one before it failed.
pub(super) const NOT_REACHED: &str = "not reached because";

impl Check {
    /// Whether it failed only because one before it did.
    pub fn was_not_reached(&self) -> bool {
        self.status == Status::Failed && self.sentence.starts_with(NOT_REACHED)
    }
}

pub(super) fn milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1e6).round() / 1e3)
}

/// What a check found, before it is timed and named.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Finding {
    pub(super) sentence: String,
    pub(super) evidence: BTreeMap<String, String>,
    pub(super) hint: Option<String>,
}

impl Finding {
    pub(super) fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), ..Self::default() }
    }

    #[must_use]
    pub(super) fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.evidence.insert(name.to_owned(), format!("{value}"));
        self
    }

    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Passed with a finding, or failed with one.
pub(super) type Verdict = Result<Finding, Finding>;
