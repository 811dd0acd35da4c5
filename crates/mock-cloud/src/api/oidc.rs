//! OIDC tokens: what a JSON Web Token says of itself, held against the provider that is registered.
//!
//! Its signature is not verified: that needs keys which only the issuer's own site has.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::wire::ApiError;
use crate::world::Moment;
use crate::world::account::OidcProvider;
use crate::world::meta::timestamp;

/// Characters a token may have.
const LENGTH: std::ops::RangeInclusive<usize> = 4..=20_000;

/// The claims of a token.
#[derive(Debug, Deserialize)]
pub(super) struct IdToken {
    iss: String,
    aud: Audience,
    /// Seconds since 1970.
    exp: i64,
    #[serde(default)]
    iat: i64,
    #[serde(default)]
    sub: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl IdToken {
    /// Reads a token; its header and its claims have to be JSON, its signature has to be there.
    pub(super) fn read(text: &str) -> Result<Self, ApiError> {
        let parts: Vec<&str> = text.split('.').collect();
        let [header, claims, signature] = parts.as_slice() else {
            return Err(invalid("it does not have three parts"));
        };
        if !LENGTH.contains(&text.len()) || signature.is_empty() {
            return Err(invalid("it is not complete"));
        }
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok();
        let header = decode(header).and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        if header.is_none_or(|header| !header["alg"].is_string()) {
            return Err(invalid("its header cannot be read"));
        }
        let claims = decode(claims).and_then(|bytes| serde_json::from_slice(&bytes).ok());
        claims.ok_or_else(|| invalid("its claims cannot be read: iss, aud and exp are needed"))
    }

    /// Holds its claims against the provider.
    pub(super) fn check(&self, provider: &OidcProvider, now: Moment) -> Result<(), ApiError> {
        let refuse = |kind: &str, message: &str| {
            Err(ApiError::bad_request(format!("AuthenticationFail.OIDCToken.{kind}"), message))
        };
        if self.iss.trim_end_matches('/') != provider.issuer.trim_end_matches('/') {
            return refuse(
                "IssuerNotMatch",
                "The issuer in the OIDC Token is not that of the OIDC Provider.",
            );
        }
        if !self.audiences().iter().any(|audience| provider.client_ids.contains(audience)) {
            return refuse("AudienceNotMatch", "Invalid audience.");
        }
        if self.exp.saturating_mul(1_000) <= now {
            return refuse("Expired", "This JsonWebToken is expired.");
        }
        Ok(())
    }

    fn audiences(&self) -> &[String] {
        match &self.aud {
            Audience::One(audience) => std::slice::from_ref(audience),
            Audience::Several(audiences) => audiences,
        }
    }
}

/// A token as the reply shows it.
pub(super) fn describe(token: &IdToken) -> Value {
    json!({
        "Issuer": token.iss,
        "Subject": token.sub,
        "ClientIds": token.audiences().join(","),
        "ExpirationTime": timestamp(token.exp.saturating_mul(1_000)),
        "IssuanceTime": timestamp(token.iat.saturating_mul(1_000)),
        "VerificationInfo": "Success",
    })
}

fn invalid(reason: &str) -> ApiError {
    let message = format!("This JsonWebToken is invalid: {reason}.");
    ApiError::bad_request("AuthenticationFail.OIDCToken.Invalid", message)
}
