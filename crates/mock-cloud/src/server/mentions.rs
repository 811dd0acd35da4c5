//! Which resources a call is about: those its request names and those its reply shows.
//!
//! A later program counts from the call log alone which changes were read back by another action, so both lists hold
//! nothing but ids (and names that serve as ids) that exist or existed in this cloud.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::server::call_log::is_secret;
use crate::wire::Parameters;
use crate::world::ids::Ids;

/// The resources of one call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Mentions {
    /// Ids in the request.
    pub(super) named: BTreeSet<String>,
    /// Ids in the reply.
    pub(super) shown: BTreeSet<String>,
}

impl Mentions {
    /// Finds them; `reply` is absent for a refusal.
    pub(super) fn find(parameters: &Parameters, reply: Option<&Value>, ids: &Ids) -> Self {
        let mut mentions = Self::default();
        for (_, value) in parameters.iter().filter(|(name, _)| !is_secret(name)) {
            collect(value, ids, &mut mentions.named);
        }
        if let Some(reply) = reply {
            collect_values(reply, ids, &mut mentions.shown);
        }
        mentions
    }
}

fn collect_values(value: &Value, ids: &Ids, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => collect(text, ids, found),
        // Certificates have numbers for ids.
        Value::Number(number) if number.is_u64() => collect(&number.to_string(), ids, found),
        Value::Array(items) => items.iter().for_each(|item| collect_values(item, ids, found)),
        Value::Object(fields) => fields.values().for_each(|field| collect_values(field, ids, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A value is one id, or several in a JSON array or joined by commas.
fn collect(value: &str, ids: &Ids, found: &mut BTreeSet<String>) {
    if ids.knows(value) {
        found.insert(value.to_owned());
        return;
    }
    if value.contains([',', '[']) {
        let parts = value.split([',', '[', ']', '"', ' ']);
        found.extend(parts.filter(|part| ids.knows(part)).map(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_ids_of_this_cloud_are_mentioned_and_no_secret_is() {
        let mut ids = Ids::new(1);
        let made = ids.make("i-", "one", 20);
        let other = ids.make("i-", "two", 20);
        ids.know("deploy-key");
        let list = format!("[\"{made}\", \"{other}\"]");
        let given = [("InstanceIds", list.as_str()), ("KeyPairName", "deploy-key"), ("Password", &made)];
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let reply = json!({"Instances": {"Instance": [{"InstanceId": made, "ZoneId": "cn-hangzhou-b"}]}});
        let mentions = Mentions::find(&given, Some(&reply), &ids);
        let named = [made.clone(), other, "deploy-key".to_owned()];
        assert_eq!(mentions.named, BTreeSet::from(named));
        assert_eq!(mentions.shown, BTreeSet::from([made.clone()]));
        let secret = [("Password".to_owned(), made)].into_iter().collect();
        assert_eq!(Mentions::find(&secret, None, &ids), Mentions::default());
    }
}
