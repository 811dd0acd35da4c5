//! Whether the files on a host are as they were put there.
//!
//! A short digest of each is kept beside what it belongs to, taken with a stand-in for the password. So an edit is
//! found without knowing what the file should say now, and no secret is kept or told.

use sha2::{Digest as _, Sha256};

use super::command;
use super::error::DeployError;
use super::host::Host;
use crate::base::secret::Secret;
use crate::ssh::Output;

/// Stands for what a digest shall not depend on.
pub(super) const STAND_IN: &str = "x";
/// What comes before user and password in the environment of a chat node, and of an app.
const BEFORE_LOGIN: [&str; 2] = ["CHAT_NODE_REDIS=redis://", "REDIS_URL=redis://"];
/// Hex digits of a digest.
pub(super) const DIGITS: usize = 12;

/// Stands for the password where a digest is taken.
pub(super) fn stand_in() -> Secret<String> {
    Secret::new(STAND_IN.to_owned())
}

/// Hex digits that stand for a text.
pub(super) fn digest(text: &str) -> String {
    shortened(Sha256::new_with_prefix(text))
}

/// Hex digits that stand for several texts, and for where each ends.
pub(super) fn digest_of_all(texts: &[&str]) -> String {
    let mut whole = Sha256::new();
    for text in texts {
        whole.update(text);
        whole.update([0]);
    }
    shortened(whole)
}

fn shortened(whole: Sha256) -> String {
    hex::encode(whole.finalize())[..DIGITS].to_owned()
}

/// Whether a file is another than was written. Where none was written down, nobody can tell.
pub(super) fn is_edited(written: Option<&String>, found: Option<&String>) -> bool {
    written.is_some_and(|written| found.is_none_or(|found| digest(found) != *written))
}

/// What a look at a file printed; none when it cannot be read, so that it counts as not there.
pub(super) fn found(answer: &Output) -> Option<String> {
    (answer.status == 0).then(|| String::from_utf8_lossy(&answer.stdout).into_owned())
}

/// A text file; none when it is not there.
pub(super) async fn text(host: &impl Host, path: &str) -> Result<Option<String>, DeployError> {
    Ok(host.read(path).await?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// Whether a unit starts with its host.
pub(super) async fn is_enabled(host: &impl Host, unit: &str) -> Result<bool, DeployError> {
    Ok(says_enabled(&host.run(command::systemctl("is-enabled", unit)).await?))
}

/// Whether that is what `is-enabled` answered.
pub(super) fn says_enabled(answer: &Output) -> bool {
    answer.text() == "enabled"
}

/// A node's environment with the stand-in, and the password that it has.
pub(super) fn without_password(environment: &str) -> (String, Option<Secret<String>>) {
    match Login::find(environment) {
        Some(login) => (login.with(STAND_IN), Some(Secret::new(login.password.to_owned()))),
        None => (environment.to_owned(), None),
    }
}

/// A node's environment with a password in place of the stand-in.
pub(super) fn with_password(environment: &str, password: &Secret<String>) -> String {
    Login::find(environment).map_or_else(|| environment.to_owned(), |login| login.with(password.expose()))
}

/// Where an environment says how a node logs in at Redis.
struct Login<'a> {
    before: &'a str,
    user: &'a str,
    password: &'a str,
    after: &'a str,
}

impl<'a> Login<'a> {
    fn find(environment: &'a str) -> Option<Self> {
        let beginning =
            BEFORE_LOGIN.iter().find_map(|begins| Some(line_behind(environment, begins)? + begins.len()))?;
        let (before, rest) = environment.split_at(beginning);
        let end = rest.find('\n').unwrap_or(rest.len());
        let at = rest[..end].find('@')?;
        let (user, password) = rest[..at].split_once(':')?;
        Some(Self { before, user, password, after: &rest[at + 1..] })
    }

    fn with(&self, password: &str) -> String {
        let Self { before, user, after, .. } = self;
        format!("{before}{user}:{password}@{after}")
    }
}

/// Where a line begins that begins so.
fn line_behind(text: &str, begins: &str) -> Option<usize> {
    text.match_indices(begins).map(|(at, _)| at).find(|at| *at == 0 || text.as_bytes()[at - 1] == b'\n')
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
        let (text, password) =
            without_password("A=\"redis://a:b@c\"\nREDIS_URL=redis://:hunter2@10.0.0.7:6379/0\n");
        assert_eq!(text, "A=\"redis://a:b@c\"\nREDIS_URL=redis://:x@10.0.0.7:6379/0\n");
        assert_eq!(password.unwrap().expose(), "hunter2");
    }

    #[test]
    fn a_password_is_put_into_an_environment() {
        let with = "A=1\nCHAT_NODE_REDIS=redis://chat:hunter2@10.0.0.7:6379/0\n";
        let (without, password) = without_password(with);
        assert_eq!(with_password(&without, &password.unwrap()), with);
        assert_eq!(with_password("A=1\n", &Secret::new("hunter2".to_owned())), "A=1\n");
    }
}
