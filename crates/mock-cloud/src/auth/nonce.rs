//! Signature nonces seen while the time stamp they came with is accepted.

use std::collections::{BTreeMap, HashSet};

use sha2::{Digest, Sha256};

use crate::auth::WINDOW_MILLISECONDS;
use crate::wire::ApiError;

/// Nonces remembered at most, about 32 MB; beyond it those that end soonest are forgotten first.
const MOST: usize = 1 << 20;

const MINUTE: i64 = 60_000;

/// Digests of nonces, by the minute after which their time stamp is refused anyway.
#[derive(Debug, Default)]
pub struct Nonces {
    by_end: BTreeMap<i64, HashSet<[u8; 16]>>,
    count: usize,
}

impl Nonces {
    /// Takes the nonce of a key, sent with a time stamp; each is good for one call.
    ///
    /// # Errors
    /// `SignatureNonceUsed` for the second one.
    pub fn use_up(&mut self, key_id: &str, nonce: &str, sent: i64, now: i64) -> Result<(), ApiError> {
        self.forget(now);
        let digest = Sha256::new().chain_update(key_id).chain_update([0]).chain_update(nonce).finalize();
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        if self.by_end.values().any(|used| used.contains(&short)) {
            return Err(ApiError::bad_request(
                "SignatureNonceUsed",
                "Specified signature nonce was used already.",
            ));
        }
        let end = (sent + WINDOW_MILLISECONDS).div_euclid(MINUTE) + 1;
        self.by_end.entry(end).or_default().insert(short);
        self.count += 1;
        Ok(())
    }

    fn forget(&mut self, now: i64) {
        while let Some(first) = self.by_end.first_entry() {
            if *first.key() > now.div_euclid(MINUTE) && self.count < MOST {
                break;
            }
            self.count -= first.remove().len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_once_for_each_key() {
        let mut nonces = Nonces::default();
        assert_eq!(nonces.use_up("a", "n", 0, 0), Ok(()));
        assert_eq!(nonces.use_up("b", "n", 0, 0), Ok(()));
        let again = nonces.use_up("a", "n", 2 * MINUTE, WINDOW_MILLISECONDS);
        assert_eq!(again.unwrap_err().code, "SignatureNonceUsed", "another time stamp does not help");
    }

    #[test]
    fn what_the_window_refuses_anyway_is_forgotten() {
        let mut nonces = Nonces::default();
        for number in 0..1_000 {
            nonces.use_up("a", &number.to_string(), 0, 0).unwrap();
        }
        // Sent by a clock that is ahead: its time stamp is accepted for twice as long.
        nonces.use_up("a", "ahead", WINDOW_MILLISECONDS, 0).unwrap();
        let later = WINDOW_MILLISECONDS + 2 * MINUTE;
        nonces.use_up("a", "later", later, later).unwrap();
        assert_eq!(nonces.count, 2);
        assert!(nonces.use_up("a", "ahead", WINDOW_MILLISECONDS, later).is_err());
    }
}
