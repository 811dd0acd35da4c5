//! Cookies by which clients stay with their server, or with one of the groups of a rule.

use std::time::Duration;

use hyper::header::{HeaderMap, HeaderValue, SET_COOKIE};

use crate::plane::proxy::headers::cookies;
use crate::plane::spec::Sticky;

/// The load balancer's own cookie.
const SERVER: &str = "SERVERID";
/// The same for pages of other sites, which browsers send only when it says that it may be.
const SERVER_ELSEWHERE: &str = "SERVERCORSID";
/// The one for the groups of a rule.
const GROUP: &str = "SERVERGROUPID";

/// What a sticky cookie says.
pub(super) struct Seen {
    /// The server or group.
    pub(super) name: String,
    /// Seconds since 1970 of the first request.
    since: i64,
}

impl Seen {
    /// Reads `<name>|<last>|<first>` unless it is older than its lifetime.
    fn read(value: &str, lifetime: Duration) -> Option<Self> {
        let mut parts = value.split('|');
        let (name, last, first) = (parts.next()?, parts.next()?, parts.next()?);
        let age = now() - last.parse::<i64>().ok()?;
        let is_fresh = age <= i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        is_fresh.then_some(Self { name: name.to_owned(), since: first.parse().ok()? })
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// The server that a request names.
pub(super) fn server(headers: &HeaderMap, sticky: &Sticky) -> Option<Seen> {
    match sticky {
        Sticky::Insert(lifetime) => cookies(headers)
            .filter(|(name, _)| [SERVER, SERVER_ELSEWHERE].contains(name))
            .find_map(|(_, value)| Seen::read(value, *lifetime)),
        // How long it lives is up to the server that set it.
        Sticky::Server(own) => cookies(headers)
            .find(|(name, _)| name == own)
            .map(|(_, value)| Seen { name: value.to_owned(), since: now() }),
    }
}

/// The group that a request names.
pub(super) fn group(headers: &HeaderMap, lifetime: Duration) -> Option<Seen> {
    let mut own = cookies(headers).filter(|(name, _)| *name == GROUP);
    own.find_map(|(_, value)| Seen::read(value, lifetime))
}

/// Tells the client to stay with the server that answered.
pub(super) fn stay_with_server(answer: &mut HeaderMap, sticky: &Sticky, server: &str, before: Option<&Seen>) {
    match sticky {
        Sticky::Insert(_) => {
            let value = value(server, before);
            set(answer, &format!("{SERVER}={value};Path=/"));
            set(answer, &format!("{SERVER_ELSEWHERE}={value};Path=/;SameSite=None;Secure"));
        }
        Sticky::Server(own) => rewrite(answer, own, server),
    }
}

/// Tells the client to stay with the group that it was handed to.
pub(super) fn stay_with_group(answer: &mut HeaderMap, group: &str, before: Option<&Seen>) {
    set(answer, &format!("{GROUP}={};Path=/", value(group, before)));
}

fn value(name: &str, before: Option<&Seen>) -> String {
    let now = now();
    let first = before.filter(|before| before.name == name).map_or(now, |before| before.since);
    format!("{name}|{now}|{first}")
}

fn set(answer: &mut HeaderMap, cookie: &str) {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        answer.append(SET_COOKIE, cookie);
    }
}

/// Puts the server into the cookie that it set; what else that says stays.
fn rewrite(answer: &mut HeaderMap, own: &str, server: &str) {
    let hyper::header::Entry::Occupied(mut set) = answer.entry(SET_COOKIE) else { return };
    for cookie in set.iter_mut() {
        let Ok(text) = cookie.to_str() else { continue };
        let (pair, attributes) = text.split_once(';').map_or((text, None), |(pair, rest)| (pair, Some(rest)));
        if pair.split('=').next().is_some_and(|name| name.trim() == own) {
            let attributes = attributes.map(|rest| format!(";{rest}")).unwrap_or_default();
            if let Ok(rewritten) = HeaderValue::from_str(&format!("{own}={server}{attributes}")) {
                *cookie = rewritten;
            }
        }
    }
}
