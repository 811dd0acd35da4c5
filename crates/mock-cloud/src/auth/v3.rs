//! `ACS3-HMAC-SHA256`: canonical request over the headers that the caller names in `SignedHeaders`.
//!
//! Which headers are signed differs from client to client, but the host and every `x-acs-` header that is there have
//! to be among them.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::auth::{Claim, SignedRequest, incomplete, unsupported_method};
use crate::wire::ApiError;
use crate::wire::encoding::encode;

/// First word of the Authorization header.
const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// Headers without which there is no signature, and what they are called when they are missing.
const REQUIRED: &[(&str, &str)] = &[
    ("host", "Host"),
    ("x-acs-action", "Action"),
    ("x-acs-version", "Version"),
    ("x-acs-date", "Timestamp"),
    ("x-acs-signature-nonce", "SignatureNonce"),
    ("x-acs-content-sha256", "ContentSha256"),
];

pub(super) fn claim(request: &SignedRequest) -> Result<Claim, ApiError> {
    let authorization = request.header("authorization").unwrap_or_default();
    let (algorithm, fields) = authorization.split_once(' ').unwrap_or((authorization, ""));
    if algorithm != ALGORITHM {
        return Err(unsupported_method());
    }
    let field = |name: &str| {
        let mut parts = fields.split(',').map(str::trim);
        parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
    };
    let part = |name: &str| {
        field(name).ok_or_else(|| incomplete(&format!("the Authorization header has no {name}")))
    };
    let signed_headers = part("SignedHeaders")?;
    check_signed_headers(request, &signed_headers)?;
    let payload = hex::encode(Sha256::digest(&request.body));
    if request.header("x-acs-content-sha256").is_some_and(|given| given != payload) {
        let message = "The body does not have the hash of x-acs-content-sha256: payload hash mismatch.";
        return Err(ApiError::bad_request("SignatureDoesNotMatch", message));
    }
    let canonical = canonical_request(request, &signed_headers, &payload);
    let header = |name: &str| request.header(name).unwrap_or_default().to_owned();
    Ok(Claim {
        access_key_id: part("Credential")?,
        signature: part("Signature")?,
        timestamp: header("x-acs-date"),
        nonce: header("x-acs-signature-nonce"),
        security_token: request.header("x-acs-security-token").map(str::to_owned),
        string_to_sign: format!("{ALGORITHM}\n{}", hex::encode(Sha256::digest(canonical))),
        sign,
    })
}

fn check_signed_headers(request: &SignedRequest, signed_headers: &str) -> Result<(), ApiError> {
    let signed: Vec<&str> = signed_headers.split(';').collect();
    if let Some((_, name)) = REQUIRED.iter().find(|(header, _)| request.header(header).is_none()) {
        return Err(ApiError::missing(name));
    }
    let present = request.headers.iter().map(|(name, _)| name.as_str());
    let mut covered = present.filter(|name| *name == "host" || name.starts_with("x-acs-"));
    match covered.find(|name| !signed.contains(name)) {
        Some(name) => Err(incomplete(&format!("SignedHeaders does not name {name}"))),
        None => Ok(()),
    }
}

fn canonical_request(request: &SignedRequest, signed_headers: &str, payload: &str) -> String {
    let mut query: Vec<&(String, String)> = request.query.iter().collect();
    query.sort();
    let query: Vec<String> =
        query.into_iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    let mut headers = String::new();
    for name in signed_headers.split(';') {
        let own = request.headers.iter().filter(|(own, _)| own == name);
        let mut values: Vec<&str> = own.map(|(_, value)| value.trim()).collect();
        values.sort_unstable();
        headers.extend([name, ":", &values.join(","), "\n"]);
    }
    let query = query.join("&");
    format!("{}\n{}\n{query}\n{headers}\n{signed_headers}\n{payload}", request.method, request.path)
}

fn sign(secret: &str, string_to_sign: &str) -> String {
    let mut code = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key length is accepted");
    code.update(string_to_sign.as_bytes());
    hex::encode(code.finalize().into_bytes())
}
