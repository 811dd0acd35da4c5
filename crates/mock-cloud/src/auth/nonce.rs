//! Signature nonces seen within the window.

use std::collections::HashMap;

use crate::auth::WINDOW_MILLISECONDS;
use crate::wire::ApiError;

/// Nonces with the moment they were used.
#[derive(Debug, Default)]
pub struct Nonces {
    used: HashMap<String, i64>,
    last_purge: i64,
}

impl Nonces {
    /// Takes a nonce; each is good for one call.
    ///
    /// # Errors
    /// `SignatureNonceUsed` for the second one.
    pub fn use_up(&mut self, nonce: &str, now: i64) -> Result<(), ApiError> {
        // A time stamp may lie as far ahead as behind, so a nonce has to be kept for both halves of the window.
        if now - self.last_purge > WINDOW_MILLISECONDS {
            self.used.retain(|_, at| now - *at <= 2 * WINDOW_MILLISECONDS);
            self.last_purge = now;
        }
        match self.used.insert(nonce.to_owned(), now) {
            None => Ok(()),
            Some(_) => Err(ApiError::bad_request(
                "SignatureNonceUsed",
                "Specified signature nonce was used already.",
            )),
        }
    }
}
