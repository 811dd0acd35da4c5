//! Who calls: both signature versions, verified from what arrived.
//!
//! 1. [`SignedRequest::claim`] reads who a request says it is, and the text it has to have signed;
//! 2. the key it names is looked up elsewhere;
//! 3. [`Claim::check`] holds it against that key, in the order of the gateway as clients meet it: security token,
//!    time stamp, signature; the nonce comes last, and only a good request uses it up.

mod nonce;
mod v1;
mod v3;

pub use nonce::Nonces;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::secret::Secret;
use crate::wire::ApiError;
use crate::wire::encoding::decode_pairs;
use crate::wire::http::Request;
use crate::world::session::Credential;

/// The window around the server's clock in which a time stamp is accepted.
pub const WINDOW_MILLISECONDS: i64 = 15 * 60 * 1000;

/// How every security token of this cloud begins.
pub const TOKEN_MARK: &str = "CAIS";

/// The parts of a request that signatures cover.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    /// Takes a request as it came.
    pub fn new(request: Request) -> Self {
        let Request { head, body } = request;
        let kind = head.header("content-type").unwrap_or_default().to_ascii_lowercase();
        let is_form = kind.starts_with("application/x-www-form-urlencoded");
        let form = if is_form { decode_pairs(&String::from_utf8_lossy(&body)) } else { Vec::new() };
        let query = decode_pairs(&head.query);
        Self { method: head.method, path: head.path, query, form, headers: head.headers, body }
    }

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
        if self.header("authorization").is_some() || self.header("x-acs-bearer-token").is_some() {
            SignatureVersion::V3
        } else if self.parameter("Signature").is_some() {
            SignatureVersion::V1
        } else {
            SignatureVersion::None
        }
    }

    /// Whom the request says it comes from, and what it has signed.
    ///
    /// # Errors
    /// The gateway's refusal of a signature that is not complete or of an algorithm it does not take.
    pub fn claim(&self) -> Result<Claim, ApiError> {
        if self.header("x-acs-bearer-token").is_some()
            || self.parameter("SignatureType") == Some("BEARERTOKEN")
        {
            return Err(unsupported_method());
        }
        match self.version() {
            SignatureVersion::V3 => v3::claim(self),
            SignatureVersion::V1 => v1::claim(self),
            SignatureVersion::None => Err(ApiError::missing("AccessKeyId")),
        }
    }
}

/// Signature version of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureVersion {
    /// In the Authorization header.
    V3,
    /// In the parameters.
    V1,
    /// Not signed.
    None,
}

/// What a request says of itself, and the text it has to have signed.
#[derive(Debug)]
pub struct Claim {
    /// Whose key.
    pub access_key_id: String,
    timestamp: String,
    nonce: String,
    signature: String,
    security_token: Option<String>,
    string_to_sign: String,
    sign: fn(secret: &str, string_to_sign: &str) -> String,
}

impl Claim {
    /// Holds it against the key it names: the end of a session by the clock of the world, the time stamp by that of
    /// the gateway.
    ///
    /// # Errors
    /// The gateway's refusal.
    pub fn check(&self, credential: &Credential, world: i64, gateway: i64) -> Result<(), ApiError> {
        self.check_token(credential, world)?;
        self.check_signature(&credential.secret, gateway)
    }

    /// Time stamp and signature alone.
    ///
    /// # Errors
    /// The gateway's refusal.
    pub fn check_signature(&self, secret: &Secret, now: i64) -> Result<(), ApiError> {
        let sent = self.sent()?;
        if (sent - now).abs() > WINDOW_MILLISECONDS {
            let message = "Specified time stamp or date value is expired.";
            return Err(ApiError::bad_request("InvalidTimeStamp.Expired", message));
        }
        if (self.sign)(secret.expose(), &self.string_to_sign) == self.signature {
            return Ok(());
        }
        // A colon before the text to sign: an old official core splits the message there and crashes without.
        let message = format!(
            "Specified signature is not matched with our calculation. server string to sign is:{}",
            self.string_to_sign
        );
        Err(ApiError::bad_request("SignatureDoesNotMatch", message))
    }

    /// Uses up its nonce.
    ///
    /// # Errors
    /// `SignatureNonceUsed`.
    pub fn use_nonce(&self, nonces: &mut Nonces, now: i64) -> Result<(), ApiError> {
        nonces.use_up(&self.access_key_id, &self.nonce, self.sent()?, now)
    }

    fn sent(&self) -> Result<i64, ApiError> {
        let parsed = self.timestamp.parse::<jiff::Timestamp>();
        parsed.map(jiff::Timestamp::as_millisecond).map_err(|_| {
            let message =
                format!("Specified time stamp {} is not of the form YYYY-MM-DDThh:mm:ssZ.", self.timestamp);
            ApiError::bad_request("InvalidTimeStamp.Format", message)
        })
    }

    fn check_token(&self, credential: &Credential, now: i64) -> Result<(), ApiError> {
        let refuse = |kind: &str, message: &str| {
            Err(ApiError::bad_request(format!("InvalidSecurityToken.{kind}"), message))
        };
        match (&credential.token, self.security_token.as_deref().filter(|token| !token.is_empty())) {
            (None, None) => Ok(()),
            (Some(_), None) => Err(ApiError::missing("SecurityToken")),
            (_, Some(given)) if !is_token(given) => {
                refuse("Malformed", "Specified SecurityToken is malformed.")
            }
            (Some((token, expires)), Some(given)) if token.expose() == given => {
                if *expires > now {
                    return Ok(());
                }
                refuse("Expired", "Specified SecurityToken is expired.")
            }
            (_, Some(_)) => {
                refuse("MismatchWithAccessKey", "Specified SecurityToken does not belong to the AccessKey.")
            }
        }
    }
}

/// Whether a text could be a security token of this cloud.
fn is_token(text: &str) -> bool {
    let rest = text.strip_prefix(TOKEN_MARK);
    rest.is_some_and(|rest| !rest.is_empty() && STANDARD.decode(rest).is_ok())
}

/// The refusal of other algorithms: SM3, RSA, bearer tokens.
fn unsupported_method() -> ApiError {
    ApiError::bad_request("InvalidSignatureMethod", "Specified signature method is not supported.")
}

/// The refusal of a signature without all its parts.
fn incomplete(reason: &str) -> ApiError {
    ApiError::bad_request("IncompleteSignature", format!("The request signature is not complete: {reason}."))
}
