//! Whether the files on a host are as they were put there.
//!
//! A short digest of each is kept beside what it belongs to, taken with a stand-in for the password. So an edit is
//! found without knowing what the file should say now, and no secret is kept or told.

use sha2::{Digest as _, Sha256};

use super::command;
use super::error::DeployError;
use super::host::Host;
use crate::base::secret::Secret;

/// Stands for the password where a digest is taken.
pub(super) const STAND_IN: &str = "x";
/// What comes before user and password in a node's environment.
const BEFORE_LOGIN: &str = "redis://";

/// 12 hex digits that stand for a text.
pub(super) fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text))[..12].to_owned()
}

/// Whether a file is another than was written. Where none was written down, nobody can tell.
pub(super) fn is_edited(written: Option<&String>, found: Option<&String>) -> bool {
    written.is_some_and(|written| found.is_none_or(|found| digest(found) != *written))
}

/// A text file; none when it is not there.
pub(super) async fn text(host: &impl Host, path: &str) -> Result<Option<String>, DeployError> {
    Ok(host.read(path).await?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// Whether a unit starts with its host.
pub(super) async fn is_enabled(host: &impl Host, unit: &str) -> Result<bool, DeployError> {
    Ok(host.run(command::systemctl("is-enabled", unit)).await?.text() == "enabled")
}

/// A node's environment with the stand-in, and the password that it has.
pub(super) fn without_password(environment: &str) -> (String, Option<Secret<String>>) {
    let found = environment.split_once(BEFORE_LOGIN).and_then(|(before, rest)| {
        let (login, after) = rest.split_once('@')?;
        let (user, password) = login.split_once(':')?;
        Some((before, user, password, after))
    });
    match found {
        Some((before, user, password, after)) => {
            let text = format!("{before}{BEFORE_LOGIN}{user}:{STAND_IN}@{after}");
            (text, Some(Secret::new(password.to_owned())))
        }
        None => (environment.to_owned(), None),
    }
}

/// A node's environment with a password in place of the stand-in.
pub(super) fn with_password(environment: &str, password: &Secret<String>) -> String {
    let (without, _) = without_password(environment);
    let replaced = without.split_once(BEFORE_LOGIN).and_then(|(before, rest)| {
        let (login, after) = rest.split_once('@')?;
        let (user, _) = login.split_once(':')?;
        Some(format!("{before}{BEFORE_LOGIN}{user}:{}@{after}", password.expose()))
    });
    replaced.unwrap_or(without)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_is_told_from_a_file_that_nobody_wrote_down() {
        let written = digest("port 6379\n");
        let text = |text: &str| Some(text.to_owned());
        assert!(!is_edited(Some(&written), text("port 6379\n").as_ref()));
        assert!(is_edited(Some(&written), text("port 6380\n").as_ref()));
        assert!(is_edited(Some(&written), None));
        assert!(!is_edited(None, text("anything").as_ref()));
    }

    #[test]
    fn the_password_is_taken_out_of_an_environment() {
        let (text, password) =
            without_password("A=1\nCHAT_NODE_REDIS=redis://:hunter2@10.0.0.7:6379/0\nB=a@b\n");
        assert_eq!(text, "A=1\nCHAT_NODE_REDIS=redis://:x@10.0.0.7:6379/0\nB=a@b\n");
        assert_eq!(password.unwrap().expose(), "hunter2");
        let (text, password) =
            without_password("CHAT_NODE_REDIS=redis://chat:hunter2@r-1.example.com:6379/0\n");
        assert_eq!(text, "CHAT_NODE_REDIS=redis://chat:x@r-1.example.com:6379/0\n");
        assert_eq!(password.unwrap().expose(), "hunter2");
        assert!(without_password("A=1\n").1.is_none());
    }

    #[test]
    fn a_password_is_put_into_an_environment() {
        let with = "A=1\nCHAT_NODE_REDIS=redis://chat:hunter2@10.0.0.7:6379/0\n";
        let (without, password) = without_password(with);
        assert_eq!(with_password(&without, &password.unwrap()), with);
        assert_eq!(with_password("A=1\n", &Secret::new("hunter2".to_owned())), "A=1\n");
    }
}
