//! Addresses as people write them on the command line: `instance.ecs01`, `instance.*`, `security_rule.ssh-*`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::resource::{Kind, ResourceAddress};
use crate::topology::nearest;

/// An address in whose name `*` stands for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    kind: Kind,
    name: String,
}

/// A text that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAPattern {
    /// It does not have the two parts.
    #[error("an address has a kind and a name, as in `instance.ecs01` or `instance.*`")]
    NoName,
    /// The kind does not exist.
    #[error("there is no kind `{word}`; {}", hint(.word))]
    NoKind {
        /// What stands in its place.
        word: String,
    },
}

fn hint(word: &str) -> String {
    let words = Kind::ALL.map(Kind::word);
    match nearest(word, words) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", words.join(", ")),
    }
}

impl Pattern {
    /// Whether an address fits. What has been deposed fits the name it had, too.
    pub fn fits(&self, address: &ResourceAddress) -> bool {
        let text = address.to_string();
        let name = text.split_once('.').map_or("", |(_, name)| name);
        let bare = name.split('~').next().unwrap_or_default();
        self.kind == address.kind && [name, bare].into_iter().any(|name| fits(&self.name, name))
    }
}

fn fits(pattern: &str, text: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(text) = text.strip_prefix(begin) else {
        return false;
    };
    (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| fits(rest, &text[at..]))
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.kind.word(), self.name)
    }
}

impl FromStr for Pattern {
    type Err = NotAPattern;

    fn from_str(text: &str) -> Result<Self, NotAPattern> {
        let (word, name) =
            text.split_once('.').filter(|(_, name)| !name.is_empty()).ok_or(NotAPattern::NoName)?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word);
        let kind = kind.ok_or_else(|| NotAPattern::NoKind { word: word.to_owned() })?;
        Ok(Self { kind, name: name.to_owned() })
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    #[test]
    fn a_star_stands_for_anything() {
        let address = ResourceAddress::new(Kind::SecurityRule, "ssh-203.0.113.0-24");
        for text in ["security_rule.*", "security_rule.ssh-*", "security_rule.*-24", "security_rule.s*113*24"]
        {
            assert!(pattern(text).fits(&address), "{text}");
        }
        for text in ["security_rule.ssh", "security_rule.*-25", "instance.*", "security_rule.ssh-*-*-*"] {
            assert!(!pattern(text).fits(&address), "{text}");
        }
    }

    #[test]
    fn what_was_deposed_fits_by_both_names() {
        let address = ResourceAddress::new(Kind::Instance, "ecs01~i-abc");
        assert!(pattern("instance.ecs01").fits(&address));
        assert!(pattern("instance.ecs01~i-abc").fits(&address));
        assert!(!pattern("instance.ecs01~i-def").fits(&address));
    }

    #[test]
    fn what_is_no_pattern_says_what_would_be() {
        let refused = |text: &str| text.parse::<Pattern>().unwrap_err().to_string();
        assert!(refused("ecs01").contains("`instance.ecs01`"));
        assert!(refused("instance.").contains("`instance.ecs01`"));
        assert!(refused("instances.ecs01").ends_with("did you mean `instance`?"));
        assert!(refused("0.ecs01").contains("vpc, vswitch"));
    }

    #[test]
    fn patterns_are_written_as_they_were_typed() {
        let typed = pattern("instance.ecs0*");
        assert_eq!(serde_json::to_string(&typed).unwrap(), "\"instance.ecs0*\"");
        assert_eq!(serde_json::from_str::<Pattern>("\"instance.ecs0*\"").unwrap(), typed);
    }
}
