//! Signature V3, `ACS3-HMAC-SHA256`. Pure: the same input gives the same signature.
//!
//! canonical request = method, path, canonical query, canonical headers (a line each, and an empty line), the names
//! of the signed headers, hash of the body; what is signed is the algorithm's name and the hash of that, with the
//! plain secret as the HMAC key. As in Go's and TypeScript's official SDKs, `host`, `content-type` and every
//! `x-acs-*` header is signed. `host` is signed exactly as sent, port included.

use std::collections::BTreeMap;
use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Name of the algorithm.
pub const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// What is signed.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// `POST`.
    pub method: &'a str,
    /// `/`: all our products are RPC style.
    pub path: &'a str,
    /// Decoded query parameters.
    pub query: &'a BTreeMap<String, String>,
    /// Headers with lower-case names; those that must be signed are picked here.
    pub headers: &'a BTreeMap<String, String>,
    /// Raw body.
    pub body: &'a [u8],
}

/// The `Authorization` header for a request.
pub fn authorization(request: &Request<'_>, access_key_id: &str, secret: &str) -> String {
    let names = signed_headers(request.headers);
    let signature = hmac_hex(secret, &string_to_sign(request));
    format!("{ALGORITHM} Credential={access_key_id},SignedHeaders={names},Signature={signature}")
}

/// Hash of a body as it travels in `x-acs-content-sha256`.
pub fn body_hash(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

/// RFC 3986: everything but letters, digits and `-_.~` becomes `%XX`.
pub fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Sorted, encoded pairs joined by `&`; an empty value keeps its `=`.
pub fn canonical_query(query: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = query
        .iter()
        .map(|(key, value)| format!("{}={}", percent_encode(key), percent_encode(value)))
        .collect();
    pairs.join("&")
}

fn string_to_sign(request: &Request<'_>) -> String {
    format!("{ALGORITHM}\n{}", hex::encode(Sha256::digest(canonical_request(request))))
}

fn canonical_request(request: &Request<'_>) -> String {
    let headers = signed(request.headers).fold(String::new(), |mut lines, (name, value)| {
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "{name}:{}", value.trim());
        lines
    });
    [
        request.method,
        request.path,
        &canonical_query(request.query),
        &headers,
        &signed_headers(request.headers),
        &body_hash(request.body),
    ]
    .join("\n")
}

fn signed(headers: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
    headers
        .iter()
        .filter(|(name, _)| name.starts_with("x-acs-") || *name == "host" || *name == "content-type")
}

fn signed_headers(headers: &BTreeMap<String, String>) -> String {
    let names: Vec<&str> = signed(headers).map(|(name, _)| name.as_str()).collect();
    names.join(";")
}

fn hmac_hex(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    /// The example of Alibaba's public documentation of signature V3.
    #[test]
    fn agrees_with_the_published_example() {
        let query = map(&[
            ("ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"),
            ("RegionId", "cn-shanghai"),
        ]);
        let headers = map(&[
            ("host", "ecs.cn-shanghai.aliyuncs.com"),
            ("x-acs-action", "RunInstances"),
            ("x-acs-version", "2014-05-26"),
            ("x-acs-date", "2023-10-26T10:22:32Z"),
            ("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"),
            ("x-acs-content-sha256", &body_hash(b"")),
            ("accept", "application/json"),
        ]);
        let request = Request { method: "POST", path: "/", query: &query, headers: &headers, body: b"" };
        let header = authorization(&request, "YourAccessKeyId", "YourAccessKeySecret");
        assert_eq!(
            header,
            "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;\
             x-acs-date;x-acs-signature-nonce;x-acs-version,\
             Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
        );
    }

    #[test]
    fn the_query_is_sorted_by_byte_and_encoded() {
        let query = map(&[("Tag.2", "b c"), ("Tag.10", "*~"), ("Tag.1", ""), ("name", "é/=")]);
        assert_eq!(canonical_query(&query), "Tag.1=&Tag.10=%2A~&Tag.2=b%20c&name=%C3%A9%2F%3D");
    }
}
