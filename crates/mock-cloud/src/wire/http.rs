//! HTTP/1.1 requests from bytes: the head, and how long the body is.
//!
//! Official clients put nearly everything into the request line, certificates and scripts too, and usual HTTP
//! libraries stop at 65,534 bytes there. So the head is taken apart here, by the same parser those libraries use, and
//! whatever is wrong with it gets an answer that API clients can read.

use crate::wire::ApiError;

/// Bytes a request line with its headers may have.
pub const LONGEST_HEAD: usize = 1024 * 1024;

/// Bytes a body may have.
pub const LONGEST_BODY: usize = 8 * 1024 * 1024;

/// Headers a request may have.
const MOST_HEADERS: usize = 128;

/// What stands before the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// `GET`, `POST`, as sent.
    pub method: String,
    /// What stands before the question mark.
    pub path: String,
    /// What stands behind it, not decoded.
    pub query: String,
    /// Headers with lower-case names, in the order they came.
    pub headers: Vec<(String, String)>,
    /// Whether the connection serves another request after this one.
    pub keep_alive: bool,
    /// How the body is framed.
    pub body: Framing,
}

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// After so many bytes.
    Length(usize),
    /// In chunks, each with its length before it.
    Chunked,
}

/// A whole request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What stands before the body.
    pub head: Head,
    /// The body, out of its chunks.
    pub body: Vec<u8>,
}

impl Head {
    /// The first header of this (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Whether the client waits for `100 Continue` before it sends the body.
    pub fn waits_for_continue(&self) -> bool {
        self.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
    }
}

/// Takes a head off the front of these bytes; answers it with its length, or nothing while its end has not come.
///
/// # Errors
/// What is wrong with it, as an answer of the API.
pub fn parse_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, ApiError> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() > LONGEST_HEAD => return Err(too_long()),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(malformed(&error.to_string())),
    };
    if length > LONGEST_HEAD {
        return Err(too_long());
    }
    let headers: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|header| {
            (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).trim().to_owned())
        })
        .collect();
    let target = origin_form(request.path.unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if !path.is_empty() && !path.starts_with('/') {
        return Err(malformed("what is asked for does not begin with a slash"));
    }
    let head = Head {
        method: request.method.unwrap_or_default().to_owned(),
        path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
        query: query.split('#').next().unwrap_or_default().to_owned(),
        keep_alive: keep_alive(request.version, &headers),
        body: framing(&headers)?,
        headers,
    };
    Ok(Some((head, length)))
}

/// A client behind a proxy names the whole address; scheme and host are not part of what is asked for.
fn origin_form(target: &str) -> &str {
    let rest = target.strip_prefix("http://").or_else(|| target.strip_prefix("https://"));
    let Some(rest) = rest else {
        return target;
    };
    rest.find(['/', '?']).map_or("/", |start| &rest[start..])
}

fn keep_alive(version: Option<u8>, headers: &[(String, String)]) -> bool {
    let named = |word: &str| {
        let values = headers.iter().filter(|(name, _)| name == "connection");
        values.flat_map(|(_, value)| value.split(',')).any(|token| token.trim().eq_ignore_ascii_case(word))
    };
    if version == Some(0) { named("keep-alive") } else { !named("close") }
}

fn framing(headers: &[(String, String)]) -> Result<Framing, ApiError> {
    let values = |wanted: &str| -> Vec<&str> {
        headers.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.as_str()).collect()
    };
    match (values("transfer-encoding").as_slice(), values("content-length").as_slice()) {
        ([], []) => Ok(Framing::Length(0)),
        ([], [length]) => {
            let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
            let length = length.parse().ok().filter(|_| digits);
            let length: usize = length.ok_or_else(|| malformed("the Content-Length is not a number"))?;
            if length > LONGEST_BODY { Err(body_too_long()) } else { Ok(Framing::Length(length)) }
        }
        ([coding], []) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
        // Two ways to find the end of a body are two readings of one request.
        _ => Err(malformed("the length of the body is given in more than one way")),
    }
}

/// The answer to bytes that are not HTTP.
pub fn malformed(reason: &str) -> ApiError {
    ApiError::bad_request("Mock.MalformedHttp", format!("The request is not valid HTTP/1.1: {reason}."))
}

/// The answer to a body that is too long.
pub fn body_too_long() -> ApiError {
    ApiError::new(413, "Mock.BodyTooLong", format!("A body may have at most {LONGEST_BODY} bytes."))
}

fn too_long() -> ApiError {
    let message = format!("The request line and the headers may have at most {LONGEST_HEAD} bytes.");
    ApiError::new(431, "Mock.HeadTooLong", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        parse_head(text.as_bytes()).unwrap().unwrap().0
    }

    #[test]
    fn a_head_is_taken_off_the_front() {
        let text =
            "POST /?a=b+c&d HTTP/1.1\r\nHost: h:1\r\nX-Acs-Action:  Run \r\nContent-Length: 3\r\n\r\nabc";
        let (head, length) = parse_head(text.as_bytes()).unwrap().unwrap();
        assert_eq!((head.method.as_str(), head.path.as_str(), head.query.as_str()), ("POST", "/", "a=b+c&d"));
        assert_eq!(head.header("x-acs-action"), Some("Run"));
        assert_eq!((&text[length..], head.body, head.keep_alive), ("abc", Framing::Length(3), true));
        assert_eq!(parse_head(b"POST / HTTP/1.1\r\nHost: h\r\n").unwrap(), None);
    }

    #[test]
    fn a_whole_address_and_old_versions_are_understood() {
        let old = head("GET http://h:1?x=1 HTTP/1.0\r\n\r\n");
        assert_eq!((old.path.as_str(), old.query.as_str(), old.keep_alive), ("/", "x=1", false));
        assert!(!head("GET / HTTP/1.1\r\nConnection: Close\r\n\r\n").keep_alive);
        assert!(head("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
        assert!(head("PUT / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n").waits_for_continue());
    }

    #[test]
    fn what_is_wrong_has_an_answer() {
        let code = |text: &str| parse_head(text.as_bytes()).unwrap_err().code;
        assert_eq!(code("\u{1}\u{2} what\r\n\r\n"), "Mock.MalformedHttp");
        assert_eq!(code("GET x HTTP/1.1\r\n\r\n"), "Mock.MalformedHttp");
        assert_eq!(code("GET / HTTP/1.1\r\nContent-Length: +3\r\n\r\n"), "Mock.MalformedHttp");
        let twice = "GET / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(code(twice), "Mock.MalformedHttp");
        assert_eq!(code("GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"), "Mock.BodyTooLong");
        let endless = format!("GET /?{}", "a".repeat(LONGEST_HEAD));
        assert_eq!(code(&endless), "Mock.HeadTooLong");
        let long = format!("GET /?{} HTTP/1.1\r\n\r\n", "a".repeat(200_000));
        assert_eq!(head(&long).query.len(), 200_000);
    }
}
