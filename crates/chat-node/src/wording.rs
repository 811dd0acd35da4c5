//! Every sentence a client reads, and the rules for names and texts those sentences speak of.
//!
//! The first five are the tutorial's and must not change by a character; the rest say what the tutorial keeps silent.

use thiserror::Error;

/// Greets every client as soon as it is connected.
pub const WELCOME: &str = "Welcome to the chatroom!";
/// Answers a message of a client that has no name yet.
pub const USERNAME_FIRST: &str = "Failed to send the message. Specify a username first.";
/// Answers a message that certainly did not reach the stream.
pub const NOT_SENT: &str =
    "Failed to send the message. The chatroom cannot be reached right now; try again in a moment.";
/// Told once in an outage to a client whose message waits.
pub const KEPT: &str =
    "The chatroom cannot be reached right now. Your message is kept and will be sent as soon as it is back.";
/// Answers a message whose fate is unknown, because the connection broke before Redis had answered.
pub const MAYBE_NOT_SENT: &str = "The message may not have been sent: the connection to the chatroom broke. \
     Send it again if it does not appear in a moment.";
/// Answers a `message` event that does not carry one string.
pub const NOT_TEXT: &str = "Failed to send the message. It must be text.";
/// Answers a `set_username` event without a usable name.
pub const BAD_USERNAME: &str =
    "Failed to set the username. Use 1 to 64 characters, without control characters.";

/// Confirms a name to the client that chose it.
pub fn username_set(username: &Username) -> String {
    format!("Your username is set to {}", username.as_str())
}

/// A message as everybody sees it.
pub fn said(username: &Username, text: &str) -> String {
    format!("{}: {text}", username.as_str())
}

/// Tells everybody that a named client is gone.
pub fn left(username: &Username) -> String {
    format!("{} left the chatroom.", username.as_str())
}

/// Answers a text above the limit.
pub fn too_long(limit: usize) -> String {
    format!("Failed to send the message. It is longer than {limit} characters.")
}

/// A name that is not a name.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("not a usable user name")]
pub struct BadUsername;

/// What a client calls itself: trimmed, 1 to 64 characters, one line, read in the order it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username(String);

impl Username {
    /// Longest name in characters.
    pub const MAX_CHARACTERS: usize = 64;

    /// Trims and checks a name.
    pub fn parse(given: &str) -> Result<Self, BadUsername> {
        let name = given.trim();
        let length = name.chars().count();
        if length == 0 || length > Self::MAX_CHARACTERS || name.chars().any(is_deceptive) {
            return Err(BadUsername);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters, and those that break a line or turn the direction of what follows, so that a name cannot
/// pass for another line of the log.
fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tutorials_sentences_are_exact() {
        let name = Username::parse("Ada").unwrap();
        assert_eq!(username_set(&name), "Your username is set to Ada");
        assert_eq!(said(&name, "hello"), "Ada: hello");
        assert_eq!(left(&name), "Ada left the chatroom.");
    }

    #[test]
    fn names_are_trimmed_and_may_be_of_any_script() {
        assert_eq!(Username::parse("  Ada Lovelace ").unwrap().as_str(), "Ada Lovelace");
        assert_eq!(Username::parse("阿达").unwrap().as_str(), "阿达");
        assert_eq!(Username::parse(&"é".repeat(64)).unwrap().as_str().chars().count(), 64);
    }

    #[test]
    fn names_that_are_empty_long_or_deceptive_are_refused() {
        for refused in ["", "   ", "a\nb", "a\u{0}b", "a\u{202E}b", "a\u{2028}b", &"x".repeat(65)] {
            assert_eq!(Username::parse(refused), Err(BadUsername), "{refused:?} was accepted");
        }
    }
}
