//! One request on its way to a server: over a kept connection or a new one.

use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};

use crate::plane::probe::connect;
use crate::plane::proxy::backend::{Backend, Era, Load};
use crate::plane::proxy::body::Sent;
use crate::plane::proxy::connection::Connection;
use crate::plane::proxy::pool::Pool;
use crate::plane::proxy::secure;
use crate::plane::spec::{ServerGroup, ServerProtocol};

/// How long a connection to a server may take to be made, before 502.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// What a request occupies until its answer was read: the server counts it, and its connection serves nobody else.
pub(super) struct Lease {
    load: Load,
    connection: Option<Connection>,
    /// Where the connection goes afterwards, if it is kept.
    pool: Option<Arc<Pool>>,
}

impl Lease {
    /// The server.
    pub(super) fn backend(&self) -> &Arc<Backend> {
        &self.load
    }

    /// Goes on with what is under way on the connection.
    pub(super) fn drive(&mut self, context: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection {
            let _ = connection.drive(context);
        }
    }

    /// Resolves when the connection is over or has become a tunnel.
    pub(super) async fn end(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.end().await;
        }
    }

    /// The answer was read to its end.
    pub(super) fn finish(&mut self) {
        if let (Some(connection), Some(pool)) = (self.connection.take(), self.pool.take()) {
            pool.put(connection);
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
    while let Some(mut connection) = pool.as_ref().and_then(|pool| pool.take()) {
        match connection.send(request).await {
            Ok(response) => return Ok((response, Lease { load, connection: Some(connection), pool })),
            // Closed by the server before any of it was sent: another connection may do.
            Err(mut error) => match error.take_message() {
                Some(unsent) => request = unsent,
                None => return Err(failed(error.into_error())),
            },
        }
    }
    let mut connection = open(&load, era, group.protocol).await.ok_or(StatusCode::BAD_GATEWAY)?;
    let response = connection.send(request).await.map_err(|error| failed(error.into_error()))?;
    Ok((response, Lease { load, connection: Some(connection), pool }))
}

async fn open(backend: &Backend, era: &Era, protocol: ServerProtocol) -> Option<Connection> {
    let target = backend.target(None)?;
    let made = tokio::time::timeout(CONNECT_LIMIT, async {
        let stream = connect(target, backend.source()).await?;
        let ended = era.requests.clone();
        match protocol {
            ServerProtocol::Http => Ok(Connection::new(stream, ended).await),
            ServerProtocol::Https => Ok(Connection::new(secure::wrap(stream).await?, ended).await),
        }
    });
    match made.await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => {
            let error: std::io::Error = error;
            tracing::info!(%target, %error, "a server cannot be reached");
            None
        }
        Err(_) => None,
    }
}
