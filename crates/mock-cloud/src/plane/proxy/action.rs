//! What rules do, ready to be done.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};

use crate::plane::proxy::body::Body;
use crate::plane::proxy::front::Client;
use crate::plane::proxy::group::Group;
use crate::plane::proxy::headers::{host, without_port};
use crate::plane::proxy::limit::Limit;
use crate::plane::proxy::page;
use crate::plane::proxy::setting::Setting;
use crate::plane::proxy::sticky::{self, Seen};
use crate::plane::spec::rule::{ActionKind, Redirect};

/// One action.
pub(super) enum Step {
    Forward(Forward),
    Redirect(StatusCode, Redirect),
    Answer { status: StatusCode, kind: HeaderValue, content: Bytes },
    Rewrite { host: String, path: String, query: String },
    Insert { name: HeaderName, value: Value, replaces: bool },
    Remove(HeaderName),
    Limit(Limit),
}

/// Where the value of a header comes from.
pub(super) enum Value {
    Given(HeaderValue),
    /// Another header.
    Header(HeaderName),
    /// A word of the API for something the load balancer knows.
    System(String),
}

/// Groups by weight.
pub(super) struct Forward {
    groups: Vec<(String, Arc<Group>, u32)>,
    sticky: Option<Duration>,
    /// Smooth weighted round robin.
    credits: Mutex<Vec<i64>>,
}

/// A group that was chosen, and what its client has to be told of it.
pub(super) struct Chosen {
    pub(super) group: Arc<Group>,
    /// Its name and what the client said, where it is to stay.
    pub(super) stay: Option<(String, Option<Seen>)>,
}

impl Step {
    /// Makes an action of the API ready; `None` for what this load balancer cannot do.
    pub(super) fn new(action: &ActionKind, groups: &BTreeMap<String, Arc<Group>>) -> Option<Self> {
        Some(match action {
            ActionKind::ForwardGroup { groups: wanted, sticky } => {
                let known = |(id, weight): &(String, u32)| {
                    groups.get(id).map(|group| (id.clone(), Arc::clone(group), *weight))
                };
                let groups: Vec<_> = wanted.iter().filter_map(known).collect();
                Self::Forward(Forward {
                    credits: Mutex::new(vec![0; groups.len()]),
                    groups,
                    sticky: sticky.map(|seconds| Duration::from_secs(seconds.into())),
                })
            }
            ActionKind::Redirect(redirect) => {
                Self::Redirect(redirect.http_code.parse().ok()?, redirect.clone())
            }
            ActionKind::FixedResponse { content, content_type, http_code } => Self::Answer {
                status: http_code.trim_start_matches("HTTP_").parse().ok()?,
                kind: content_type.parse().ok()?,
                content: content.clone().into(),
            },
            ActionKind::Rewrite { host, path, query } => {
                Self::Rewrite { host: host.clone(), path: path.clone(), query: query.clone() }
            }
            ActionKind::InsertHeader { key, value, value_type, cover } => Self::Insert {
                name: key.parse().ok()?,
                value: match value_type.as_str() {
                    "ReferenceHeader" => Value::Header(value.parse().ok()?),
                    "SystemDefined" => Value::System(value.clone()),
                    _ => Value::Given(value.parse().ok()?),
                },
                replaces: *cover,
            },
            ActionKind::RemoveHeader { key } => Self::Remove(key.parse().ok()?),
            ActionKind::TrafficLimit { qps, per_ip_qps } => Self::Limit(Limit::new(*qps, *per_ip_qps)),
            ActionKind::TrafficMirror { .. } | ActionKind::Cors(_) => return None,
        })
    }
}

impl Value {
    /// The value for a message with these headers.
    pub(super) fn of(&self, headers: &HeaderMap, client: &Client, setting: &Setting) -> Option<HeaderValue> {
        match self {
            Self::Given(value) => Some(value.clone()),
            Self::Header(name) => headers.get(name).cloned(),
            Self::System(word) => match word.as_str() {
                "ClientSrcPort" => Some(client.peer.port().into()),
                "ClientSrcIp" => Some(client.address.clone()),
                "Protocol" => HeaderValue::from_str(&setting.scheme().to_ascii_uppercase()).ok(),
                "SLBId" => Some(setting.id.clone()),
                "SLBPort" => Some(setting.listener.port.into()),
                _ => None,
            },
        }
    }
}

