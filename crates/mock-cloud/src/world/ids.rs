//! Ids in the official forms, from the seed, the kind and the call; never from the order of arrival.
//!
//! Two calls that race get the same ids whichever comes first, because an id is a digest of what was asked (its
//! client token, else its parameters), and only a repetition of the very same call counts upwards.

use std::collections::{BTreeMap, HashSet};

use sha2::{Digest, Sha256};

const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// The source of ids.
#[derive(Debug, Clone, Default)]
pub struct Ids {
    seed: u64,
    used: BTreeMap<String, u64>,
    known: HashSet<String>,
}

impl Ids {
    /// A source for this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// An id of lower-case letters and digits after a prefix, as `vpc-bp1` and twenty more.
    pub fn make(&mut self, prefix: &str, identity: &str, length: usize) -> String {
        let digest = self.digest(prefix, identity);
        let tail =
            digest.iter().take(length).map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]));
        self.know(&format!("{prefix}{}", tail.collect::<String>()))
    }

    /// A decimal id that does not start with zero.
    pub fn make_decimal(&mut self, kind: &str, identity: &str, length: usize) -> String {
        let digest = self.digest(kind, identity);
        let digits = digest.iter().take(length - 1).map(|byte| char::from(b'0' + byte % 10));
        let first = char::from(b'1' + digest[31] % 9);
        let id: String = std::iter::once(first).chain(digits).collect();
        self.know(&id)
    }

    /// An upper-case UUID.
    pub fn make_uuid(&mut self, kind: &str, identity: &str) -> String {
        let id = uuid(&self.digest(kind, identity));
        self.know(&id)
    }

    /// Remembers the id of a resource, or a name that serves as one; answers it.
    pub fn know(&mut self, id: &str) -> String {
        if !self.known.contains(id) {
            self.known.insert(id.to_owned());
        }
        id.to_owned()
    }

    /// Whether a resource of this id exists or existed.
    pub fn knows(&self, id: &str) -> bool {
        self.known.contains(id)
    }

    /// Thirty-two bytes for whatever else has to be made up.
    pub fn digest(&mut self, kind: &str, identity: &str) -> [u8; 32] {
        let count = self.used.entry(format!("{kind} {identity}")).or_default();
        *count += 1;
        digest(self.seed, kind, &format!("{identity} {count}"))
    }
}

/// A digest that depends on the seed and these words alone.
pub fn digest(seed: u64, kind: &str, identity: &str) -> [u8; 32] {
    let mut state = Sha256::new();
    state.update(seed.to_le_bytes());
    state.update(kind.as_bytes());
    state.update([0]);
    state.update(identity.as_bytes());
    state.finalize().into()
}

/// Writes sixteen bytes as an upper-case UUID.
pub fn uuid(bytes: &[u8; 32]) -> String {
    let text = hex::encode_upper(&bytes[..16]);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_do_not_depend_on_the_order_of_the_calls() {
        let mut one = Ids::new(7);
        let mut two = Ids::new(7);
        let (a, b) = (one.make("vpc-", "token a", 20), one.make("vpc-", "token b", 20));
        let (b2, a2) = (two.make("vpc-", "token b", 20), two.make("vpc-", "token a", 20));
        assert_eq!((a.clone(), b), (a2, b2));
        assert_ne!(a, one.make("vpc-", "token a", 20), "a repeated call gets a new id");
        assert_ne!(a, Ids::new(8).make("vpc-", "token a", 20), "another seed gives other ids");
    }
}
