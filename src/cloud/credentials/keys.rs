//! A key pair, and for how long it is good.

use std::time::Duration;

use jiff::Timestamp;

use crate::base::secret::Secret;

/// An access key, and a token when it is a temporary one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Public part.
    pub access_key_id: String,
    /// Secret part.
    pub access_key_secret: Secret<String>,
    /// Token of a temporary key.
    pub security_token: Option<Secret<String>>,
}

impl Keys {
    /// A key, with a token when it is a temporary one; blanks around them, as a copied line has, are dropped.
    pub fn new(
        access_key_id: impl Into<String>,
        access_key_secret: Secret<String>,
        security_token: Option<Secret<String>>,
    ) -> Self {
        let plain = |secret: Secret<String>| Secret::new(secret.expose().trim().to_owned());
        Self {
            access_key_id: access_key_id.into().trim().to_owned(),
            access_key_secret: plain(access_key_secret),
            security_token: security_token.map(plain),
        }
    }
}

/// Keys as a source gave them.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// The keys.
    pub(super) keys: Keys,
    /// When they end; without it they are good until a call is refused.
    pub(super) expires: Option<Timestamp>,
    /// Whose they are, when that is known only after asking: the role of an instance.
    pub(super) role: Option<String>,
}

impl Session {
    /// Keys that do not end.
    pub(super) fn lasting(keys: Keys) -> Self {
        Self { keys, expires: None, role: None }
    }

    /// Whether they are still good for so long.
    pub(super) fn lasts(&self, now: Timestamp, time: Duration) -> bool {
        self.expires.is_none_or(|end| now.checked_add(time).is_ok_and(|then| then < end))
    }
}
