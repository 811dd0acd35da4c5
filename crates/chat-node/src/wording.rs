//! Every sentence a client reads, and the rules for names and texts those sentences speak of.
//!
//! The first five are the tutorial's and must not change by a character; the rest say what the tutorial keeps silent.

use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

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
/// Answers a `message` event whose second value is no id.
pub const BAD_ID: &str = "Failed to send the message. Its id must be text of 1 to 64 bytes.";
/// Answers whoever sends too much.
pub const TOO_FAST: &str = "Failed to send the message. You are sending too fast; wait a moment.";
/// The last that is said to whoever goes on regardless.
pub const FAR_TOO_FAST: &str = "You are disconnected, because you keep sending too fast.";

/// Answers a `set_username` event without a usable name.
pub fn bad_username(limit: usize) -> String {
    format!(
        "Failed to set the username. Use 1 to {limit} characters, without control characters or a colon before a space."
    )
}

/// Confirms a name to the client that chose it.
pub fn username_set(username: &Username) -> String {
    format!("Your username is set to {}", username.as_str())
}

/// A message as everybody sees it.
pub fn said(username: &Username, text: &str) -> String {
    format!("{}{SEPARATOR}{text}", username.as_str())
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

/// What ends the name in what everybody sees. Nothing that looks like it can be part of a name, or a name would pass for
/// another's line.
const SEPARATOR: &str = ": ";
/// What looks like a colon, beside those that are one in the normal form.
const COLONS: [char; 5] = [':', '\u{2236}', '\u{A789}', '\u{589}', '\u{5C3}'];
/// The first character of scripts that are written with joiners. Those before know them for emoji only.
const FIRST_JOINED: char = '\u{590}';
/// What turns a digit, `#` or `*` into the picture of a key.
const KEYCAP: char = '\u{20E3}';

/// What a client calls itself: in Unicode's normal form NFKC, trimmed, one line, read in the order it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username(String);

impl Username {
    /// The longest name that may be allowed, in characters.
    pub const LONGEST: usize = 256;

    /// A name that was allowed somewhere.
    pub fn parse(given: &str) -> Result<Self, BadUsername> {
        Self::parse_within(given, Self::LONGEST)
    }

    /// Normalises, trims and checks a name of at most `limit` characters.
    pub fn parse_within(given: &str, limit: usize) -> Result<Self, BadUsername> {
        // One character can become eighteen. Nothing that is far too long is worth the work.
        if given.chars().nth(4 * limit).is_some() {
            return Err(BadUsername);
        }
        let normal: String = given.nfkc().collect();
        let name = normal.trim();
        let usable = (1..=limit).contains(&name.chars().count())
            && !name.chars().any(is_deceptive)
            && !has_separator(name)
            && joins_well(name);
        if usable { Ok(Self(name.to_owned())) } else { Err(BadUsername) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether somewhere a blank follows a colon, or what looks like one.
fn has_separator(name: &str) -> bool {
    name.split(COLONS).skip(1).any(|rest| rest.starts_with(char::is_whitespace))
}

/// Invisible, but part of how some scripts and many emoji are written.
fn is_joiner(character: char) -> bool {
    is_binding(character) || matches!(character, '\u{FE00}'..='\u{FE0F}')
}

/// Stands between two others.
fn is_binding(character: char) -> bool {
    matches!(character, '\u{200C}' | '\u{200D}')
}

/// Whether each joiner stands where it changes what is seen: else two names would look the same and differ by it.
fn joins_well(name: &str) -> bool {
    let characters: Vec<char> = name.chars().collect();
    characters.iter().enumerate().filter(|(_, character)| is_joiner(**character)).all(|(place, joiner)| {
        let before = place.checked_sub(1).map(|before| characters[before]);
        let behind = characters.get(place + 1).copied();
        let is_placed = before.is_some() && (behind.is_some() || !is_binding(*joiner));
        is_placed && before.is_some_and(|before| can_be_joined(before, *joiner, behind))
    })
}

fn can_be_joined(before: char, joiner: char, behind: Option<char>) -> bool {
    let is_emoji = match before {
        '0'..='9' | '#' | '*' => behind == Some(KEYCAP),
        '\u{A9}' | '\u{AE}' => true,
        _ => false,
    };
    before >= FIRST_JOINED || is_emoji && joiner == '\u{FE0F}'
}

/// Control characters, those that break a line, turn the direction of what follows or cannot be seen: a name cannot
/// pass for another line of the log, nor two that look the same be different by them.
fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFC}'
            | '\u{16FE4}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D159}' | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str) -> Result<String, BadUsername> {
        Username::parse_within(name, 64).map(|name| name.as_str().to_owned())
    }

    #[test]
    fn the_tutorials_sentences_are_exact() {
        let name = Username::parse("Ada").unwrap();
        assert_eq!(username_set(&name), "Your username is set to Ada");
        assert_eq!(said(&name, "hello"), "Ada: hello");
        assert_eq!(left(&name), "Ada left the chatroom.");
    }

    #[test]
    fn names_are_trimmed_and_may_be_of_any_script() {
        for (given, name) in [
            ("  Ada Lovelace ", "Ada Lovelace"),
            ("阿达", "阿达"),
            ("12:30", "12:30"),
            ("Ada:", "Ada:"),
            (
                "\u{645}\u{6CC}\u{200C}\u{62E}\u{648}\u{627}\u{647}\u{645}",
                "\u{645}\u{6CC}\u{200C}\u{62E}\u{648}\u{627}\u{647}\u{645}",
            ),
            ("\u{1F469}\u{200D}\u{1F4BB}", "\u{1F469}\u{200D}\u{1F4BB}"),
            ("\u{2764}\u{FE0F}\u{200D}\u{1F525}", "\u{2764}\u{FE0F}\u{200D}\u{1F525}"),
            ("Ada 1\u{FE0F}\u{20E3}", "Ada 1\u{FE0F}\u{20E3}"),
            ("\u{A9}\u{FE0F}", "\u{A9}\u{FE0F}"),
            ("\u{2236}\u{2236}Ada\u{A789}", "\u{2236}\u{2236}Ada\u{A789}"),
        ] {
            assert_eq!(parse(given).as_deref(), Ok(name));
        }
        assert_eq!(parse(&"é".repeat(64)).unwrap().chars().count(), 64);
    }

    #[test]
    fn names_that_look_the_same_are_the_same() {
        for (given, name) in [
            ("e\u{301}", "é"),
            ("\u{FF21}\u{FF44}\u{FF41}", "Ada"),
            ("\u{FB01}nn", "finn"),
            ("\u{3000}Ada\u{A0}", "Ada"),
            ("A\u{A0}B", "A B"),
        ] {
            assert_eq!(parse(given).as_deref(), Ok(name));
        }
    }

    #[test]
    fn names_that_are_empty_long_or_deceptive_are_refused() {
        for refused in [
            "",
            "   ",
            "a\nb",
            "a\u{0}b",
            "a\u{202E}b",
            "a\u{2028}b",
            "a\u{200B}b",
            "a\u{AD}b",
            "a\u{E0041}b",
            "\u{3164}",
            "\u{200D}",
            "\u{200C}\u{FE0F}",
            "\u{2066}a",
            "Ada: hello",
            "Ada\u{FF1A}\u{3000}hello",
            "Ada:\u{2003}hello",
            "Ada\u{2236} hello",
            "Ada\u{A789} hello",
            "Ada\u{589} hello",
            "Ada\u{5C3} hello",
            "Ada\u{FE55} hello",
            "\u{2800}",
            "Ada\u{2800}",
            "\u{1D159}",
            "Ada\u{1D173}",
            "Ada\u{1BCA3}",
            "Ada\u{16FE4}",
            "Ada\u{200D}",
            "Ada\u{200C}x",
            "Ada\u{FE0F}",
            "Ad\u{E9}\u{FE0F}",
            "Ada1\u{FE0F}",
            "1\u{200D}\u{20E3}",
            "\u{FE0F}Ada",
            "\u{200D}\u{1F4BB}",
            "\u{1F4BB}\u{200D}",
            &"x".repeat(65),
            &"\u{FDFA}".repeat(64),
            &" ".repeat(1000),
        ] {
            assert_eq!(parse(refused), Err(BadUsername), "{refused:?} was accepted");
        }
        assert!(Username::parse_within("Ada", 2).is_err());
    }
}
