//! `page.loads`: what a browser gets first.

use std::net::IpAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::check::{Finding, Verdict};
use super::connect::{Stream, connect};
use super::scenario::Scenario;

/// More than a page has.
const LARGEST: u64 = 4 * 1024 * 1024;

/// The part of a response that matters here.
#[derive(Debug, PartialEq)]
struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Response {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Some(Self { status, headers, body: body.to_owned() })
    }

    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }
}

/// Loads the page from the first vantage point.
pub(super) async fn check(scenario: &Scenario, address: IpAddr) -> Verdict {
    let authority = scenario.authority();
    let wanted = format!("expected the page at http://{authority}/ with status 200");
    let fail = |seen: String| {
        Finding::new(format!("{wanted}, but {seen}"))
            .with("address", address)
            .hint(format!("curl -v http://{authority}/"))
    };
    let stream = connect(scenario, &scenario.sources[0], address).await;
    let stream = stream.map_err(|error| fail(error.to_string()))?;
    let response = match timeout(scenario.deadline, get(stream, &authority)).await {
        Ok(Ok(bytes)) => Response::parse(&bytes).ok_or_else(|| fail("the answer is no HTTP".to_owned()))?,
        Ok(Err(error)) => return Err(fail(format!("the connection failed ({error})"))),
        Err(_) => {
            return Err(fail(format!("nothing came within {:.1} s", scenario.deadline.as_secs_f64())));
        }
    };
    let server = response.header("x-chat-node").to_owned();
    if response.status != 200 {
        let reason = likely(response.status);
        return Err(fail(format!("the status is {}{reason}", response.status)).with("node", server));
    }
    let kind = response.header("content-type");
    if !kind.starts_with("text/html") || response.body.trim().is_empty() {
        return Err(fail(format!("what came is `{kind}` with {} bytes", response.body.len())));
    }
    let sentence = format!("http://{authority}/ answered 200 with {} bytes of HTML", response.body.len());
    Ok(Finding::new(sentence).with("address", address).with("node", server))
}

/// What a status from a load balancer usually means.
fn likely(status: u16) -> &'static str {
    match status {
        403 => ": the load balancer does not serve this Host, or a filter before it answers",
        502 => ": the load balancer has no answer from any node; look at the nodes",
        503 => ": no server of the group is healthy, or the node is draining",
        504 => ": the node is too slow for the listener's RequestTimeout",
        _ => "",
    }
}

async fn get(mut stream: Box<dyn Stream>, authority: &str) -> std::io::Result<Vec<u8>> {
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {authority}\r\nAccept: text/html\r\nUser-Agent: albatross\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
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
        assert_eq!(Response::parse(b"SSH-2.0-x\r\n\r\n"), None);
        assert_eq!(Response::parse(b""), None);
    }
}
