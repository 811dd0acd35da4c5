//! Names that are known when the program is built, such as those of fields, read back from a file.
//!
//! There are few of them, so each is kept once for as long as the program runs: what is read is then the same kind of
//! value as what is written in the source.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Deserializer};

/// A name that is known when the program is built.
pub type Word = &'static str;

static WORDS: Mutex<BTreeSet<Word>> = Mutex::new(BTreeSet::new());

/// The word with this text.
pub fn word(text: String) -> Word {
    let mut words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = words.get(text.as_str()) {
        return known;
    }
    let kept: Word = Box::leak(text.into_boxed_str());
    words.insert(kept);
    kept
}

/// For `#[serde(deserialize_with)]`.
///
/// # Errors
/// When what is read is no text.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Word, D::Error> {
    String::deserialize(deserializer).map(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_kept_once() {
        let one = word("idle_timeout".to_owned());
        let other = word("idle_timeout".to_owned());
        assert!(std::ptr::eq(one, other));
        assert_ne!(one, word("request_timeout".to_owned()));
    }
}
