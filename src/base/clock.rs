//! The time of day, in one place.
//!
//! Waiting goes through `tokio::time`, which tests can pause; the date comes from here.

use jiff::Timestamp;

/// Now, in UTC.
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Now in the form the cloud signs: `2026-11-23T14:00:00Z`.
pub fn now_seconds() -> String {
    now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
