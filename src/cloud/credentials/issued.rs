//! A temporary key as the metadata service, a credentials URI and STS write it.

use jiff::Timestamp;
use serde_json::Value;

use crate::base::clock;
use crate::base::secret::Secret;
use crate::cloud::credentials::error::SourceError;
use crate::cloud::credentials::keys::{Keys, Session};

/// Reads the answer of a service: `{"Code": "Success", "AccessKeyId": ..., "Expiration": "2026-11-23T14:00:00Z"}`.
///
/// `Code` may be left out, `Expiration` too.
pub(super) fn read(service: &str, body: &[u8]) -> Result<Session, SourceError> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| garbled(service, "it is not JSON"))?;
    if answer.get("Code").is_some_and(|code| code != "Success") {
        return Err(garbled(service, "its `Code` is not `Success`"));
    }
    of_fields(service, &answer)
}

/// Reads the fields of a key out of an object.
pub(super) fn of_fields(service: &str, object: &Value) -> Result<Session, SourceError> {
    let text = |field: &str| object.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    let secret = |field: &str| text(field).map(|text| Secret::new(text.to_owned()));
    let keys = Keys::new(
        text("AccessKeyId").ok_or_else(|| garbled(service, "it has no `AccessKeyId`"))?,
        secret("AccessKeySecret").ok_or_else(|| garbled(service, "it has no `AccessKeySecret`"))?,
        Some(secret("SecurityToken").ok_or_else(|| garbled(service, "it has no `SecurityToken`"))?),
    );
    let expires = text("Expiration").map(|text| end(service, text)).transpose()?;
    Ok(Session { keys, expires, role: None })
}

/// Reads when a key ends, which must be later than now.
pub(super) fn end(service: &str, text: &str) -> Result<Timestamp, SourceError> {
    let end: Timestamp = text.parse().map_err(|_| garbled(service, "its expiration is not a date"))?;
    if end <= clock::now() {
        return Err(SourceError::Ended { service: service.to_owned(), end });
    }
    Ok(end)
}

pub(super) fn garbled(service: &str, why: &'static str) -> SourceError {
    SourceError::Garbled { service: service.to_owned(), why }
}
