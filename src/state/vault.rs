//! Secret parameters of calls under way: on disk for as long as a call may have to be sent again, and no longer.
//!
//! A secret is in a file of its own, `secrets/<reference>`, before the journal's line that names it; the line has the
//! reference and a digest of the file. The file begins with a random line, so that the digest, which stays in the
//! journal, says nothing about a secret that could be guessed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::base::durable::{self, FileError};
use crate::base::secret::Secret;
use crate::state::StateError;

/// Where a journalled call has its secret parameters: name to [`Kept`].
pub const SECRETS: &str = "secrets";

/// What the journal has in place of a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Kept {
    /// Name of its file.
    #[serde(rename = "secret")]
    pub reference: String,
    /// SHA-256 of the file, in hex digits.
    pub sha256: String,
}

impl Kept {
    /// What a journalled call has in place of its secrets, by the names of the parameters.
    pub fn of_call(call: &Value) -> BTreeMap<String, Self> {
        let secrets = call.get(SECRETS).and_then(|secrets| BTreeMap::deserialize(secrets).ok());
        secrets.unwrap_or_default()
    }
}

/// The folder of the secrets of one stack.
#[derive(Debug, Clone)]
pub struct Vault {
    folder: PathBuf,
}

impl Vault {
    pub(super) fn new(state: &Path) -> Self {
        Self { folder: state.join(SECRETS) }
    }

    /// Keeps a secret; it is on disk when this returns.
    pub(super) fn keep(&self, secret: &Secret<String>) -> Result<Kept, FileError> {
        durable::create_private_folder(&self.folder)?;
        let reference = random();
        let content = Secret::new(format!("{}\n{}", random(), secret.expose()));
        durable::replace(&self.folder.join(&reference), content.expose().as_bytes())?;
        Ok(Kept { reference, sha256: digest(content.expose().as_bytes()) })
    }

    /// Reads a secret back.
    ///
    /// # Errors
    /// When its file is not there, or is another one.
    pub(super) fn read(&self, kept: &Kept) -> Result<Secret<String>, StateError> {
        let path = self.folder.join(&kept.reference);
        let refuse = |why| StateError::Secret { path: path.clone(), why };
        if !is_reference(&kept.reference) {
            return Err(refuse("has a name that this program never gives"));
        }
        let content = durable::read(&path)?.ok_or_else(|| refuse("is not there"))?;
        if digest(&content) != kept.sha256 {
            return Err(refuse("is not the one that was kept: its digest differs"));
        }
        let text = String::from_utf8(content).map_err(|_| refuse("is not text"))?;
        let (_, secret) = text.split_once('\n').ok_or_else(|| refuse("is not whole"))?;
        Ok(Secret::new(secret.to_owned()))
    }

    /// Whether a secret was never kept here.
    pub(super) fn lacks(&self, kept: &Kept) -> bool {
        is_reference(&kept.reference) && !self.folder.join(&kept.reference).exists()
    }

    /// Removes a secret.
    pub(super) fn forget(&self, kept: &Kept) -> Result<(), FileError> {
        if is_reference(&kept.reference) {
            durable::remove(&self.folder.join(&kept.reference))
        } else {
            Ok(())
        }
    }

    /// Removes all but these: what a command left that ended before it could.
    pub(super) fn keep_only(&self, wanted: &BTreeSet<String>) -> Result<(), FileError> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(FileError::new("read", &self.folder)(error)),
        };
        for entry in entries {
            let entry = entry.map_err(FileError::new("read", &self.folder))?;
            if !entry.file_name().to_str().is_some_and(|name| wanted.contains(name)) {
                durable::remove(&entry.path())?;
            }
        }
        Ok(())
    }
}

fn random() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

fn is_reference(text: &str) -> bool {
    text.len() == 32 && text.chars().all(|letter| letter.is_ascii_hexdigit())
}

fn digest(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault() -> (tempfile::TempDir, Vault) {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::new(folder.path());
        (folder, vault)
    }

    #[test]
    fn a_secret_is_read_back_and_the_same_one_has_two_digests() {
        let (_folder, vault) = vault();
        let secret = Secret::new("two\nlines".to_owned());
        let [one, two] = [vault.keep(&secret).unwrap(), vault.keep(&secret).unwrap()];
        assert_eq!(vault.read(&one).unwrap(), secret);
        assert!(one.reference != two.reference && one.sha256 != two.sha256);
    }

    #[test]
    fn what_is_lost_changed_or_elsewhere_is_refused() {
        let (folder, vault) = vault();
        let kept = vault.keep(&Secret::new("hunter2".to_owned())).unwrap();
        let path = folder.path().join("secrets").join(&kept.reference);
        let whole = std::fs::read(&path).unwrap();
        for changed in [&whole[..whole.len() - 1], b"", b"\xff"] {
            std::fs::write(&path, changed).unwrap();
            let error = vault.read(&kept).unwrap_err();
            assert!(error.to_string().contains("its digest differs"), "{error}");
            assert!(!format!("{error} {error:?}").contains("hunter"), "{error:?}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(vault.read(&kept).unwrap_err().to_string().ends_with("is not there"));
        let outside = Kept { reference: "../journal".to_owned(), ..kept };
        assert!(vault.read(&outside).unwrap_err().to_string().contains("never gives"));
    }

    #[test]
    fn what_nobody_names_is_removed() {
        let (folder, vault) = vault();
        vault.keep_only(&BTreeSet::new()).unwrap();
        let secret = Secret::new("hunter2".to_owned());
        let [one, two] = [vault.keep(&secret).unwrap(), vault.keep(&secret).unwrap()];
        vault.keep_only(&BTreeSet::from([two.reference.clone()])).unwrap();
        assert!(!folder.path().join("secrets").join(one.reference).exists());
        assert_eq!(vault.read(&two).unwrap(), secret);
    }
}
