//! Signature version 4 of OSS, verified from what arrived.
//!
//! What is signed: method, `/BUCKET/KEY`, sorted query, headers (`content-type`, `content-md5`, all that begin with
//! `x-oss-`, and those that `AdditionalHeaders` names), the names of the latter, and `UNSIGNED-PAYLOAD`. The key for it
//! follows from the secret, the day, the region and the name of the service.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::auth::WINDOW_MILLISECONDS;
use crate::oss::Asked;
use crate::wire::ApiError;
use crate::wire::encoding::encode;
use crate::wire::http::Head;
use crate::world::session::Credential;

const ALGORITHM: &str = "OSS4-HMAC-SHA256";
const SERVICE: &str = "oss";
const TERMINATOR: &str = "aliyun_v4_request";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// What a request says of its sender.
#[derive(Debug)]
pub struct Claim<'a> {
    /// The key.
    pub access_key_id: &'a str,
    day: &'a str,
    region: &'a str,
    additional: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Claim<'a> {
    /// Reads the `Authorization` header.
    ///
    /// # Errors
    /// The refusal of other versions, and of a header that is not whole.
    pub fn of(head: &'a Head) -> Result<Self, ApiError> {
        let header = head.header("authorization").unwrap_or_default();
        let Some(fields) = header.strip_prefix(ALGORITHM) else {
            let message =
                "The signature version of the request is not supported for this bucket: use version 4.";
            return Err(ApiError::forbidden("AccessDenied", message));
        };
        let field = |name: &str| {
            let fields = fields.split(',').filter_map(|field| field.trim().split_once('='));
            fields.into_iter().find(|(own, _)| *own == name).map(|(_, value)| value)
        };
        let credential: Vec<&str> = field("Credential").unwrap_or_default().split('/').collect();
        let ([access_key_id, day, region, SERVICE, TERMINATOR], Some(signature)) =
            (credential.as_slice(), field("Signature"))
        else {
            return Err(malformed("the Authorization header is not whole"));
        };
        let additional = field("AdditionalHeaders").unwrap_or_default();
        let additional = additional.split(';').filter(|name| !name.is_empty()).collect();
        Ok(Self { access_key_id, day, region, additional, signature })
    }

    /// Holds it against the key it names.
    ///
    /// # Errors
    /// The service's refusal.
    pub fn check(
        &self,
        (head, asked): (&Head, &Asked),
        credential: &Credential,
        (world, clock): (i64, i64),
        region: &str,
    ) -> Result<(), ApiError> {
        check_token(head, credential, world)?;
        let date = head.header("x-oss-date").ok_or_else(|| malformed("there is no x-oss-date"))?;
        if self.region != region || !date.starts_with(self.day) {
            return Err(malformed("the scope of the signature is not that of the request"));
        }
        if head.header("x-oss-content-sha256") != Some(UNSIGNED) {
            return Err(malformed("x-oss-content-sha256 is UNSIGNED-PAYLOAD"));
        }
        let sent = moment(date).ok_or_else(|| malformed("x-oss-date has another form"))?;
        if (sent - clock).abs() > WINDOW_MILLISECONDS {
            let message = "The difference between the request time and the current time is too large.";
            return Err(ApiError::forbidden("RequestTimeTooSkewed", message));
        }
        let hashed = hex::encode(Sha256::digest(self.canonical_request(head, asked)));
        let scope = format!("{}/{}/{SERVICE}/{TERMINATOR}", self.day, self.region);
        let text = format!("{ALGORITHM}\n{date}\n{scope}\n{hashed}");
        let key = [self.day, self.region, SERVICE, TERMINATOR]
            .iter()
            .fold(format!("aliyun_v4{}", credential.secret.expose()).into_bytes(), |key, part| {
                mac(&key, part)
            });
        if hex::encode(mac(&key, &text)) == self.signature {
            return Ok(());
        }
        let message = "The request signature we calculated does not match the signature you provided. Check your key \
                       and signing method.";
        Err(ApiError::forbidden("SignatureDoesNotMatch", message))
    }

    fn canonical_request(&self, head: &Head, asked: &Asked) -> String {
        let path = format!("/{}/{}", asked.bucket, asked.key);
        let path: Vec<String> = path.split('/').map(encode).collect();
        let mut query: Vec<(String, String)> =
            asked.query.iter().map(|(name, value)| (encode(name), encode(value))).collect();
        query.sort();
        let pair = |(name, value): (String, String)| match value.as_str() {
            "" => name,
            _ => format!("{name}={value}"),
        };
        let query: Vec<String> = query.into_iter().map(pair).collect();
        let mut headers: Vec<String> = head
            .headers
            .iter()
            .filter(|(name, _)| is_always_signed(name) || self.additional.contains(&name.as_str()))
            .map(|(name, value)| format!("{name}:{}\n", value.trim()))
            .collect();
        headers.sort();
        [
            &head.method,
            &path.join("/"),
            &query.join("&"),
            &headers.concat(),
            &self.additional.join(";"),
            UNSIGNED,
        ]
        .join("\n")
    }
}

fn is_always_signed(name: &str) -> bool {
    name.starts_with("x-oss-") || name == "content-type" || name == "content-md5"
}

fn check_token(head: &Head, credential: &Credential, now: i64) -> Result<(), ApiError> {
    match (&credential.token, head.header("x-oss-security-token")) {
        (None, None) => Ok(()),
        (Some((token, expires)), Some(given)) if token.expose() == given => {
            if *expires > now {
                return Ok(());
            }
            Err(ApiError::forbidden("SecurityTokenExpired", "The security token you provided has expired."))
        }
        _ => Err(ApiError::forbidden("InvalidSecurityToken", "The security token you provided is invalid.")),
    }
}

/// `20261201T034000Z` in milliseconds since 1970.
fn moment(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

fn malformed(reason: &str) -> ApiError {
    let message = format!("The request is not signed as version 4 has it: {reason}.");
    ApiError::bad_request("InvalidArgument", message)
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut code = Hmac::<Sha256>::new_from_slice(key).expect("any key length is accepted");
    code.update(text.as_bytes());
    code.finalize().into_bytes().to_vec()
}
