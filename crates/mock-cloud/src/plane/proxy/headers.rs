//! Headers on their way: what belongs to one connection stays behind, what servers are to be told is added.

use std::fmt::Write;

use hyper::Version;
use hyper::header::{CONNECTION, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, UPGRADE};
use hyper::http::request::Parts;

use crate::plane::proxy::front::Client;
use crate::plane::proxy::setting::Setting;
use crate::plane::spec::{ForwardedFor, ForwardedHeader};

/// Headers that belong to one connection, not to the request.
const HOP_BY_HOP: [HeaderName; 5] = [
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    hyper::header::TE,
    hyper::header::TRAILER,
    hyper::header::TRANSFER_ENCODING,
];
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Whether a message asks to leave HTTP or agrees to it.
pub(super) fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(UPGRADE) && connection(headers).any(|token| token.eq_ignore_ascii_case("upgrade"))
}

/// What `Connection` says.
fn connection(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// Cookies of a request, by name and value.
pub(super) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let values = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(';')).filter_map(|cookie| cookie.trim().split_once('='))
}

/// The host that a request asks for, with its port.
pub(super) fn host(head: &Parts) -> &str {
    let named = || head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    head.uri.authority().map_or_else(named, |authority| authority.as_str())
}

/// A host without its port.
pub(super) fn without_port(host: &str) -> &str {
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    name.map_or(host, |(name, _)| name)
}

/// Takes out what belongs to one connection, and what `Connection` says does.
pub(super) fn clean(headers: &mut HeaderMap, is_upgrade: bool) {
    let is_known = |token: &str| {
        ["", "close", "keep-alive"].iter().any(|known| token.eq_ignore_ascii_case(known))
            || (is_upgrade && token.eq_ignore_ascii_case("upgrade"))
    };
    let named: Vec<HeaderName> =
        connection(headers).filter(|token| !is_known(token)).filter_map(|token| token.parse().ok()).collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
    if is_upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    } else {
        headers.remove(CONNECTION);
        headers.remove(UPGRADE);
    }
}

/// Makes the head of a request what its server gets: HTTP/1.1, told who asks.
pub(super) fn prepare(head: &mut Parts, client: &Client, setting: &Setting, is_upgrade: bool) {
    let host = HeaderValue::from_str(host(head));
    let headers = &mut head.headers;
    clean(headers, is_upgrade);
    if head.version == Version::HTTP_2 {
        join_cookies(headers);
    }
    forward_for(headers, client, setting.listener.forwarded_for);
    for header in &setting.listener.forwarded {
        let (name, value) = match header {
            ForwardedHeader::Protocol => ("x-forwarded-proto", HeaderValue::from_static(setting.scheme())),
            ForwardedHeader::Port => ("x-forwarded-port", setting.listener.port.into()),
            ForwardedHeader::ClientPort => ("x-forwarded-client-srcport", client.peer.port().into()),
            ForwardedHeader::BalancerId => ("slb-id", setting.id.clone()),
            ForwardedHeader::Host => match &host {
                Ok(host) => ("x-forwarded-host", host.clone()),
                Err(_) => continue,
            },
        };
        headers.insert(HeaderName::from_static(name), value);
    }
    if let Ok(host) = host {
        headers.insert(HOST, host);
    }
    head.version = Version::HTTP_11;
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    if head.uri.authority().is_some()
        && let Ok(uri) = path.parse()
    {
        head.uri = uri;
    }
}

/// Asks the server to close the connection behind its answer.
pub(super) fn close_after(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
}

/// HTTP/2 clients may send one cookie a header; HTTP/1.1 servers read one header.
fn join_cookies(headers: &mut HeaderMap) {
    let mut cookies = headers.get_all(COOKIE).into_iter();
    let (Some(first), Some(second)) = (cookies.next(), cookies.next()) else { return };
    let all = [first, second].into_iter().chain(cookies).map(HeaderValue::as_bytes);
    if let Ok(joined) = HeaderValue::from_bytes(&all.collect::<Vec<_>>().join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

fn forward_for(headers: &mut HeaderMap, client: &Client, mode: ForwardedFor) {
    match mode {
        ForwardedFor::Untouched => {}
        ForwardedFor::Remove => drop(headers.remove(FORWARDED_FOR)),
        ForwardedFor::Append if !headers.contains_key(FORWARDED_FOR) => {
            headers.insert(FORWARDED_FOR, client.address.clone());
        }
        ForwardedFor::Append => {
            let mut chain = String::new();
            for value in headers.get_all(FORWARDED_FOR) {
                chain.push_str(value.to_str().unwrap_or_default());
                chain.push_str(", ");
            }
            // Writing into a text does not fail.
            let _ = write!(chain, "{}", client.peer.ip());
            if let Ok(chain) = HeaderValue::from_str(&chain) {
                headers.insert(FORWARDED_FOR, chain);
            }
        }
    }
}
