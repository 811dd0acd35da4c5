//! Compression of answers for clients that can read it, while they are on their way.

use std::io::Write;
use std::task::{Context, Poll, ready};

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::Response;
use hyper::body::{Body as _, Bytes, Frame};
use hyper::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderValue, VARY,
};

use crate::plane::proxy::body::{Body, Served};

/// Shorter answers stay as they are.
const SHORTEST: u64 = 1024;
/// What is worth it.
const TYPES: &[&str] = &[
    "text/xml",
    "text/plain",
    "text/css",
    "text/html",
    "application/javascript",
    "application/x-javascript",
    "application/rss+xml",
    "application/atom+xml",
    "application/xml",
    "application/json",
];

/// Whether a client says that it reads gzip.
pub(super) fn is_read_by(client: &HeaderMap) -> bool {
    let values = client.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        is_gzip && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

/// Compresses an answer, if it is of a kind that is.
pub(super) fn compress(mut response: Response<Body>) -> Response<Body> {
    if !is_worth_it(&response) {
        return response;
    }
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.remove(ACCEPT_RANGES);
    // The bytes differ from those that the server named.
    headers.remove(ETAG);
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    response.map(|body| match body {
        Body::Served(served) => Body::Compressed(Box::new(Compressed::new(served))),
        own @ (Body::Empty | Body::Whole(_) | Body::Compressed(_)) => own,
    })
}

fn is_worth_it(response: &Response<Body>) -> bool {
    let headers = response.headers();
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let is_whole = response.status().is_success() && response.status().as_u16() != 206;
    let length = response.body().size_hint().exact();
    is_whole
        && !headers.contains_key(CONTENT_ENCODING)
        && TYPES.iter().any(|known| known.eq_ignore_ascii_case(kind))
        && length.is_none_or(|length| length >= SHORTEST)
}

/// What a server sends, compressed; what it sends together arrives together.
pub(super) struct Compressed {
    served: Served,
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl Compressed {
    fn new(served: Served) -> Self {
        Self { served, encoder: Some(GzEncoder::new(Vec::new(), Compression::fast())) }
    }

    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        while let Some(encoder) = &mut self.encoder {
            let compressed = match ready!(self.served.poll(context)) {
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => frame.data_ref().map_or_else(Vec::new, |data| {
                    // Writing into memory does not fail.
                    let _ = encoder.write_all(data).and_then(|()| encoder.flush());
                    std::mem::take(encoder.get_mut())
                }),
                None => self.encoder.take().and_then(|encoder| encoder.finish().ok()).unwrap_or_default(),
            };
            if !compressed.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(Bytes::from(compressed)))));
            }
        }
        Poll::Ready(None)
    }
}
