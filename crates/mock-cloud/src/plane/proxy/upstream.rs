//! One request on its way to a server: over a kept connection or a new one.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::plane::probe::connect;
use crate::plane::proxy::backend::{Backend, Era, Load};
use crate::plane::proxy::body::Sent;
use crate::plane::proxy::pool::{Pool, Sender};
use crate::plane::proxy::secure;
use crate::plane::spec::{ServerGroup, ServerProtocol};

/// How long a connection to a server may take to be made, before 502.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// What a request occupies until its answer was read: the server counts it, and its connection serves nobody else.
pub(super) struct Lease {
    load: Load,
    sender: Option<Sender>,
    /// Where the connection goes afterwards, if it is kept.
    pool: Option<Arc<Pool>>,
}

impl Lease {
    /// The server.
    pub(super) fn backend(&self) -> &Arc<Backend> {
        &self.load
    }

    /// The answer was read to its end.
    pub(super) fn finish(&mut self) {
        if let (Some(sender), Some(pool)) = (self.sender.take(), self.pool.take()) {
            pool.put(sender);
        }
    }
}

/// Sends a request and waits for the head of its answer.
///
/// # Errors
/// The status that the client is told: 502, or 500 when what was open to the server was ended meanwhile.
pub(super) async fn send(
    load: Load,
    era: &Era,
    group: &ServerGroup,
    mut request: Request<Sent>,
) -> Result<(Response<Incoming>, Lease), StatusCode> {
    load.traffic().request();
    let pool = group.keep_alive.then(|| Arc::clone(&era.pool));
    let failed = |error: hyper::Error| {
        tracing::info!(%error, "a server did not answer");
        if era.requests.is_cancelled() { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::BAD_GATEWAY }
    };
    while let Some(mut sender) = pool.as_ref().and_then(|pool| pool.take()) {
        match sender.try_send_request(request).await {
            Ok(response) => return Ok((response, Lease { load, sender: Some(sender), pool })),
            // Closed by the server before any of it was sent: another connection may do.
            Err(mut error) => match error.take_message() {
                Some(unsent) => request = unsent,
                None => return Err(failed(error.into_error())),
            },
        }
    }
    let mut sender = open(&load, era, group.protocol).await.ok_or(StatusCode::BAD_GATEWAY)?;
    let response = sender.send_request(request).await.map_err(failed)?;
    Ok((response, Lease { load, sender: Some(sender), pool }))
}

async fn open(backend: &Backend, era: &Era, protocol: ServerProtocol) -> Option<Sender> {
    let target = backend.target(None)?;
    let made = tokio::time::timeout(CONNECT_LIMIT, async {
        let stream = connect(target, backend.source()).await?;
        match protocol {
            ServerProtocol::Http => Ok(shake_hands(stream, era).await),
            ServerProtocol::Https => Ok(shake_hands(secure::wrap(stream).await?, era).await),
        }
    });
    match made.await {
        Ok(Ok(sender)) => sender,
        Ok(Err(error)) => {
            let error: std::io::Error = error;
            tracing::info!(%target, %error, "a server cannot be reached");
            None
        }
        Err(_) => None,
    }
}

/// Begins to speak HTTP; the connection ends with its era.
async fn shake_hands(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    era: &Era,
) -> Option<Sender> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let ended = era.requests.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = connection.with_upgrades() => {}
            () = ended.cancelled() => {}
        }
    });
    Some(sender)
}
