//! Tags that a topology asks for, beside those by which Albatross knows its own.
//!
//! Each is a field of its resource, so that a plan shows it and drift is told as of any other. Of the tags that are there
//! only those count that the topology has, or that the journal says the stack has set: whatever else others have
//! tagged is theirs.

use std::collections::BTreeMap;

use crate::base::tagger::Tagger;
use crate::base::word::{Word, word};
use crate::resource::Kind;
use crate::resource::observed::Fields;

/// Tags by key.
pub type UserTags = BTreeMap<String, String>;

/// How the names of their fields begin.
const PREFIX: &str = "tags.";
/// A field that the journal alone has. A command that ends between a call and its answer leaves tags that nobody has
/// written down as set, and that a topology may not have any more.
const BEGUN: &str = "tags_begun";
/// Stands for a tag that is not there.
pub const NO_TAG: &str = "";

/// The field of a tag.
pub fn field(key: &str) -> Word {
    word(format!("{PREFIX}{key}"))
}

/// The key of a field that is a tag.
pub fn key(field: &str) -> Option<&str> {
    field.strip_prefix(PREFIX)
}

/// A value as it is compared and shown: one that is empty has quotes, to be told from a tag that is not there.
pub fn shown(value: &str) -> String {
    if value.is_empty() || value.starts_with('"') { format!("{value:?}") } else { value.to_owned() }
}

/// Keys of tags that the stack has set, or was about to, by the fields of a resource that its journal has.
pub fn keys(fields: &Fields) -> impl Iterator<Item = String> {
    let set = fields.iter().filter(|(_, value)| *value != NO_TAG).filter_map(|(field, _)| key(field));
    let begun = fields.get(BEGUN).and_then(|list| serde_json::from_str::<Vec<String>>(list).ok());
    set.map(str::to_owned).chain(begun.into_iter().flatten())
}

/// The field by which the journal knows that these keys are about to be set; none are when they have been.
pub fn begun<'k>(keys: impl Iterator<Item = &'k String>) -> (String, String) {
    (BEGUN.to_owned(), serde_json::json!(keys.collect::<Vec<_>>()).to_string())
}

/// Who tags a kind, and what the kind is called there; none where no call sets tags once it is made.
pub fn tagger(kind: Kind) -> Option<(Tagger, &'static str)> {
    Some(match kind {
        Kind::Vpc => (Tagger::Vpc, "VPC"),
        Kind::VSwitch => (Tagger::Vpc, "VSWITCH"),
        Kind::SecurityGroup => (Tagger::Ecs, "securitygroup"),
        Kind::KeyPair => (Tagger::Ecs, "keypair"),
        Kind::Instance => (Tagger::Ecs, "instance"),
        Kind::RedisInstance => (Tagger::RKvstore, "INSTANCE"),
        Kind::LoadBalancer => (Tagger::Alb, "loadbalancer"),
        Kind::ServerGroup => (Tagger::Alb, "servergroup"),
        Kind::HostKey
        | Kind::SecurityRule
        | Kind::Redis
        | Kind::RedisAccount
        | Kind::Release
        | Kind::Server
        | Kind::Certificate
        | Kind::Listener
        | Kind::ListenerRule
        | Kind::Record => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_value_is_no_missing_tag() {
        let values = ["", "\"", "\"\"", "chat"].map(shown);
        let distinct: std::collections::BTreeSet<&String> = values.iter().collect();
        assert_eq!(distinct.len(), values.len(), "{values:?}");
        assert!(values.iter().all(|value| value != NO_TAG));
        assert_eq!(key(field("cost.center")), Some("cost.center"));
    }

    #[test]
    fn the_keys_of_the_stack_are_those_set_and_those_about_to_be() {
        let tag = |key: &str, value: &str| (field(key).to_owned(), value.to_owned());
        let about = ["squad, of \"chat\"".to_owned()];
        let fields = Fields::from([tag("team", "chat"), tag("gone", NO_TAG), begun(about.iter())]);
        assert_eq!(keys(&fields).collect::<Vec<_>>(), ["team", "squad, of \"chat\""]);
        let done = Fields::from([tag("team", "chat"), begun(std::iter::empty())]);
        assert_eq!(keys(&done).collect::<Vec<_>>(), ["team"]);
    }
}
