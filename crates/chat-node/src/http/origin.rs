//! Which pages may use this server from a browser: its own, those of listed sites, or all.
//!
//! Browsers name the site of a page in `Origin`; other programs send none and are not meant. Reading answers from
//! another site needs the headers below; a WebSocket has no such protection, so its request is refused.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};

use crate::config::Origin;

/// Whose pages may.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    listed: Vec<HeaderValue>,
    any: bool,
}

/// What is said about one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Its own page, or no page at all.
    Own,
    /// A listed site, named for the answer.
    Listed(HeaderValue),
    /// Another site, where all may.
    Any,
    /// Another site.
    Refused,
}

impl Origins {
    /// Its own pages and these; `*` among them means all.
    pub fn new(origins: &[Origin]) -> Self {
        let (any, listed): (Vec<&Origin>, Vec<&Origin>) = origins.iter().partition(|origin| origin.is_any());
        Self { listed: listed.into_iter().map(Origin::header).collect(), any: !any.is_empty() }
    }

    /// Judges a request by its headers.
    pub fn judge(&self, headers: &HeaderMap) -> Verdict {
        let Some(origin) = headers.get(ORIGIN) else {
            return Verdict::Own;
        };
        if let Some(listed) =
            self.listed.iter().find(|listed| listed.as_bytes().eq_ignore_ascii_case(origin.as_bytes()))
        {
            return Verdict::Listed(listed.clone());
        }
        if is_own(origin, headers.get(HOST)) {
            return Verdict::Own;
        }
        if self.any { Verdict::Any } else { Verdict::Refused }
    }
}

/// Whether a page comes from where the request goes to. Its scheme cannot be compared: a proxy may have ended TLS.
fn is_own(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let (Ok(origin), Some(Ok(host))) = (origin.to_str(), host.map(HeaderValue::to_str)) else {
        return false;
    };
    let Some((scheme, site)) = origin.split_once("://") else {
        return false;
    };
    let usual_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let host = host.strip_suffix(usual_port).unwrap_or(host);
    site.strip_suffix(usual_port).unwrap_or(site).eq_ignore_ascii_case(host)
}

impl Verdict {
    /// Whether a request is a browser's question beforehand.
    pub fn is_preflight<B>(request: &Request<B>) -> bool {
        request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// The answer to that question. A site that may not is answered without the headers it needs.
    pub fn preflight<B: Default>(&self) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        if !matches!(self, Self::Refused) {
            let headers = response.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type"));
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
        response
    }

    /// Lets the page read an answer, and `exposed` among its headers.
    pub fn mark(&self, headers: &mut HeaderMap, exposed: &HeaderName) {
        headers.append(VARY, HeaderValue::from_static("origin"));
        let allowed = match self {
            Self::Own | Self::Refused => return,
            Self::Any => HeaderValue::from_static("*"),
            Self::Listed(origin) => {
                // A balancer may keep clients to their node by a cookie.
                headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
                origin.clone()
            }
        };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from(exposed.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(origins: &[&str], origin: Option<&str>, host: &str) -> Verdict {
        let origins: Vec<Origin> = origins.iter().map(|origin| Origin::parse(origin).unwrap()).collect();
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        Origins::new(&origins).judge(&headers)
    }

    #[test]
    fn a_server_s_own_pages_and_other_programs_may_always() {
        let table = [
            (None, "chat.example.com"),
            (Some("http://chat.example.com"), "chat.example.com"),
            (Some("https://chat.example.com"), "Chat.example.com"),
            (Some("https://chat.example.com"), "chat.example.com:443"),
            (Some("http://chat.example.com:80"), "chat.example.com"),
            (Some("http://127.0.0.1:5000"), "127.0.0.1:5000"),
        ];
        for (origin, host) in table {
            assert_eq!(judge(&[], origin, host), Verdict::Own, "{origin:?} {host}");
        }
    }

    #[test]
    fn other_sites_may_when_they_are_listed() {
        let listed = ["https://a.example", "http://b.example:8080"];
        for origin in [
            "https://b.example",
            "http://a.example",
            "https://a.example:444",
            "null",
            "file://",
            "https://a.example.evil",
        ] {
            assert_eq!(judge(&listed, Some(origin), "chat.example.com"), Verdict::Refused, "{origin}");
        }
        let verdict = judge(&listed, Some("https://A.example"), "chat.example.com");
        assert_eq!(verdict, Verdict::Listed(HeaderValue::from_static("https://a.example")));
        assert_eq!(judge(&["*"], Some("https://b.example"), "chat.example.com"), Verdict::Any);
        assert_eq!(judge(&["*"], Some("null"), "chat.example.com"), Verdict::Any);
    }

    #[test]
    fn answers_carry_what_the_verdict_needs() {
        let exposed = HeaderName::from_static("x-node");
        for (verdict, allowed, credentials) in [
            (Verdict::Own, None, None),
            (Verdict::Refused, None, None),
            (Verdict::Any, Some("*"), None),
            (
                Verdict::Listed(HeaderValue::from_static("https://a.example")),
                Some("https://a.example"),
                Some("true"),
            ),
        ] {
            let mut headers = HeaderMap::new();
            verdict.mark(&mut headers, &exposed);
            let get = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap());
            assert_eq!(
                (get("access-control-allow-origin"), get("access-control-allow-credentials")),
                (allowed, credentials)
            );
            assert_eq!(get("vary"), Some("origin"));
            let preflight: Response<()> = verdict.preflight();
            let answered = preflight.headers().contains_key("access-control-allow-methods");
            assert_eq!(answered, verdict != Verdict::Refused);
        }
    }
}
