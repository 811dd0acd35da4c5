//! One connection: requests off a stream, replies onto it.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::wire::ApiError;
use crate::wire::http::{
    Framing, Head, LONGEST_BODY, LONGEST_HEAD, Request, body_too_long, malformed, parse_head,
};

/// How long a connection may be without a request.
const IDLE: Duration = Duration::from_secs(75);

/// How long a head may take from its first byte, a body from its head, and a reply to be taken.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes that the line before a chunk may have.
const LONGEST_CHUNK_LINE: usize = 1024;

/// Bytes read at once.
const BLOCK: usize = 16 * 1024;

/// A reply with its whole body.
#[derive(Debug)]
pub(super) struct HttpReply {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

/// Why there is no further request.
#[derive(Debug)]
pub(super) enum Ended {
    /// The client left, or said nothing for a while.
    Quietly,
    /// What it sent cannot be understood; it is told so.
    Refused(ApiError),
}

/// A stream with what was read ahead.
#[derive(Debug)]
pub(super) struct Connection<S> {
    stream: S,
    ahead: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, ahead: Vec::with_capacity(BLOCK) }
    }

    /// The next request.
    pub(super) async fn request(&mut self) -> Result<Request, Ended> {
        if self.ahead.is_empty() {
            timeout(IDLE, self.read_more()).await.map_err(|_| Ended::Quietly)??;
        }
        let head = timeout(PATIENCE, self.head()).await.map_err(|_| too_slow())??;
        let body = timeout(PATIENCE, self.body(&head)).await.map_err(|_| too_slow())??;
        Ok(Request { head, body })
    }

    async fn head(&mut self) -> Result<Head, Ended> {
        loop {
            if let Some((head, length)) = parse_head(&self.ahead).map_err(Ended::Refused)? {
                self.ahead.drain(..length);
                return Ok(head);
            }
            self.read_more().await?;
        }
    }

    async fn body(&mut self, head: &Head) -> Result<Vec<u8>, Ended> {
        if head.waits_for_continue() && self.ahead.is_empty() {
            let written = self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await;
            written.map_err(|_| Ended::Quietly)?;
        }
        match head.body {
            Framing::Length(length) => self.take(length).await,
            Framing::Chunked => self.chunks().await,
        }
    }

    async fn chunks(&mut self) -> Result<Vec<u8>, Ended> {
        let mut body = Vec::new();
        loop {
            let line = self.line().await?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            // Numbers may have a sign, lengths may not.
            let unsigned = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let size = usize::from_str_radix(digits, 16).ok().filter(|_| unsigned);
            let size = size.ok_or_else(|| Ended::Refused(malformed("a chunk has no length")))?;
            if size == 0 {
                while !self.line().await?.is_empty() {}
                return Ok(body);
            }
            if size > LONGEST_BODY - body.len() {
                return Err(Ended::Refused(body_too_long()));
            }
            body.append(&mut self.take(size).await?);
            if !self.line().await?.is_empty() {
                return Err(Ended::Refused(malformed("a chunk is longer than it says")));
            }
        }
    }

    async fn line(&mut self) -> Result<String, Ended> {
        loop {
            if let Some(end) = self.ahead.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.ahead.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.ahead.len() > LONGEST_CHUNK_LINE {
                return Err(Ended::Refused(malformed("the line before a chunk does not end")));
            }
            self.read_more().await?;
        }
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>, Ended> {
        while self.ahead.len() < length {
            self.read_more().await?;
        }
        let rest = self.ahead.split_off(length);
        Ok(std::mem::replace(&mut self.ahead, rest))
    }

    async fn read_more(&mut self) -> Result<(), Ended> {
        self.ahead.reserve(BLOCK);
        match self.stream.read_buf(&mut self.ahead).await {
            Ok(count) if count > 0 => Ok(()),
            Ok(_) | Err(_) => Err(Ended::Quietly),
        }
    }

    /// Lets time pass, and answers whether the client is there all that time.
    pub(super) async fn hold(&mut self, time: Duration) -> bool {
        timeout(time, self.left()).await.is_err()
    }

    /// Resolves when the client has left. What it sends meanwhile is kept for later.
    pub(super) async fn left(&mut self) {
        while self.ahead.len() < LONGEST_HEAD {
            if self.read_more().await.is_err() {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    /// Sends a reply, without its body when only the head was asked for. A client that does not take it in time has
    /// left.
    pub(super) async fn reply(
        &mut self,
        reply: &HttpReply,
        method: &str,
        keep_alive: bool,
    ) -> std::io::Result<()> {
        let mut bytes = reply.head(keep_alive).into_bytes();
        if method != "HEAD" {
            bytes.extend_from_slice(&reply.body);
        }
        timeout(PATIENCE, self.stream.write_all(&bytes)).await?
    }

    /// Ends the connection so that the last reply arrives: closing over unread bytes would take it back.
    pub(super) async fn close(mut self) {
        if matches!(timeout(PATIENCE, self.stream.shutdown()).await, Ok(Ok(()))) {
            let drain = async {
                while self.read_more().await.is_ok() {
                    self.ahead.clear();
                }
            };
            // A client that goes on sending has had its answer.
            drop(timeout(Duration::from_secs(1), drain).await);
        }
    }
}

impl HttpReply {
    fn head(&self, keep_alive: bool) -> String {
        let reason = match self.status {
            200 => "OK",
            204 => "No Content",
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            409 => "Conflict",
            500 => "Internal Server Error",
            503 => "Service Unavailable",
            _ => "",
        };
        let mut head = format!(
            "HTTP/1.1 {} {reason}\r\ncontent-type: {}\r\ncontent-length: {}\r\n",
            self.status,
            self.content_type,
            self.body.len()
        );
        if self.headers.iter().all(|(name, _)| *name != "date") {
            head.extend(["date: ", &http_date(jiff::Timestamp::now()), "\r\n"]);
        }
        for (name, value) in &self.headers {
            head.extend([*name, ": ", value, "\r\n"]);
        }
        head.push_str(if keep_alive { "\r\n" } else { "connection: close\r\n\r\n" });
        head
    }
}

/// A moment as HTTP writes it.
pub(super) fn http_date(moment: jiff::Timestamp) -> String {
    moment.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn too_slow() -> Ended {
    let message = "The request did not arrive in time.";
    Ended::Refused(ApiError::new(408, "Mock.RequestTimeout", message))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    /// A connection that is sent these bytes, and the other end of it.
    async fn sent(text: &str) -> (Connection<DuplexStream>, DuplexStream) {
        let (near, mut far) = duplex(1 << 20);
        far.write_all(text.as_bytes()).await.unwrap();
        (Connection::new(near), far)
    }

    #[tokio::test]
    async fn requests_follow_each_other_on_one_connection() {
        let text = "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nabGET /x HTTP/1.1\r\n\r\n";
        let (mut connection, far) = sent(text).await;
        assert_eq!(connection.request().await.unwrap().body, b"ab");
        assert_eq!(connection.request().await.unwrap().head.path, "/x");
        drop(far);
        assert!(matches!(connection.request().await, Err(Ended::Quietly)));
    }

    #[tokio::test]
    async fn chunks_are_put_together() {
        let text =
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nT: u\r\n\r\n";
        let (mut connection, _far) = sent(text).await;
        assert_eq!(connection.request().await.unwrap().body, b"abc");
        for length in ["zz", "+1", "-1", ""] {
            let wrong =
                format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{length}\r\nc\r\n0\r\n\r\n");
            let (mut connection, _far) = sent(&wrong).await;
            assert!(matches!(connection.request().await, Err(Ended::Refused(_))), "{length}");
        }
    }

    #[tokio::test]
    async fn a_client_that_waits_is_told_to_go_on() {
        let (mut connection, mut far) =
            sent("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n").await;
        let client = async {
            let mut answer = [0; 25];
            far.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
            far.write_all(b"ab").await.unwrap();
        };
        let (request, ()) = tokio::join!(connection.request(), client);
        assert_eq!(request.unwrap().body, b"ab");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_leaves_is_noticed_while_it_waits() {
        let (mut connection, far) = sent("GET / HTTP/1.1\r\n\r\nGET /next HTTP/1.1\r\n\r\n").await;
        connection.request().await.unwrap();
        assert!(connection.hold(Duration::from_secs(9)).await);
        assert_eq!(connection.request().await.unwrap().head.path, "/next");
        drop(far);
        assert!(!connection.hold(Duration::from_secs(9)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_that_nobody_takes_ends() {
        let (near, _far) = duplex(16);
        let mut connection = Connection::new(near);
        let reply = HttpReply {
            status: 200,
            content_type: "text/plain",
            headers: Vec::new(),
            body: "long".repeat(9).into_bytes(),
        };
        let error = connection.reply(&reply, "GET", true).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_never_ends_is_refused() {
        let (mut connection, _far) = sent("POST / HTTP/1.1\r\nHost").await;
        let Err(Ended::Refused(error)) = connection.request().await else {
            panic!("it is refused");
        };
        assert_eq!(error.status, 408);
    }
}
