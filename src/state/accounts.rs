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
        Self { path: folder.join("accounts") }
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
        let lines = known.iter().map(|(key, account)| format!("{key} {account}\n"));
        Ok(durable::replace(&self.path, lines.collect::<Vec<String>>().concat().as_bytes())?)
    }

    fn read(&self) -> BTreeMap<String, String> {
        let content = durable::read(&self.path).ok().flatten().unwrap_or_default();
        let text = String::from_utf8(content).unwrap_or_default();
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        let is_account =
            |account: &str| account.bytes().all(|byte| byte.is_ascii_digit()) && !account.is_empty();
        pairs
            .filter(|(_, account)| is_account(account))
            .map(|(key, account)| (key.to_owned(), account.to_owned()))
            .collect()
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
        std::fs::write(&accounts.path, b"\xff\n nonsense\n").unwrap();
        assert_eq!(accounts.find("cn", "one"), None);
        accounts.remember("cn", "one", "100").unwrap();
        assert_eq!(accounts.find("cn", "one").as_deref(), Some("100"));
    }
}
