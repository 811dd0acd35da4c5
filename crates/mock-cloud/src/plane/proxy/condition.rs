//! What a rule asks of a request or an answer, ready to be compared.

use std::net::IpAddr;

use hyper::header::{HeaderMap, HeaderName};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use ipnet::IpNet;

use crate::plane::proxy::headers::{cookies, host, without_port};
use crate::plane::proxy::pattern::{Case, Pattern};
use crate::plane::spec::rule::{Condition, Header, Pair};

/// A condition on a request; one of its values has to hold.
pub(super) enum Asked {
    Host(Vec<Pattern>),
    Path(Vec<Pattern>),
    Method(Vec<Method>),
    Source(Vec<IpNet>),
    Header(Named),
    Query(Vec<(Pattern, Pattern)>),
    Cookie(Vec<(Pattern, Pattern)>),
}

/// A condition on an answer.
pub(super) enum Answered {
    Status(Vec<StatusCode>),
    Header(Named),
}

/// A header and what it may be.
pub(super) struct Named {
    name: Option<HeaderName>,
    values: Vec<Pattern>,
}

/// One of both kinds.
pub(super) enum Prepared {
    Asked(Asked),
    Answered(Answered),
}

impl Named {
    fn new(header: &Header) -> Self {
        let values = header.values.iter().map(|value| Pattern::wild(value, Case::Ignored)).collect();
        Self { name: header.key.parse().ok(), values }
    }

    fn holds(&self, headers: &HeaderMap) -> bool {
        let Some(name) = &self.name else { return false };
        let mut texts = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        texts.any(|text| any(&self.values, text))
    }
}

/// Makes a condition of the API ready.
pub(super) fn prepare(condition: &Condition) -> Prepared {
    let patterns = |values: &[String], case| values.iter().map(|value| Pattern::new(value, case)).collect();
    let asked = match condition {
        Condition::Host(values) => Asked::Host(patterns(values, Case::Ignored)),
        Condition::Path(values) => Asked::Path(patterns(values, Case::Matters)),
        Condition::Method(values) => {
            Asked::Method(values.iter().filter_map(|own| own.parse().ok()).collect())
        }
        Condition::SourceIp(values) => Asked::Source(values.iter().filter_map(|own| network(own)).collect()),
        Condition::Header(header) => Asked::Header(Named::new(header)),
        Condition::QueryString(values) => Asked::Query(pairs(values)),
        Condition::Cookie(values) => Asked::Cookie(pairs(values)),
        Condition::ResponseStatusCode(values) => {
            let codes = values.iter().filter_map(|own| own.parse().ok()).collect();
            return Prepared::Answered(Answered::Status(codes));
        }
        Condition::ResponseHeader(header) => {
            return Prepared::Answered(Answered::Header(Named::new(header)));
        }
    };
    Prepared::Asked(asked)
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// A pair without a key looks at values alone.
fn pairs(pairs: &[Pair]) -> Vec<(Pattern, Pattern)> {
    let key = |pair: &Pair| if pair.key.is_empty() { "*".to_owned() } else { pair.key.clone() };
    let ready =
        |pair: &Pair| (Pattern::wild(&key(pair), Case::Ignored), Pattern::wild(&pair.value, Case::Ignored));
    pairs.iter().map(ready).collect()
}

impl Asked {
    pub(super) fn holds(&self, head: &Parts, client: IpAddr) -> bool {
        match self {
            Self::Host(values) => any(values, without_port(host(head))),
            Self::Path(values) => any(values, head.uri.path()),
            Self::Method(values) => values.contains(&head.method),
            Self::Source(networks) => networks.iter().any(|network| network.contains(&client)),
            Self::Header(named) => named.holds(&head.headers),
            Self::Query(pairs) => {
                let parts = head.uri.query().unwrap_or_default().split('&');
                has(pairs, parts.map(|part| part.split_once('=').unwrap_or((part, ""))))
            }
            Self::Cookie(pairs) => has(pairs, cookies(&head.headers)),
        }
    }
}

impl Answered {
    pub(super) fn holds(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        match self {
            Self::Status(codes) => codes.contains(&status),
            Self::Header(named) => named.holds(headers),
        }
    }
}

fn any(values: &[Pattern], text: &str) -> bool {
    values.iter().any(|value| value.matches(text))
}

fn has<'a>(wanted: &[(Pattern, Pattern)], given: impl Iterator<Item = (&'a str, &'a str)>) -> bool {
    let mut given = given;
    given.any(|(key, value)| wanted.iter().any(|pair| pair.0.matches(key) && pair.1.matches(value)))
}
