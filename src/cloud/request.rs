//! A call as an HTTP request: signed with keys, or in the form of the few calls that carry their own proof.

use std::collections::BTreeMap;

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Url};

use crate::base::clock;
use crate::cloud::call::Call;
use crate::cloud::credentials::Keys;
use crate::cloud::sign;

/// Headers that no log may show.
const SECRET_HEADERS: [&str; 2] = ["authorization", "x-acs-security-token"];

/// The request for a call to an address; each has a date and a nonce of its own.
pub(super) fn build(call: &Call, mut url: Url, keys: Option<&Keys>) -> reqwest::Request {
    let body = body(call);
    let (query, headers) = match keys {
        Some(keys) => (call.query.clone(), signed_headers(call, keys, &url, &body)),
        None => (anonymous_query(call), common_headers(&body)),
    };
    let query = sign::canonical_query(&query);
    url.set_query((!query.is_empty()).then_some(query.as_str()));
    let mut request = reqwest::Request::new(Method::POST, url);
    for (name, value) in headers {
        // `host` is set from the address by the HTTP library, with the same text as was signed.
        if name == "host" {
            continue;
        }
        let secret = SECRET_HEADERS.contains(&name.as_str());
        let (Ok(name), Ok(mut value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
            continue;
        };
        value.set_sensitive(secret);
        request.headers_mut().insert(name, value);
    }
    *request.body_mut() = Some(body.into());
    request
}

/// What the cloud says of a call, without its secrets: a complaint about a signature repeats what was signed, a token
/// included.
pub(super) fn without_secrets(message: String, call: &Call, keys: Option<&Keys>) -> String {
    let of_keys = keys
        .into_iter()
        .flat_map(|keys| std::iter::once(&keys.access_key_secret).chain(&keys.security_token));
    let secrets = of_keys.chain(call.secrets.values()).filter(|secret| !secret.expose().is_empty());
    secrets.fold(message, |message, secret| {
        let encoded = sign::percent_encode(secret.expose());
        message.replace(secret.expose().as_str(), "***").replace(&encoded, "***")
    })
}

fn body(call: &Call) -> Vec<u8> {
    let secrets = call.secrets.iter().map(|(key, value)| (key.clone(), value.expose().clone()));
    let form = call.form.clone().into_iter().chain(secrets).collect();
    sign::canonical_query(&form).into_bytes()
}

/// What every request has.
fn common_headers(body: &[u8]) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::from([("accept".to_owned(), "application/json".to_owned())]);
    if !body.is_empty() {
        headers.insert("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
    }
    headers
}

/// A call that nobody signs has the older form, in which the query says which action it is.
fn anonymous_query(call: &Call) -> BTreeMap<String, String> {
    let mut query = call.query.clone();
    query.extend(
        [
            ("Action", call.action.clone()),
            ("Version", call.product.version().to_owned()),
            ("Format", "JSON".to_owned()),
            ("Timestamp", clock::now_seconds()),
            ("SignatureNonce", nonce()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    query
}

fn signed_headers(call: &Call, keys: &Keys, url: &Url, body: &[u8]) -> BTreeMap<String, String> {
    let mut headers = common_headers(body);
    headers.extend(
        [
            ("host", host_and_port(url)),
            ("x-acs-action", call.action.clone()),
            ("x-acs-version", call.product.version().to_owned()),
            ("x-acs-date", clock::now_seconds()),
            ("x-acs-signature-nonce", nonce()),
            ("x-acs-content-sha256", sign::body_hash(body)),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    if let Some(token) = &keys.security_token {
        headers.insert("x-acs-security-token".to_owned(), token.expose().clone());
        headers.insert("x-acs-accesskey-id".to_owned(), keys.access_key_id.clone());
    }
    let signed = headers.iter().filter(|(name, _)| sign::must_be_signed(name));
    let signed = signed.map(|(name, value)| (name.clone(), value.clone())).collect();
    let request = sign::Request { method: "POST", path: "/", query: &call.query, headers: &signed, body };
    let authorization = sign::authorization(&request, &keys.access_key_id, keys.access_key_secret.expose());
    headers.insert("authorization".to_owned(), authorization);
    headers
}

/// As the HTTP library writes it into the `host` header: without the port that belongs to the scheme.
pub(super) fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or(host.to_owned(), |port| format!("{host}:{port}"))
}

fn nonce() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;
    use crate::cloud::Product;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_request_that_is_shown_holds_no_secret() {
        let keys = Keys::new("id", secret("hunter2-key"), Some(secret("hunter2-token\n")));
        let call = Call::new(Product::Ecs, "DescribeInstances").with("RegionId", "cn-hangzhou");
        let url = Url::parse("https://ecs.example.com:8443/").unwrap();
        let request = build(&call, url, Some(&keys));
        assert_eq!(request.headers()["x-acs-security-token"], "hunter2-token");
        assert!(
            request.headers()["authorization"]
                .to_str()
                .unwrap()
                .starts_with("ACS3-HMAC-SHA256 Credential=id,")
        );
        assert_eq!(request.url().as_str(), "https://ecs.example.com:8443/?RegionId=cn-hangzhou");
        let shown = format!("{request:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("Signature="), "{shown}");
    }

    #[test]
    fn what_the_cloud_repeats_of_a_secret_is_not_repeated() {
        let keys = Keys::new("id", secret("a/b"), Some(secret("t=")));
        let call = Call::new(Product::Sts, "AssumeRoleWithOIDC").with_secret("OIDCToken", secret("oidc"));
        let message = "signed a%2Fb, t= and t%3D; oidc".to_owned();
        assert_eq!(without_secrets(message, &call, Some(&keys)), "signed ***, *** and ***; ***");
    }
}
