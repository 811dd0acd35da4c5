//! A WebSocket server of one's own, as small as it can be: what `examples/own-app.yaml` deploys.
//!
//! It listens on `HOST` and `PORT`, answers `GET /healthz`, lets in whoever has the token of `TOKEN`
//! (`/?token=...`), and says back whatever it is told, behind what `--prefix` says.
//!
//!     cargo build --release --example echo_server

#![expect(clippy::disallowed_methods, reason = "a program of its own reads its own environment")]

use std::io;
use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;

/// As much of a request as it takes to see what is asked for.
const ENOUGH: usize = 1024;
/// What the load balancer and a roll-out ask.
const HEALTH: [&[u8]; 2] = [b"GET /healthz", b"HEAD /healthz"];
const WELL: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

#[tokio::main]
async fn main() -> io::Result<()> {
    let variable =
        |name: &str| std::env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")));
    let address: SocketAddr =
        format!("{}:{}", variable("HOST")?, variable("PORT")?).parse().map_err(io::Error::other)?;
    let token = variable("TOKEN")?;
    let mut arguments = std::env::args().skip_while(|argument| argument != "--prefix").skip(1);
    let prefix = arguments.next().unwrap_or_default();
    let listener = TcpListener::bind(address).await?;
    let mut stop = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                let (token, prefix) = (token.clone(), prefix.clone());
                // A client that breaks off is its own affair.
                tokio::spawn(async move { drop(serve(stream, &token, &prefix).await) });
            }
            _ = stop.recv() => return Ok(()),
        }
    }
}

async fn serve(mut stream: TcpStream, token: &str, prefix: &str) -> io::Result<()> {
    let mut beginning = [0; ENOUGH];
    let length = stream.peek(&mut beginning).await?;
    if HEALTH.iter().any(|request| beginning[..length].starts_with(request)) {
        let _ = stream.read(&mut beginning).await?;
        return stream.write_all(WELL).await;
    }
    echo(stream, token, prefix).await.map_err(io::Error::other)
}

async fn echo(
    stream: TcpStream,
    token: &str,
    prefix: &str,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let admit = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        if request.uri().query() == Some(format!("token={token}").as_str()) {
            return Ok(response);
        }
        let mut refusal = ErrorResponse::new(None);
        *refusal.status_mut() = StatusCode::UNAUTHORIZED;
        Err(refusal)
    };
    let mut socket = tokio_tungstenite::accept_hdr_async(stream, admit).await?;
    while let Some(message) = socket.next().await {
        if let Message::Text(text) = message? {
            socket.send(Message::text(format!("{prefix}{text}"))).await?;
        }
    }
    Ok(())
}
