//! Rules of tags: what the cloud takes, and what Albatross needs for itself.

use std::collections::BTreeMap;

use crate::topology::findings::{Finding, Findings, below};
use crate::topology::places::{Path, path};
use crate::topology::schema::Document;

/// The most characters of a key, and of a value.
const LONGEST: usize = 128;
/// The most tags of a resource, and how many of them an instance may need for Albatross.
const MOST: usize = 20;
const OWN: usize = 7;
/// How keys of the cloud and of Albatross begin.
const RESERVED: [&str; 3] = ["acs:", "aliyun", "albatross:"];
/// What the cloud takes nowhere in a tag.
const ADDRESSES: [&str; 2] = ["http://", "https://"];

/// Runs the rules of this file.
pub(super) fn check(document: &Document, findings: &mut Findings<'_>) {
    let of_all = path("tags");
    each(&document.tags, &of_all, findings);
    count(document.tags.len(), &of_all, findings);
    for (name, instance) in &document.instances {
        let place = below(&below(&path("instances"), name), "tags");
        each(&instance.tags, &place, findings);
        let more = instance.tags.keys().filter(|key| !document.tags.contains_key(*key)).count();
        if more > 0 {
            count(document.tags.len() + more, &place, findings);
        }
    }
}

fn each(tags: &BTreeMap<String, String>, place: &Path, findings: &mut Findings<'_>) {
    for (key, value) in tags {
        let place = below(place, key);
        if let Some(cause) = wrong_key(key) {
            findings.at_key(
                &place,
                Finding {
                    code: "tag-key",
                    message: format!("`{key}` cannot be the key of a tag"),
                    cause,
                    help: "write another key, such as `team`".to_owned(),
                },
            );
        }
        if let Some(cause) = wrong_value(value) {
            findings.at_value(
                &place,
                Finding {
                    code: "tag-value",
                    message: format!("the tag `{key}` cannot have this value"),
                    cause,
                    help: "write another value, such as `chat`".to_owned(),
                },
            );
        }
    }
}

fn wrong_key(key: &str) -> Option<String> {
    let lower = key.to_ascii_lowercase();
    if let Some(prefix) = RESERVED.into_iter().find(|prefix| lower.starts_with(prefix)) {
        let whose = if prefix == "albatross:" { "Albatross" } else { "the cloud" };
        return Some(format!("keys that begin with `{prefix}` are those of {whose}"));
    }
    wrong_length(key, "a key").or_else(|| address(&lower))
}

fn wrong_value(value: &str) -> Option<String> {
    let lower = value.to_ascii_lowercase();
    if let Some(prefix) = RESERVED[..2].iter().find(|prefix| lower.starts_with(**prefix)) {
        return Some(format!("values that begin with `{prefix}` are those of the cloud"));
    }
    // ECS lets a value be left out when an instance is made, and not when it is tagged later.
    wrong_length(value, "a value").or_else(|| address(&lower))
}

fn wrong_length(text: &str, what: &str) -> Option<String> {
    let length = text.chars().count();
    let is_wrong = !(1..=LONGEST).contains(&length);
    is_wrong.then(|| format!("it has {length} characters, and {what} has 1 to {LONGEST}"))
}

fn address(text: &str) -> Option<String> {
    let part = ADDRESSES.into_iter().find(|part| text.contains(part))?;
    Some(format!("the cloud takes no `{part}` in a tag"))
}

fn count(number: usize, place: &Path, findings: &mut Findings<'_>) {
    let most = MOST - OWN;
    if number > most {
        findings.at_key(
            place,
            Finding {
                code: "tag-count",
                message: format!("{number} tags are too many"),
                cause: format!(
                    "a resource has {MOST} at most, {OWN} of which Albatross may need: so {most}, those of the stack among them"
                ),
                help: "remove some, or put several into one value".to_owned(),
            },
        );
    }
}
