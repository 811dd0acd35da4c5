//! The page at `/`: one file, no other site involved, and a content security policy that keeps it so.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, Response};
use http_body_util::Full;

use crate::engine_io::Body;

const PAGE: &str = include_str!("../templates/page.html");
const NONCE: &str = "{{nonce}}";

const HEADERS: [(HeaderName, &str); 4] = [
    (CONTENT_TYPE, "text/html; charset=utf-8"),
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
];

/// The page with a fresh nonce, the only thing that makes its style and script run.
pub fn page() -> Response<Body> {
    let nonce = format!("{:032x}", rand::random::<u128>());
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let mut response = Response::new(Full::new(Bytes::from(PAGE.replace(NONCE, &nonce))));
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = HeaderValue::try_from(policy).expect("the policy is ASCII");
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_ids_others_rely_on() {
        for id in ["username", "set-username", "message", "send", "log", "status"] {
            assert!(PAGE.contains(&format!("id=\"{id}\"")), "#{id} is missing");
        }
    }

    #[test]
    fn the_page_loads_nothing_from_elsewhere_and_never_sets_markup() {
        for forbidden in ["http://", "https://", "innerHTML", "document.write", " src="] {
            assert!(!PAGE.contains(forbidden), "{forbidden:?} in the page");
        }
        assert_eq!(PAGE.matches(NONCE).count(), 2, "one style and one script carry the nonce");
    }
}
