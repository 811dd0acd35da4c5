//! One request and its answer, as a browser makes it.

use std::fmt::Write as _;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::connect::Stream;
use super::scenario::Scenario;

/// More than a page has.
const LARGEST: u64 = 4 * 1024 * 1024;
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// The part of a response that matters here.
#[derive(Debug, PartialEq)]
pub(super) struct Response {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Response {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(END_OF_HEAD.len()).position(|part| part == END_OF_HEAD)?;
        let (head, body) = (String::from_utf8_lossy(&bytes[..end]), &bytes[end + END_OF_HEAD.len()..]);
        let mut lines = head.lines();
        let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut response = Self { status, headers, body: String::new() };
        let is_chunked = response.header("transfer-encoding").to_ascii_lowercase().contains("chunked");
        let body = if is_chunked { joined(body) } else { body.to_vec() };
        response.body = String::from_utf8_lossy(&body).into_owned();
        Some(response)
    }

    /// A header by its lower-case name; without it nothing.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    /// All headers of a lower-case name.
    pub(super) fn headers_of(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// A cookie that it sets, as `name=value`.
    pub(super) fn sets_cookie(&self, name: &str) -> Option<&str> {
        let set = self.headers.iter().filter(|(found, _)| found == "set-cookie");
        set.filter_map(|(_, value)| value.split(';').next())
            .find(|pair| pair.split_once('=').is_some_and(|(found, _)| found == name))
    }

    /// What its status, coming from a load balancer, usually means.
    pub(super) fn likely(&self) -> &'static str {
        match self.status {
            403 => ": the load balancer does not serve this Host, or a filter before it answers",
            502 => ": the load balancer has no answer from any node; look at the nodes",
            503 => ": no server of the group is healthy, or the node is draining",
            504 => ": the node is too slow for the listener's RequestTimeout",
            _ => "",
        }
    }
}

/// The pieces of a chunked body as one; as far as they came, where it was cut off.
fn joined(mut chunked: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = chunked.windows(2).position(|part| part == b"\r\n") {
        let size = String::from_utf8_lossy(&chunked[..end]);
        let size = size.split(';').next().unwrap_or_default().trim();
        let Ok(size) = usize::from_str_radix(size, 16) else { break };
        let rest = &chunked[end + 2..];
        whole.extend(&rest[..size.min(rest.len())]);
        // Behind each piece stands the end of a line.
        chunked = rest.get(size + 2..).unwrap_or_default();
        if size == 0 {
            break;
        }
    }
    whole
}

/// What is asked.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Request<'a> {
    pub(super) authority: &'a str,
    pub(super) path: &'a str,
    /// `name=value`, as an earlier answer set it.
    pub(super) cookie: &'a str,
    /// What is posted; without it the path is got.
    pub(super) body: Option<&'a str>,
}

impl Request<'_> {
    fn text(&self) -> String {
        let method = if self.body.is_some() { "POST" } else { "GET" };
        let mut text = format!(
            "{method} {} HTTP/1.1\r\nHost: {}\r\nAccept: text/html, */*\r\nUser-Agent: albatross\r\nConnection: \
             close\r\n",
            self.path, self.authority
        );
        if !self.cookie.is_empty() {
            let _ = write!(text, "Cookie: {}\r\n", self.cookie);
        }
        let body = self.body.unwrap_or_default();
        if self.body.is_some() {
            let _ =
                write!(text, "Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n", body.len());
        }
        text + "\r\n" + body
    }
}

/// Gets a path of a host; what went wrong is part of a sentence.
pub(super) async fn get(
    scenario: &Scenario,
    stream: Box<dyn Stream>,
    (authority, path): (&str, &str),
) -> Result<Response, String> {
    send(scenario, stream, Request { authority, path, ..Request::default() }).await
}

/// Makes a request; what went wrong is part of a sentence.
pub(super) async fn send(
    scenario: &Scenario,
    stream: Box<dyn Stream>,
    request: Request<'_>,
) -> Result<Response, String> {
    match timeout(scenario.deadline, exchange(stream, request.text())).await {
        Ok(Ok(bytes)) => Response::parse(&bytes).ok_or_else(|| "the answer is no HTTP".to_owned()),
        Ok(Err(error)) => Err(format!("the connection failed ({error})")),
        Err(_) => Err(format!("nothing came within {:.1} s", scenario.deadline.as_secs_f64())),
    }
}

async fn exchange(mut stream: Box<dyn Stream>, request: String) -> std::io::Result<Vec<u8>> {
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut bytes = Vec::new();
    let read = stream.take(LARGEST).read_to_end(&mut bytes).await;
    // Some servers end with a reset once everything was said.
    match read {
        Err(error) if bytes.is_empty() => Err(error),
        _ => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_taken_apart() {
        let response = Response::parse(b"HTTP/1.1 502 Bad Gateway\r\nX-Chat-Node:  ecs01\r\n\r\nno").unwrap();
        assert_eq!(
            (response.status, response.header("x-chat-node"), response.body.as_str()),
            (502, "ecs01", "no")
        );
        let response =
            Response::parse(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nSet-Cookie: SERVERID=x; Path=/\r\n\r\n")
                .unwrap();
        assert_eq!(response.sets_cookie("SERVERID"), Some("SERVERID=x"));
        assert_eq!(response.sets_cookie("SERVER"), None);
        let chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nWel\r\n4;x=1\r\ncome\r\n0\r\n\r\n";
        assert_eq!(Response::parse(chunked).unwrap().body, "Welcome");
        // One that was cut off has what came.
        assert_eq!(Response::parse(&chunked[..chunked.len() - 9]).unwrap().body, "Welco");
        assert_eq!(Response::parse(b"SSH-2.0-x\r\n\r\n"), None);
        assert_eq!(Response::parse(b""), None);
    }
}
