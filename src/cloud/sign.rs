//! Signature V3, `ACS3-HMAC-SHA256`. Pure: the same input gives the same signature.
//!
//! canonical request = method, path, canonical query, canonical headers (a line each, and an empty line), the names
//! of the signed headers, hash of the body; what is signed is the algorithm's name and the hash of that, with the
//! plain secret as the HMAC key. Who sends decides which headers it signs; [`must_be_signed`] names those that Go's
//! and TypeScript's official SDKs sign, and that are signed here. `host` is signed exactly as sent, port included.

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
    /// Headers to be signed, with lower-case names.
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

/// Whether a header, named in lower case, has to be among those that are signed.
pub fn must_be_signed(name: &str) -> bool {
    name == "host" || name == "content-type" || name.starts_with("x-acs-")
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
    let headers = request.headers.iter().fold(String::new(), |mut lines, (name, value)| {
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

fn signed_headers(headers: &BTreeMap<String, String>) -> String {
    let names: Vec<&str> = headers.keys().map(String::as_str).collect();
    names.join(";")
}

fn hmac_hex(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests;
