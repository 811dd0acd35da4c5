//! Every call as one line of JSON, secrets taken out, and how often each action was called.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::Serialize;

use crate::facts::{ActionFacts, Effect};
use crate::server::mentions::Mentions;
use crate::wire::Parameters;

/// Words in the last part of a parameter's name, in lower case, that make its value nobody's business.
const SECRET: &[&str] = &[
    "passw",
    "secret",
    "securitytoken",
    "oidctoken",
    "privatekey",
    "userdata",
    "commandcontent",
    "parameters",
];

/// What calls of an action that nobody knows are counted as.
const UNKNOWN: &str = "unknown";

/// The log of one cloud.
#[derive(Debug)]
pub(super) struct CallLog {
    path: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    counts: BTreeMap<String, u64>,
    last: VecDeque<Last>,
}

/// Calls that are remembered for the page.
const MOST_LAST: usize = 60;

/// What is remembered of one.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Last {
    at: String,
    operation: String,
    status: u16,
    code: Option<String>,
    fault: Option<&'static str>,
}

/// One call.
#[derive(Debug, Serialize)]
pub(super) struct Entry<'a> {
    pub(super) at: String,
    /// The same in milliseconds since 1970, by the world's clock.
    pub(super) moment: i64,
    pub(super) request_id: &'a str,
    pub(super) operation: String,
    /// Absent when the action is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) effect: Option<Effect>,
    pub(super) client: Client<'a>,
    pub(super) region: &'a str,
    pub(super) parameters: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) ignored: &'a BTreeSet<String>,
    pub(super) status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fault: Option<&'static str>,
    pub(super) resources: &'a Mentions,
}

/// Who sent a call.
#[derive(Debug, Serialize)]
pub(super) struct Client<'a> {
    /// `V1`, `V3` or `none`.
    pub(super) signature: &'static str,
    /// Its `User-Agent`, empty when it sent none.
    pub(super) agent: &'a str,
}

impl CallLog {
    pub(super) fn open(path: &Path) -> std::io::Result<Self> {
        let file = File::options().create(true).append(true).mode(0o600).open(path)?;
        Ok(Self {
            path: path.to_owned(),
            inner: Mutex::new(Inner { file, counts: BTreeMap::new(), last: VecDeque::new() }),
        })
    }

    pub(super) fn write(&self, entry: &Entry<'_>) {
        let mut line = serde_json::to_vec(entry).unwrap_or_default();
        line.push(b'\n');
        let mut inner = self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Callers make up names without end.
        let name = if entry.effect.is_some() { &entry.operation } else { UNKNOWN };
        match inner.counts.get_mut(name) {
            Some(count) => *count += 1,
            None => drop(inner.counts.insert(name.to_owned(), 1)),
        }
        inner.last.truncate(MOST_LAST - 1);
        inner.last.push_front(Last {
            at: entry.at.clone(),
            operation: entry.operation.clone(),
            status: entry.status,
            code: entry.code.map(str::to_owned),
            fault: entry.fault,
        });
        if let Err(error) = inner.file.write_all(&line) {
            tracing::warn!(path = %self.path.display(), %error, "the call log cannot be written");
        }
    }

    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner).counts.clone()
    }

    /// The last calls, the newest first, and how many there were.
    pub(super) fn last(&self) -> (Vec<Last>, u64) {
        let inner = self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        (inner.last.iter().cloned().collect(), inner.counts.values().sum())
    }

    pub(super) fn read(&self) -> String {
        std::fs::read_to_string(&self.path).unwrap_or_default()
    }
}

/// Whether a parameter's value must not be written down. A tag's key is no secret (`Tag.1.Key`), a certificate's is.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    let last = name.rsplit('.').next().unwrap_or(&name);
    name == "key" || SECRET.iter().any(|word| last.contains(word))
}

/// Parameters as they may be written down. What an action does not know may be anything, a secret with a slip in its
/// name too; of an unknown action (`None`) that is all of them.
pub(super) fn redacted(parameters: &Parameters, action: Option<&ActionFacts>) -> BTreeMap<String, String> {
    let entries = parameters.iter().map(|(name, value)| {
        let known = action.is_some_and(|action| action.knows(name));
        let shown = if !known || is_secret(name) { "***" } else { value };
        (name.to_owned(), shown.to_owned())
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::facts;

    fn shown(name: &str, given: &[&str]) -> BTreeMap<String, String> {
        let (product, action) = name.split_once('.').unwrap();
        let given = given.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect();
        redacted(&given, facts().action(product, action))
    }

    #[test]
    fn secrets_are_not_written_down() {
        let run =
            shown("Ecs.RunInstances", &["Password", "UserData", "Tag.1.Key", "KeyPairName", "RegionId"]);
        assert_eq!((&*run["Password"], &*run["UserData"]), ("***", "***"));
        assert_eq!((&*run["Tag.1.Key"], &*run["KeyPairName"], &*run["RegionId"]), ("x", "x", "x"));
        assert_eq!(shown("cas.UploadUserCertificate", &["Key"])["Key"], "***");
        for name in ["password", "PASSWD", "Redis.1.AccountPassword", "clientSecret", "KEY"] {
            assert!(is_secret(name), "{name}");
        }
    }

    #[test]
    fn what_nobody_knows_is_not_written_down() {
        assert_eq!(shown("Ecs.RunInstances", &["Pasword"])["Pasword"], "***");
        assert_eq!(shown("Ecs.MakeCoffee", &["Sugar"])["Sugar"], "***");
    }
}
