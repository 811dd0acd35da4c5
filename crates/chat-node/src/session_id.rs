//! Ids of sessions: 20 characters of base64url, 120 bits from a generator nobody can guess.
//!
//! One type for all of them: the session of the transport, the client in a namespace, and the private id by which a
//! client asks for its state again. Whoever knows one of these can speak as that client, so no private one is logged
//! and none can be guessed from another.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

/// Random bytes behind an id; a multiple of three, so that the text has no padding.
const BYTES: usize = 15;
/// Characters of the text.
const CHARACTERS: usize = BYTES / 3 * 4;

/// An id, small enough to be copied.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId([u8; CHARACTERS]);

/// A text that cannot be an id of ours.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("not a session id")]
pub struct BadSessionId;

impl SessionId {
    /// A new one, from the thread's cryptographic generator.
    pub fn random() -> Self {
        let bytes: [u8; BYTES] = rand::random();
        let mut text = [0; CHARACTERS];
        let written = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
        debug_assert_eq!(written, Ok(CHARACTERS));
        Self(text)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("both ways to make an id leave ASCII only")
    }
}

impl FromStr for SessionId {
    type Err = BadSessionId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let characters: [u8; CHARACTERS] = text.as_bytes().try_into().map_err(|_| BadSessionId)?;
        let usable =
            characters.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if usable { Ok(Self(characters)) } else { Err(BadSessionId) }
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SessionId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_twenty_characters_that_need_no_escape_and_never_the_same() {
        let ids: std::collections::HashSet<SessionId> = (0..1000).map(|_| SessionId::random()).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            assert_eq!(id.to_string().len(), 20);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for refused in [
            "",
            "short",
            "aaaaaaaaaaaaaaaaaaaa=",
            "aaaaaaaaaaaaaaaaaaa/",
            "aaaaaaaaaaaaaaaaaaaaa",
            "ééééééééééé",
        ] {
            assert_eq!(refused.parse::<SessionId>(), Err(BadSessionId), "{refused:?} was accepted");
        }
    }
}
