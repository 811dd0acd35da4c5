//! Whose keys are whose: an access key belongs to one account for good, so that it is asked for once.
//!
//! The file holds digests of keys' ids, not the ids. It can be deleted: then each is asked for again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::base::durable;
use crate::state::StateError;

/// The accounts that commands with this folder have worked for.
#[derive(Debug)]
pub struct Accounts {
    path: PathBuf,
}

impl Accounts {
    /// Those of all stacks whose state is below a folder.
    pub fn of(folder: &Path) -> Self {
        Self { path: folder.join("accounts.json") }
    }

    /// The account of a key at an endpoint. What cannot be read is as good as not known.
    pub fn find(&self, endpoint: &str, access_key_id: &str) -> Option<String> {
        self.read().remove(&digest(endpoint, access_key_id))
    }

    /// Remembers it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn remember(&self, endpoint: &str, access_key_id: &str, account: &str) -> Result<(), StateError> {
        let mut known = self.read();
        let key = digest(endpoint, access_key_id);
        if known.insert(key, account.to_owned()).as_deref() == Some(account) {
            return Ok(());
        }
        let json = serde_json::to_vec_pretty(&known).expect("a map of texts is JSON");
        Ok(durable::replace(&self.path, &json)?)
    }

    fn read(&self) -> BTreeMap<String, String> {
        let content = durable::read(&self.path).ok().flatten().unwrap_or_default();
        let mut known: BTreeMap<String, String> = serde_json::from_slice(&content).unwrap_or_default();
        // It becomes the name of a folder.
        known.retain(|_, account| !account.is_empty() && account.bytes().all(|byte| byte.is_ascii_digit()));
        known
    }
}

fn digest(endpoint: &str, access_key_id: &str) -> String {
    hex::encode(Sha256::digest(format!("{endpoint}\n{access_key_id}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_of_each_endpoint_has_its_account() {
        let folder = tempfile::tempdir().unwrap();
        let accounts = Accounts::of(folder.path());
        assert_eq!(accounts.find("cn", "one"), None);
        accounts.remember("cn", "one", "100").unwrap();
        accounts.remember("cn", "two", "200").unwrap();
        accounts.remember("local", "one", "300").unwrap();
        let found = [("cn", "one"), ("cn", "two"), ("local", "one"), ("local", "two")]
            .map(|(endpoint, key)| accounts.find(endpoint, key));
        assert_eq!(found, [Some("100".into()), Some("200".into()), Some("300".into()), None]);
        assert!(!std::fs::read_to_string(&accounts.path).unwrap().contains("one"), "no key stands there");
    }

    #[test]
    fn a_damaged_file_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let accounts = Accounts::of(folder.path());
        let named = |account: &str| format!(r#"{{"{}": "{account}"}}"#, digest("cn", "one")).into_bytes();
        for damaged in [b"\xff\n nonsense\n".to_vec(), named("../100"), named("")] {
            std::fs::write(&accounts.path, damaged).unwrap();
            assert_eq!(accounts.find("cn", "one"), None);
        }
        accounts.remember("cn", "one", "100").unwrap();
        assert_eq!(accounts.find("cn", "one").as_deref(), Some("100"));
    }
}
