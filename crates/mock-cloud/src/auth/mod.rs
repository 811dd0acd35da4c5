//! Who calls: both signature versions, verified from what arrived.
//!
//! The order of the checks is that of the gateway as clients meet it: key id, time stamp, signature, nonce.

mod nonce;
mod v1;
mod v3;

pub use nonce::Nonces;

use crate::wire::ApiError;

/// The window around the server's clock in which a time stamp is accepted.
pub const WINDOW_MILLISECONDS: i64 = 15 * 60 * 1000;

/// The one access key of the account.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// Sent by the caller.
    pub id: String,
    /// Never sent.
    pub secret: String,
}

/// The parts of a request that signatures cover.
#[derive(Debug, Clone, Default)]
pub struct SignedRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// Always `/` for RPC.
    pub path: String,
    /// Decoded pairs of the query.
    pub query: Vec<(String, String)>,
    /// Decoded pairs of a form body.
    pub form: Vec<(String, String)>,
    /// Headers with lower-case names, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The raw body.
    pub body: Vec<u8>,
}

impl SignedRequest {
    /// The first header of this (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// A parameter of the query or of the form.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut pairs = self.query.iter().chain(&self.form);
        pairs.find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Which signature version it carries.
    pub fn version(&self) -> SignatureVersion {
        match self.header("authorization") {
            Some(value) if value.starts_with(v3::ALGORITHM) => SignatureVersion::V3,
            _ if self.parameter("Signature").is_some() => SignatureVersion::V1,
            _ => SignatureVersion::None,
        }
    }

    /// Verifies key, time stamp and signature, and uses up the nonce.
    ///
    /// # Errors
    /// The gateway's refusal.
    pub fn authenticate(&self, key: &AccessKey, nonces: &mut Nonces, now: i64) -> Result<(), ApiError> {
        let claim = match self.version() {
            SignatureVersion::V3 => v3::claim(self)?,
            SignatureVersion::V1 => v1::claim(self)?,
            SignatureVersion::None => return Err(ApiError::missing("AccessKeyId")),
        };
        if claim.access_key_id != key.id {
            return Err(ApiError::not_found(
                "InvalidAccessKeyId.NotFound",
                "Specified access key is not found.",
            ));
        }
        check_time(&claim.timestamp, now)?;
        claim.verify(key)?;
        nonces.use_up(&claim.nonce, now)
    }
}

/// Signature version of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureVersion {
    /// `ACS3-HMAC-SHA256` in the Authorization header.
    V3,
    /// HMAC-SHA1 in the parameters.
    V1,
    /// Not signed.
    None,
}

/// What a request says of itself, and the text it has to have signed.
struct Claim {
    access_key_id: String,
    timestamp: String,
    nonce: String,
    signature: String,
    string_to_sign: String,
    sign: fn(secret: &str, string_to_sign: &str) -> String,
}

impl Claim {
    /// The message holds a colon before the text to sign: an old official core splits it there and crashes without.
    fn verify(&self, key: &AccessKey) -> Result<(), ApiError> {
        if (self.sign)(&key.secret, &self.string_to_sign) == self.signature {
            return Ok(());
        }
        let message = format!(
            "Specified signature is not matched with our calculation. server string to sign is:{}",
            self.string_to_sign
        );
        Err(ApiError::bad_request("SignatureDoesNotMatch", message))
    }
}

fn check_time(timestamp: &str, now: i64) -> Result<(), ApiError> {
    let Ok(parsed) = timestamp.parse::<jiff::Timestamp>() else {
        let message = format!("Specified time stamp {timestamp} is not of the form YYYY-MM-DDThh:mm:ssZ.");
        return Err(ApiError::bad_request("InvalidTimeStamp.Format", message));
    };
    if (parsed.as_millisecond() - now).abs() > WINDOW_MILLISECONDS {
        let message = "Specified time stamp or date value is expired.";
        return Err(ApiError::bad_request("InvalidTimeStamp.Expired", message));
    }
    Ok(())
}
