//! Forwarding rules: what a request or an answer has to look like, and what is done with it.

use serde::Serialize;

/// A rule as traffic meets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardRule {
    /// `rule-...`.
    pub id: String,
    /// Which way it looks.
    pub direction: Direction,
    /// All have to hold.
    pub conditions: Vec<Condition>,
    /// What is done, in their order.
    pub actions: Vec<ActionKind>,
}

/// Which way of the traffic a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Direction {
    /// From clients to servers.
    Request,
    /// From servers to clients.
    Response,
}

/// A key with one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// Key.
    pub key: String,
    /// Value.
    pub value: String,
}

/// A key with all values it may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Header {
    /// Name of the header.
    pub key: String,
    /// One of these.
    pub values: Vec<String>,
}

/// One condition; one of its values has to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Condition {
    /// Host names, with wildcards.
    Host(Vec<String>),
    /// Paths, with wildcards.
    Path(Vec<String>),
    /// Methods.
    Method(Vec<String>),
    /// Networks of clients.
    SourceIp(Vec<String>),
    /// Status codes of answers.
    ResponseStatusCode(Vec<String>),
    /// A header of the request.
    Header(Header),
    /// A header of the answer.
    ResponseHeader(Header),
    /// Parameters of the query.
    QueryString(Vec<Pair>),
    /// Cookies.
    Cookie(Vec<Pair>),
}

impl Condition {
    /// The word of the API.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Host(_) => "Host",
            Self::Path(_) => "Path",
            Self::Method(_) => "Method",
            Self::SourceIp(_) => "SourceIp",
            Self::ResponseStatusCode(_) => "ResponseStatusCode",
            Self::Header(_) => "Header",
            Self::ResponseHeader(_) => "ResponseHeader",
            Self::QueryString(_) => "QueryString",
            Self::Cookie(_) => "Cookie",
        }
    }

    /// How many values it compares with.
    pub fn evaluations(&self) -> usize {
        match self {
            Self::Host(values)
            | Self::Path(values)
            | Self::Method(values)
            | Self::SourceIp(values)
            | Self::ResponseStatusCode(values) => values.len(),
            Self::Header(header) | Self::ResponseHeader(header) => header.values.len(),
            Self::QueryString(pairs) | Self::Cookie(pairs) => pairs.len(),
        }
    }

    /// How many of its values hold a wildcard.
    pub fn wildcards(&self) -> usize {
        let wild = |text: &&String| text.contains(['*', '?']);
        match self {
            Self::Host(values) | Self::Path(values) => values.iter().filter(wild).count(),
            Self::Header(header) | Self::ResponseHeader(header) => header.values.iter().filter(wild).count(),
            Self::QueryString(pairs) | Self::Cookie(pairs) => {
                pairs.iter().filter(|pair| wild(&&pair.key) || wild(&&pair.value)).count()
            }
            Self::Method(_) | Self::SourceIp(_) | Self::ResponseStatusCode(_) => 0,
        }
    }
}

/// One action with its place in the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Action {
    /// 1 to 50000; the lowest is first.
    pub order: u32,
    /// What is done.
    pub kind: ActionKind,
}

/// What is done with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum ActionKind {
    /// Handed to one of these groups by weight.
    ForwardGroup {
        /// Groups with their weights, 0 to 100.
        groups: Vec<(String, u32)>,
        /// Seconds a client stays with its group.
        sticky: Option<u32>,
    },
    /// Answered with another address.
    Redirect(Redirect),
    /// Answered at once.
    FixedResponse {
        /// Body.
        content: String,
        /// Media type.
        content_type: String,
        /// Status.
        http_code: String,
    },
    /// Changed before it is forwarded.
    Rewrite {
        /// Host.
        host: String,
        /// Path.
        path: String,
        /// Query.
        query: String,
    },
    /// Given a header.
    InsertHeader {
        /// Name.
        key: String,
        /// Value.
        value: String,
        /// `UserDefined`, `ReferenceHeader`, `SystemDefined`.
        value_type: String,
        /// Whether it replaces one of the same name.
        cover: bool,
    },
    /// Robbed of a header.
    RemoveHeader {
        /// Name.
        key: String,
    },
    /// Counted, and refused when there are too many.
    TrafficLimit {
        /// Requests a second.
        qps: Option<u32>,
        /// Requests a second from one address.
        per_ip_qps: Option<u32>,
    },
    /// Copied to these groups.
    TrafficMirror {
        /// Groups.
        groups: Vec<String>,
    },
    /// Answered for other origins.
    Cors(Cors),
}

/// Where a client is sent; `${host}` and the like stand for what it asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Redirect {
    /// Host.
    pub host: String,
    /// Path.
    pub path: String,
    /// Query.
    pub query: String,
    /// Protocol.
    pub protocol: String,
    /// Port.
    pub port: String,
    /// 301, 302, 303, 307, 308.
    pub http_code: String,
}

/// What other origins may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cors {
    /// `on` or `off`.
    pub allow_credentials: String,
    /// Header names.
    pub allow_headers: Vec<String>,
    /// Methods.
    pub allow_methods: Vec<String>,
    /// Origins.
    pub allow_origin: Vec<String>,
    /// Header names.
    pub expose_headers: Vec<String>,
    /// Seconds.
    pub max_age: i64,
}

impl ActionKind {
    /// The word of the API.
    pub fn word(&self) -> &'static str {
        match self {
            Self::ForwardGroup { .. } => "ForwardGroup",
            Self::Redirect(_) => "Redirect",
            Self::FixedResponse { .. } => "FixedResponse",
            Self::Rewrite { .. } => "Rewrite",
            Self::InsertHeader { .. } => "InsertHeader",
            Self::RemoveHeader { .. } => "RemoveHeader",
            Self::TrafficLimit { .. } => "TrafficLimit",
            Self::TrafficMirror { .. } => "TrafficMirror",
            Self::Cors(_) => "Cors",
        }
    }

    /// Whether nothing comes after it.
    pub fn is_final(&self) -> bool {
        match self {
            Self::ForwardGroup { .. } | Self::Redirect(_) | Self::FixedResponse { .. } => true,
            Self::Rewrite { .. }
            | Self::InsertHeader { .. }
            | Self::RemoveHeader { .. }
            | Self::TrafficLimit { .. }
            | Self::TrafficMirror { .. }
            | Self::Cors(_) => false,
        }
    }

    /// The server groups it names.
    pub fn groups(&self) -> Vec<&str> {
        match self {
            Self::ForwardGroup { groups, .. } => groups.iter().map(|(id, _)| id.as_str()).collect(),
            Self::TrafficMirror { groups } => groups.iter().map(String::as_str).collect(),
            Self::Redirect(_)
            | Self::FixedResponse { .. }
            | Self::Rewrite { .. }
            | Self::InsertHeader { .. }
            | Self::RemoveHeader { .. }
            | Self::TrafficLimit { .. }
            | Self::Cors(_) => Vec::new(),
        }
    }
}
