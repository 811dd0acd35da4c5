//! Counts from the cloud's call log alone what was made and what is left, without asking the program under test.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::canonical::{entries, text};

/// The call that makes a thing, the calls that remove one, and how its ids begin.
const KINDS: [(&str, &[&str], &str); 9] = [
    ("Vpc.CreateVpc", &["Vpc.DeleteVpc"], "vpc-"),
    ("Vpc.CreateVSwitch", &["Vpc.DeleteVSwitch"], "vsw-"),
    ("Ecs.CreateSecurityGroup", &["Ecs.DeleteSecurityGroup"], "sg-"),
    ("Ecs.ImportKeyPair", &["Ecs.DeleteKeyPairs"], "albatross-"),
    ("Ecs.RunInstances", &["Ecs.DeleteInstance", "Ecs.DeleteInstances"], "i-"),
    ("Alb.CreateLoadBalancer", &["Alb.DeleteLoadBalancer"], "alb-"),
    ("Alb.CreateServerGroup", &["Alb.DeleteServerGroup"], "sgp-"),
    ("Alb.CreateListener", &["Alb.DeleteListener"], "lsn-"),
    ("Alidns.AddDomainRecord", &["Alidns.DeleteDomainRecord"], ""),
];

/// The fault by which a call is done and answered as if it were not.
const DONE_AND_REFUSED: &str = "server_error_after_commit";

/// How many of each kind, by the call that makes one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Recount {
    made: BTreeMap<&'static str, usize>,
    left: BTreeMap<&'static str, usize>,
}

impl Recount {
    /// Of every call so far. A call that is repeated with its token is answered with the id it made: counted once.
    pub(crate) fn of(calls: &[Value]) -> Self {
        let mut recount = Self::default();
        for (making, removing, prefix) in KINDS {
            let is_one = |id: &&Value| text(id).starts_with(prefix) && (!prefix.is_empty() || is_number(id));
            let succeeded = || calls.iter().filter(|call| call["status"] == 200);
            let made: BTreeSet<&str> = succeeded()
                .filter(|call| call["operation"] == making)
                .flat_map(|call| entries(&call["resources"]["shown"]).filter(is_one).map(text))
                .collect();
            let removed: BTreeSet<&str> = calls
                .iter()
                .filter(|call| call["status"] == 200 || call["fault"] == DONE_AND_REFUSED)
                .filter(|call| removing.contains(&text(&call["operation"])))
                .flat_map(|call| entries(&call["resources"]["named"]).filter(is_one).map(text))
                .collect();
            // A key pair is named by us: it may be made again under the same name.
            recount.made.insert(making, made.len());
            recount.left.insert(making, made.difference(&removed).count());
        }
        recount
    }

    /// The same with only what was made since an earlier count.
    pub(crate) fn since(mut self, earlier: &Self) -> Self {
        for (kind, count) in &mut self.made {
            *count -= earlier.made.get(kind).copied().unwrap_or_default();
        }
        self
    }

    /// Things made that an uninterrupted run does not make.
    pub(crate) fn duplicates(&self, expected: &Self) -> Vec<String> {
        more(&self.made, &expected.made, "made")
    }

    /// Things left that an uninterrupted run does not leave.
    pub(crate) fn orphans(&self, expected: &Self) -> Vec<String> {
        more(&self.left, &expected.left, "left")
    }
}

fn is_number(id: &Value) -> bool {
    text(id).bytes().all(|byte| byte.is_ascii_digit())
}

fn more(
    found: &BTreeMap<&'static str, usize>,
    expected: &BTreeMap<&'static str, usize>,
    word: &str,
) -> Vec<String> {
    let differing = found.iter().filter(|(kind, count)| Some(*count) > expected.get(*kind));
    differing.map(|(kind, count)| format!("{kind}: {count} {word}, not {}", expected[kind])).collect()
}
