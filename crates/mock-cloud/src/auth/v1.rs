//! HMAC-SHA1 over all parameters: what the old cores, the CLI and Terraform send.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::auth::{Claim, SignedRequest, unsupported_method};
use crate::wire::ApiError;
use crate::wire::encoding::encode;

pub(super) fn claim(request: &SignedRequest) -> Result<Claim, ApiError> {
    let parameter =
        |name: &str| request.parameter(name).map(str::to_owned).ok_or_else(|| ApiError::missing(name));
    if parameter("SignatureMethod")? != "HMAC-SHA1" || parameter("SignatureVersion")? != "1.0" {
        return Err(unsupported_method());
    }
    let mut pairs: Vec<&(String, String)> =
        request.query.iter().chain(&request.form).filter(|(name, _)| name != "Signature").collect();
    pairs.sort();
    let encoded: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    let method = &request.method;
    Ok(Claim {
        access_key_id: parameter("AccessKeyId")?,
        timestamp: parameter("Timestamp")?,
        nonce: parameter("SignatureNonce")?,
        signature: parameter("Signature")?,
        security_token: request.parameter("SecurityToken").map(str::to_owned),
        string_to_sign: format!("{method}&%2F&{}", encode(&encoded.join("&"))),
        sign,
    })
}

fn sign(secret: &str, string_to_sign: &str) -> String {
    let key = format!("{secret}&");
    let mut code = Hmac::<Sha1>::new_from_slice(key.as_bytes()).expect("any key length is accepted");
    code.update(string_to_sign.as_bytes());
    STANDARD.encode(code.finalize().into_bytes())
}
