//! `ACS3-HMAC-SHA256`: canonical request over the headers that the caller names in `SignedHeaders`.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::auth::{Claim, SignedRequest};
use crate::wire::ApiError;
use crate::wire::encoding::encode;

/// First word of the Authorization header.
pub(super) const ALGORITHM: &str = "ACS3-HMAC-SHA256";

pub(super) fn claim(request: &SignedRequest) -> Result<Claim, ApiError> {
    let authorization = request.header("authorization").unwrap_or_default();
    let fields = authorization.strip_prefix(ALGORITHM).unwrap_or_default();
    let field = |name: &str| {
        let mut parts = fields.split(',').map(str::trim);
        parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
    };
    let malformed =
        || ApiError::bad_request("InvalidAuthorization", "The Authorization header is not complete.");
    let signed_headers = field("SignedHeaders").ok_or_else(malformed)?;
    let payload = hex::encode(Sha256::digest(&request.body));
    if request.header("x-acs-content-sha256").is_some_and(|given| given != payload) {
        let message = "The body does not have the hash of x-acs-content-sha256: payload hash mismatch.";
        return Err(ApiError::bad_request("SignatureDoesNotMatch", message));
    }
    let canonical = canonical_request(request, &signed_headers, &payload);
    let header = |name: &str| request.header(name).map(str::to_owned).ok_or_else(|| ApiError::missing(name));
    Ok(Claim {
        access_key_id: field("Credential").ok_or_else(malformed)?,
        signature: field("Signature").ok_or_else(malformed)?,
        timestamp: header("x-acs-date")?,
        nonce: header("x-acs-signature-nonce")?,
        string_to_sign: format!("{ALGORITHM}\n{}", hex::encode(Sha256::digest(canonical))),
        sign,
    })
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