/// Inserts a header; one of the same name stays unless it is to be replaced.
pub(super) fn insert(
    headers: &mut HeaderMap,
    (name, value, replaces): (&HeaderName, &Value, bool),
    (client, setting): (&Client, &Setting),
) {
    if !replaces && headers.contains_key(name) {
        return;
    }
    if let Some(value) = value.of(headers, client, setting) {
        headers.insert(name, value);
    }
}

impl Forward {
    /// The group for a request: the one its cookie names, else by weight.
    pub(super) fn choose(&self, headers: &HeaderMap) -> Option<Chosen> {
        let seen = self.sticky.and_then(|lifetime| sticky::group(headers, lifetime));
        let known = seen
            .as_ref()
            .and_then(|seen| self.groups.iter().find(|(id, _, weight)| *weight > 0 && *id == seen.name));
        let (id, group, _) = match known {
            Some(known) => known,
            None => self.next()?,
        };
        let stay = self.sticky.map(|_| (id.clone(), seen));
        Some(Chosen { group: Arc::clone(group), stay })
    }

    /// By turns: each grows by its weight, and the one that is chosen falls by the total.
    fn next(&self) -> Option<&(String, Arc<Group>, u32)> {
        let mut credits = self.credits.lock().unwrap_or_else(PoisonError::into_inner);
        for (credit, (_, _, weight)) in credits.iter_mut().zip(&self.groups) {
            *credit += i64::from(*weight);
        }
        let able = (0..self.groups.len()).filter(|place| self.groups[*place].2 > 0);
        let place = able.rev().max_by_key(|place| credits[*place])?;
        credits[place] -= self.groups.iter().map(|(_, _, weight)| i64::from(*weight)).sum::<i64>();
        Some(&self.groups[place])
    }
}

/// Where a redirected client is sent, given what it asked for.
pub(super) fn redirect(
    status: StatusCode,
    redirect: &Redirect,
    head: &Parts,
    setting: &Setting,
) -> Response<Body> {
    let asked = Asked::new(head, setting);
    let scheme = asked.fill(&redirect.protocol).to_ascii_lowercase();
    let (host, port) = (asked.fill(&redirect.host), asked.fill(&redirect.port));
    let port = match (scheme.as_str(), port.as_str()) {
        ("http", "80") | ("https", "443") => String::new(),
        (_, port) => format!(":{port}"),
    };
    let (path, query) = (asked.fill(&redirect.path), asked.fill(&redirect.query));
    let query = if query.is_empty() { query } else { format!("?{query}") };
    match HeaderValue::from_str(&format!("{scheme}://{host}{port}{path}{query}")) {
        Ok(location) => page::redirect(status, location),
        Err(_) => page::status(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// Makes a request one for another place.
pub(super) fn rewrite(head: &mut Parts, setting: &Setting, (host, path, query): (&str, &str, &str)) {
    let asked = Asked::new(head, setting);
    let (path, query) = (asked.fill(path), asked.fill(query));
    let changed_host = (host != "${host}").then(|| asked.fill(host));
    let whole = if query.is_empty() { path } else { format!("{path}?{query}") };
    let kept_host = self::host(head).to_owned();
    if let Ok(uri) = whole.parse() {
        head.uri = uri;
    }
    if let Ok(host) = HeaderValue::from_str(&changed_host.unwrap_or(kept_host)) {
        head.headers.insert(HOST, host);
    }
}

/// What `${host}` and its like stand for.
struct Asked {
    words: [(&'static str, String); 5],
}

impl Asked {
    fn new(head: &Parts, setting: &Setting) -> Self {
        Self {
            words: [
                ("${host}", without_port(host(head)).to_owned()),
                ("${protocol}", setting.scheme().to_owned()),
                ("${port}", setting.listener.port.to_string()),
                ("${path}", head.uri.path().to_owned()),
                ("${query}", head.uri.query().unwrap_or_default().to_owned()),
            ],
        }
    }

    fn fill(&self, text: &str) -> String {
        let filled = |text: String, (word, value): &(&str, String)| {
            if text.contains(word) { text.replace(word, value) } else { text }
        };
        self.words.iter().fold(text.to_owned(), filled)
    }
}
