//! The opening handshake: what a request must carry to become a WebSocket, and what it is answered with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Method, Request, Response, StatusCode, Version};
use sha1::{Digest, Sha1};

/// What RFC 6455 appends to the key of a client.
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The only version there is.
const VERSION: &str = "13";

/// Whether a request asks for another protocol at all.
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, CONNECTION, "upgrade") && headers.contains_key(UPGRADE)
}

/// The answer that turns the connection into a WebSocket; `None` when the request is not one for that.
pub fn accept<B, R: Default>(request: &Request<B>) -> Option<Response<R>> {
    let headers = request.headers();
    let usable = request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && is_upgrade(headers)
        && has_token(headers, UPGRADE, "websocket")
        && headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == VERSION);
    let key = headers.get(SEC_WEBSOCKET_KEY).filter(|key| usable && is_key(key))?;
    let mut response = Response::new(R::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let answer = response.headers_mut();
    answer.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    answer.insert(UPGRADE, HeaderValue::from_static("websocket"));
    answer.insert(SEC_WEBSOCKET_ACCEPT, accept_key(key.as_bytes()));
    Some(response)
}

/// A key is 16 bytes in base64.
fn is_key(key: &HeaderValue) -> bool {
    STANDARD.decode(key.as_bytes()).is_ok_and(|bytes| bytes.len() == 16)
}

fn accept_key(key: &[u8]) -> HeaderValue {
    let digest = Sha1::new().chain_update(key).chain_update(KEY_SUFFIX).finalize();
    HeaderValue::try_from(STANDARD.encode(digest)).expect("base64 is ASCII")
}

fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let values = headers.get_all(name);
    values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|found| found.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(change: impl FnOnce(&mut Request<()>)) -> Request<()> {
        let mut request = Request::builder()
            .header("connection", "keep-alive, Upgrade")
            .header("upgrade", "WebSocket")
            .header("sec-websocket-version", "13")
            // The example of RFC 6455.
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .body(())
            .unwrap();
        change(&mut request);
        request
    }

    #[test]
    fn the_example_of_the_specification_is_answered_as_there() {
        let response = accept::<_, ()>(&request(|_| ())).unwrap();
        assert_eq!(response.status(), 101);
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(!response.headers().contains_key("sec-websocket-extensions"));
    }

    #[test]
    fn what_is_not_a_websocket_request_is_not_accepted() {
        let changes: [fn(&mut Request<()>); 7] = [
            |request| *request.method_mut() = Method::POST,
            |request| *request.version_mut() = Version::HTTP_10,
            |request| drop(request.headers_mut().remove("upgrade")),
            |request| drop(request.headers_mut().remove("connection")),
            |request| drop(request.headers_mut().insert("upgrade", HeaderValue::from_static("h2c"))),
            |request| {
                drop(request.headers_mut().insert("sec-websocket-version", HeaderValue::from_static("8")));
            },
            |request| {
                drop(request.headers_mut().insert("sec-websocket-key", HeaderValue::from_static("c2hvcnQ=")));
            },
        ];
        for (number, change) in changes.into_iter().enumerate() {
            assert!(accept::<_, ()>(&request(change)).is_none(), "number {number} was accepted");
        }
    }
}
