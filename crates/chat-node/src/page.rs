//! The page at `/`: one file, no other site involved, and a content security policy that keeps it so.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::IntoResponse;

const PAGE: &str = include_str!("../templates/page.html");
const NONCE: &str = "{{nonce}}";

/// Serves the page with a fresh nonce, the only thing that makes its style and script run.
pub async fn page() -> impl IntoResponse {
    let nonce = format!("{:032x}", rand::random::<u128>());
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (CONTENT_SECURITY_POLICY, policy),
        (CACHE_CONTROL, "no-store".to_owned()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    (headers, PAGE.replace(NONCE, &nonce))
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
