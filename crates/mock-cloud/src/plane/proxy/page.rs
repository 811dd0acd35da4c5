//! Answers of the load balancer's own.

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{Response, StatusCode};

use crate::plane::proxy::body::Body;

/// A page that says no more than its status.
pub(super) fn status(status: StatusCode) -> Response<Body> {
    let reason = status.canonical_reason().unwrap_or_default();
    let page = format!(
        "<html><head><title>{status}</title></head><body><h1>{}: {reason}</h1></body></html>\n",
        status.as_u16()
    );
    content(status, &HeaderValue::from_static("text/html"), Bytes::from(page))
}

/// A page with this content.
pub(super) fn content(status: StatusCode, kind: &HeaderValue, content: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::Whole(content));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind.clone());
    response
}

/// The way to another address.
pub(super) fn redirect(status: StatusCode, location: HeaderValue) -> Response<Body> {
    let mut response = self::status(status);
    response.headers_mut().insert(LOCATION, location);
    response
}
