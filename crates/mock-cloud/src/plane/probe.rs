//! One small HTTP request and its answer: for health checks and for a host's `curl`.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// Most bytes of an answer that are read.
const MOST_BODY: usize = 16 * 1024 * 1024;

/// What to ask.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    pub(crate) target: SocketAddr,
    /// The address it comes from.
    pub(crate) source: Option<Ipv4Addr>,
    pub(crate) method: Method,
    /// The Host header.
    pub(crate) host: String,
    pub(crate) path: String,
    /// Time for all of it.
    pub(crate) limit: Duration,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    ConnectFailed,
    ConnectTimeout,
    SendFailed,
    ReceiveTimeout,
    ReceiveFailed,
}

/// The answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) head: Vec<u8>,
    pub(crate) body: Bytes,
}

/// Connects from a loopback address of our own choice.
pub(crate) async fn connect(target: SocketAddr, source: Option<Ipv4Addr>) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(source) = source {
        socket.bind(SocketAddr::from((source, 0)))?;
    }
    let stream = socket.connect(target).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Probe {
    /// Asks, and reads the whole answer.
    pub(crate) async fn ask(&self) -> Result<Answer, NoAnswer> {
        let deadline = tokio::time::Instant::now() + self.limit;
        let stream = match tokio::time::timeout_at(deadline, connect(self.target, self.source)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(_)) => return Err(NoAnswer::ConnectFailed),
            Err(_) => return Err(NoAnswer::ConnectTimeout),
        };
        match tokio::time::timeout_at(deadline, self.exchange(stream)).await {
            Ok(answer) => answer,
            Err(_) => Err(NoAnswer::ReceiveTimeout),
        }
    }

    async fn exchange(&self, stream: TcpStream) -> Result<Answer, NoAnswer> {
        let (response, connection) = self.send(stream, Version::HTTP_11).await?;
        let (parts, body) = response.into_parts();
        let body =
            Limited::new(body, MOST_BODY).collect().await.map_err(|_| NoAnswer::ReceiveFailed)?.to_bytes();
        connection.abort();
        let mut head = format!("HTTP/1.1 {}\r\n", parts.status).into_bytes();
        for (name, value) in &parts.headers {
            head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        head.extend(b"\r\n");
        Ok(Answer { status: parts.status, head, body })
    }

    /// Asks over a stream of the caller's, and reads no more than the status; the limit is the caller's, too.
    pub(crate) async fn status(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        version: Version,
    ) -> Result<StatusCode, NoAnswer> {
        let (response, connection) = self.send(stream, version).await?;
        connection.abort();
        Ok(response.status())
    }

    async fn send(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        version: Version,
    ) -> Result<(Response<Incoming>, JoinHandle<hyper::Result<()>>), NoAnswer> {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|_| NoAnswer::SendFailed)?;
        let connection = tokio::spawn(connection);
        let request = Request::builder()
            .method(self.method.clone())
            .uri(&self.path)
            .version(version)
            .header(hyper::header::HOST, &self.host)
            .header(hyper::header::USER_AGENT, "mock-cloud")
            .header(hyper::header::CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(|_| NoAnswer::SendFailed)?;
        let response = sender.send_request(request).await.map_err(|_| NoAnswer::ReceiveFailed)?;
        Ok((response, connection))
    }
}
