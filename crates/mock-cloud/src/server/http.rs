//! Where connections come in: each is served by a task of its own, API calls and admin requests apart.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::auth::SignedRequest;
use crate::oss;
use crate::server::connection::{Connection, Ended, HttpReply};
use crate::server::gateway::{Answer, LostReply};
use crate::server::{Cloud, page};
use crate::wire::ApiError;
use crate::wire::http::Request;

/// Connections at the same time; more are told to come back. Process hosts need file descriptors too.
const MOST_CONNECTIONS: usize = 512;

/// Serves connections of one address until the task is dropped.
pub(super) async fn accept(cloud: Arc<Cloud>, listener: TcpListener, region: String) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let region: Arc<str> = region.into();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                // Out of file descriptors, most likely: give others time to close theirs.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let (cloud, region) = (Arc::clone(&cloud), Arc::clone(&region));
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => {
                tokio::spawn(async move {
                    serve_connection(&cloud, stream, &region).await;
                    drop(place);
                });
            }
            Err(_) => {
                tokio::spawn(async move {
                    let message = format!("There are {MOST_CONNECTIONS} connections already.");
                    let full = ApiError::new(503, "ServiceUnavailable", message);
                    refuse(&cloud, Connection::new(stream), &full).await;
                });
            }
        }
    }
}

async fn serve_connection(cloud: &Arc<Cloud>, stream: TcpStream, region: &str) {
    let mut connection = Connection::new(stream);
    loop {
        let request = match connection.request().await {
            Ok(request) => request,
            Err(Ended::Quietly) => return,
            Err(Ended::Refused(error)) => return refuse(cloud, connection, &error).await,
        };
        let (keep_alive, method) = (request.head.keep_alive, request.head.method.clone());
        let Some(Answer { reply, delay }) = answer(cloud, request, region, &mut connection).await else {
            return;
        };
        if let Some(delay) = delay {
            let stays = connection.hold(delay.time).await;
            cloud.answered(&delay);
            if !stays {
                return;
            }
        }
        if connection.reply(&reply, &method, keep_alive).await.is_err() {
            return;
        }
        if !keep_alive {
            return connection.close().await;
        }
    }
}

async fn refuse(cloud: &Arc<Cloud>, mut connection: Connection<TcpStream>, error: &ApiError) {
    let reply = cloud.refuse(error);
    if connection.reply(&reply, "", false).await.is_ok() {
        connection.close().await;
    }
}

/// The answer to a request, which may be held for long: its caller is watched meanwhile, and it is done without them.
async fn answer(
    cloud: &Arc<Cloud>,
    request: Request,
    region: &str,
    connection: &mut Connection<TcpStream>,
) -> Option<Answer> {
    let gone = CancellationToken::new();
    let mut answering = std::pin::pin!(route(cloud, request, region, &gone));
    let answer = tokio::select! {
        biased;
        answer = &mut answering => answer,
        () = connection.left() => {
            gone.cancel();
            answering.await
        }
    };
    answer.ok()
}

async fn route(
    cloud: &Arc<Cloud>,
    request: Request,
    region: &str,
    gone: &CancellationToken,
) -> Result<Answer, LostReply> {
    let head = &request.head;
    let reply = if page::is_wanted(&request) {
        page::page()
    } else if let Some(file) = page::file_for(&request) {
        file
    } else if oss::is_meant(head) {
        return cloud.answer_oss(&request, region, gone).await;
    } else if head.path.starts_with("/_mock/") {
        cloud.administer(&request).await
    } else if head.path != "/" {
        let message = format!("There is nothing at {}: the API is at /.", head.path);
        cloud.refuse(&ApiError::not_found("InvalidAction.NotFound", message))
    } else if !["GET", "POST", "HEAD"].contains(&head.method.as_str()) {
        let message = format!("The HTTP method {} is not supported.", head.method);
        cloud.refuse(&ApiError::bad_request("UnsupportedHTTPMethod", message))
    } else {
        let mut answer = cloud.answer(&SignedRequest::new(request), region, gone).await?;
        answer.reply.headers.push(("date", cloud.date()));
        return Ok(answer);
    };
    Ok(Answer { reply, delay: None })
}

/// A reply of text.
pub(super) fn text(status: u16, content_type: &'static str, body: String) -> HttpReply {
    HttpReply { status, content_type, headers: Vec::new(), body: body.into_bytes() }
}
