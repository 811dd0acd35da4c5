//! The page at `/`: one file, no other site involved, and a content security policy that keeps it so.

mod template;

use std::sync::LazyLock;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, Response};
use http_body_util::Full;

use crate::engine_io::Body;
use template::Template;

static TEMPLATE: LazyLock<Template> = LazyLock::new(Template::assemble);

const HEADERS: [(HeaderName, &str); 4] = [
    (CONTENT_TYPE, "text/html; charset=utf-8"),
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
];

/// The page with a fresh nonce, the only thing that makes its style and script run.
pub fn page() -> Response<Body> {
    let nonce = format!("{:032x}", rand::random::<u128>());
    let mut response = Response::new(Full::new(Bytes::from(TEMPLATE.with_nonce(&nonce))));
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = HeaderValue::try_from(policy(&nonce)).expect("the policy is ASCII");
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    response
}

/// Nothing but what the page brings along, and its own server. No text ever becomes markup or script: where a browser
/// knows trusted types, there is no way to make one.
fn policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    )
}
