//! Both ends of the traffic that a proxy is loaded with: clients that count, and a server that does next to nothing.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

const REQUEST: &[u8] =
    b"GET /bench HTTP/1.1\r\nHost: example.com\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";
const BODY: usize = 128;
/// What connections do before they count.
const WARM_UP: Duration = Duration::from_millis(500);

/// Kind of traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// HTTP requests on kept connections.
    Requests,
    /// WebSocket messages there and back.
    Messages,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Requests => "HTTP requests",
            Self::Messages => "WebSocket messages",
        })
    }
}

/// What all connections of a run share.
#[derive(Default)]
struct Count {
    done: AtomicU64,
    stop: AtomicBool,
}

impl Count {
    fn goes_on(&self) -> bool {
        self.done.fetch_add(1, Ordering::Relaxed);
        !self.stop.load(Ordering::Relaxed)
    }
}

/// How many a second are done by so many connections, each of which waits for one before the next.
#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
pub(crate) async fn rate(kind: Kind, socket: SocketAddr, connections: usize, span: Duration) -> Result<f64> {
    let count = Arc::new(Count::default());
    let clients: Vec<_> = (0..connections)
        .map(|_| {
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                match kind {
                    Kind::Requests => ask(socket, &count).await,
                    Kind::Messages => talk(socket, &count).await,
                }
            })
        })
        .collect();
    tokio::time::sleep(WARM_UP).await;
    let (began, before) = (Instant::now(), count.done.load(Ordering::Relaxed));
    tokio::time::sleep(span).await;
    let (took, done) = (began.elapsed(), count.done.load(Ordering::Relaxed) - before);
    count.stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await??;
    }
    ensure!(done > 0, "nothing came back");
    Ok(f64::from(u32::try_from(done)?) / took.as_secs_f64())
}

async fn ask(socket: SocketAddr, count: &Count) -> Result<()> {
    let mut stream = TcpStream::connect(socket).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 4096];
    loop {
        stream.write_all(REQUEST).await?;
        let mut length = 0;
        while !is_answered(&buffer[..length])? {
            let read = stream.read(&mut buffer[length..]).await?;
            ensure!(read > 0, "closed before an answer: {}", String::from_utf8_lossy(&buffer[..length]));
            length += read;
        }
        if !count.goes_on() {
            return Ok(());
        }
    }
}

/// Whether this is a whole answer, which has to be a good one.
fn is_answered(read: &[u8]) -> Result<bool> {
    let Some(head) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(false) };
    ensure!(read.starts_with(b"HTTP/1.1 200 "), "not a good answer: {}", String::from_utf8_lossy(read));
    Ok(read.len() >= head + 4 + BODY)
}

async fn talk(socket: SocketAddr, count: &Count) -> Result<()> {
    let stream = TcpStream::connect(socket).await?;
    stream.set_nodelay(true)?;
    let (mut socket, _) = tokio_tungstenite::client_async("ws://example.com/bench", stream).await?;
    let message = Message::text("x".repeat(BODY));
    loop {
        socket.send(message.clone()).await?;
        let back = socket.next().await.context("closed before a message came back")??;
        ensure!(back.len() == BODY, "another message came back");
        if !count.goes_on() {
            return Ok(());
        }
    }
}

/// Serves each kind of traffic on its port until the input ends.
pub(crate) async fn serve(address: IpAddr, ports: [(Kind, u16); 2]) -> Result<()> {
    for (kind, port) in ports {
        let listener = TcpListener::bind((address, port)).await?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let _ = stream.set_nodelay(true);
                    // A client that leaves ends its connection, nothing more.
                    let _ = match kind {
                        Kind::Requests => answer(stream).await,
                        Kind::Messages => echo(stream).await,
                    };
                });
            }
        });
    }
    println!();
    until_input_ends().await;
    Ok(())
}

async fn answer(mut stream: TcpStream) -> Result<()> {
    let body = "x".repeat(BODY);
    let answer =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {BODY}\r\n\r\n{body}");
    let mut buffer = vec![0; 4096];
    let mut length = 0;
    loop {
        let read = stream.read(&mut buffer[length..]).await?;
        ensure!(read > 0, "the client left");
        length += read;
        if buffer[..length].ends_with(b"\r\n\r\n") {
            stream.write_all(answer.as_bytes()).await?;
            length = 0;
        }
    }
}

async fn echo(stream: TcpStream) -> Result<()> {
    let mut socket = tokio_tungstenite::accept_async(stream).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

/// Resolves when whoever started this program ends.
pub(crate) async fn until_input_ends() {
    let mut input = tokio::io::stdin();
    while matches!(input.read(&mut [0; 64]).await, Ok(1..)) {}
}

/// Whether somebody listens there within ten seconds.
#[expect(clippy::disallowed_methods, reason = "a bench waits for programs that say nothing")]
pub(crate) fn accepts(socket: SocketAddr) -> bool {
    (0..200).any(|_| {
        let is_there = std::net::TcpStream::connect(socket).is_ok();
        if !is_there {
            std::thread::sleep(Duration::from_millis(50));
        }
        is_there
    })
}
