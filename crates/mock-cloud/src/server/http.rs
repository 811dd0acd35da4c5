//! HTTP/1.1: connections, requests into plain values, replies out of them.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, DATE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::auth::SignedRequest;
use crate::server::Cloud;
use crate::server::gateway::{LostReply, Reply};
use crate::wire::encoding::decode_pairs;

/// A reply with its whole body.
pub(super) type HttpReply = Response<Full<Bytes>>;

/// Serves connections until the task is dropped.
pub(super) async fn accept(cloud: Arc<Cloud>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve_connection(Arc::clone(&cloud), stream));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                // Out of file descriptors, most likely: give others time to close theirs.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve_connection(cloud: Arc<Cloud>, stream: TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let service = service_fn(move |request| {
        let cloud = Arc::clone(&cloud);
        async move { route(&cloud, request).await }
    });
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn route(cloud: &Arc<Cloud>, request: Request<Incoming>) -> Result<HttpReply, LostReply> {
    if request.uri().path().starts_with("/_mock/") {
        return Ok(cloud.administer(request).await);
    }
    let request = match plain(request).await {
        Ok(request) => request,
        Err(error) => {
            tracing::debug!(%error, "a body ended early");
            return Ok(text(StatusCode::BAD_REQUEST, "text/plain", "the body ended early\n".to_owned()));
        }
    };
    if request.path != "/" {
        let sentence = format!("mock-cloud: there is nothing at {}; the API is at /\n", request.path);
        return Ok(text(StatusCode::NOT_FOUND, "text/plain", sentence));
    }
    let mut reply = http_reply(cloud.answer(request).await?);
    reply.headers_mut().insert(DATE, cloud.date());
    Ok(reply)
}

async fn plain(request: Request<Incoming>) -> Result<SignedRequest, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes().to_vec();
    let headers = parts.headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let headers: Vec<(String, String)> = headers.collect();
    let is_form = headers.iter().any(|(name, value)| {
        name == "content-type" && value.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded")
    });
    Ok(SignedRequest {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: decode_pairs(parts.uri.query().unwrap_or_default()),
        form: if is_form { decode_pairs(&String::from_utf8_lossy(&body)) } else { Vec::new() },
        headers,
        body,
    })
}

fn http_reply(reply: Reply) -> HttpReply {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = text(status, reply.content_type, reply.body);
    if let Ok(id) = HeaderValue::from_str(&reply.request_id) {
        response.headers_mut().insert("x-acs-request-id", id);
    }
    if reply.throttled {
        // Milliseconds; official clients take any positive value as a throttling error.
        response.headers_mut().insert("x-acs-retry-after", HeaderValue::from_static("200"));
    }
    response
}

/// A reply of text.
pub(super) fn text(status: StatusCode, content_type: &'static str, body: String) -> HttpReply {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Reads a whole body; an unreadable one is empty.
pub(super) async fn read_body(body: Incoming) -> Result<Bytes, Infallible> {
    Ok(body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default())
}
