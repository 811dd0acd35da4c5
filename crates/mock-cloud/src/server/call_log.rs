//! Every call as one line of JSON, secrets taken out, and how often each action was called.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::Serialize;

use crate::wire::Parameters;

/// Parameters whose values are nobody's business.
const SECRET: &[&str] =
    &["Password", "Secret", "SecurityToken", "Key", "PrivateKey", "UserData", "CommandContent", "Parameters"];

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
}

/// One call.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    pub(super) at: String,
    pub(super) request_id: String,
    pub(super) operation: String,
    pub(super) region: String,
    pub(super) parameters: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) ignored: BTreeSet<String>,
    pub(super) status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fault: Option<&'static str>,
}

impl CallLog {
    pub(super) fn open(path: &Path) -> std::io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self { path: path.to_owned(), inner: Mutex::new(Inner { file, counts: BTreeMap::new() }) })
    }

    pub(super) fn write(&self, entry: &Entry) {
        let mut inner = self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *inner.counts.entry(entry.operation.clone()).or_default() += 1;
        let mut line = serde_json::to_vec(entry).unwrap_or_default();
        line.push(b'\n');
        if let Err(error) = inner.file.write_all(&line) {
            tracing::warn!(path = %self.path.display(), %error, "the call log cannot be written");
        }
    }

    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner).counts.clone()
    }

    pub(super) fn read(&self) -> String {
        std::fs::read_to_string(&self.path).unwrap_or_default()
    }
}

/// Parameters as they may be written down. A tag's key is no secret, `Tag.1.Key`.
pub(super) fn redacted(parameters: &Parameters) -> BTreeMap<String, String> {
    let entries = parameters.iter().map(|(name, value)| {
        let last = name.rsplit('.').next().unwrap_or(name);
        let secret =
            SECRET.iter().any(|word| if *word == "Key" { name == "Key" } else { last.contains(word) });
        (name.to_owned(), if secret { "***".to_owned() } else { value.to_owned() })
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_written_down() {
        let given =
            [("Password", "x"), ("UserData", "x"), ("Tag.1.Key", "app"), ("KeyPairName", "k"), ("Key", "x")];
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let redacted = redacted(&given);
        assert_eq!(redacted["Password"], "***");
        assert_eq!(redacted["UserData"], "***");
        assert_eq!(redacted["Key"], "***");
        assert_eq!(redacted["Tag.1.Key"], "app");
        assert_eq!(redacted["KeyPairName"], "k");
    }
}
