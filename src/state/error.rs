//! What can be wrong with a state folder, and what to do about it.

use std::path::{Path, PathBuf};

use crate::base::durable::FileError;
use crate::state::lock::Holder;

/// What can be wrong with a state folder.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// A line is damaged that a command may have relied on.
    #[error("line {line} of the journal `{}` is damaged: {why}", path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A line is whole, but says what this program does not know.
    #[error("line {line} of the journal `{}` was written by a newer Albatross: {what}", path.display())]
    Newer {
        /// The journal.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is not known.
        what: String,
    },
    /// The state belongs to another cloud.
    #[error("the state in `{}` belongs to {theirs}, this command talks to {ours}", path.display())]
    OtherCloud {
        /// The journal.
        path: PathBuf,
        /// Whose it is.
        theirs: String,
        /// Who asks.
        ours: String,
    },
    /// It was opened for reading only, or an earlier write failed.
    #[error("the journal `{}` cannot be written any more", path.display())]
    NotOpen {
        /// The journal.
        path: PathBuf,
    },
    /// Something that cannot follow what is written: a fault of ours, caught before it is on disk.
    #[error("the journal `{}` cannot take this: {event}", path.display())]
    Impossible {
        /// The journal.
        path: PathBuf,
        /// What it was to take.
        event: String,
    },
    /// The secret of a call that is to be sent again is not what it was.
    #[error("the secret of a call under way, `{}`, {why}", path.display())]
    Secret {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Somebody else is at work.
    #[error("the stack is locked by {holder}")]
    Locked {
        /// Who, where, since when, doing what.
        holder: Box<Holder>,
    },
    /// Somebody else is taking the lock, and has not said who it is.
    #[error("another command is just taking the lock `{}`", path.display())]
    LockBusy {
        /// The lock.
        path: PathBuf,
    },
    /// Somebody took the lock while this command was at work: it was stopped for longer than its lease, or forced out.
    #[error("the lock of this stack was taken away from this command: {now}")]
    LockLost {
        /// Who has it now.
        now: String,
    },
}

impl StateError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File(_) => None,
            Self::NotOpen { .. } => {
                Some("see whether the disk is full, then run the same command again".to_owned())
            }
            Self::Impossible { .. } => {
                Some("report this: it is a fault of Albatross; nothing was written".to_owned())
            }
            Self::Damaged { path, .. } => Some(start_anew(path)),
            Self::Newer { .. } => {
                Some("upgrade Albatross to the version that wrote it, or a later one".to_owned())
            }
            Self::OtherCloud { path, .. } => Some(format!(
                "use the account and endpoint it was made with, or another --state-dir than that of `{}`",
                path.display()
            )),
            Self::Secret { path, .. } => {
                let journal = path.ancestors().nth(2).unwrap_or(path).join("journal");
                Some(format!("put the file back as it was, or {}", start_anew(&journal)))
            }
            Self::Locked { .. } => Some(
                "wait until that command has ended, or add --lock-wait SECONDS; \
                 `albatross unlock FILE` finds out whether it is gone"
                    .to_owned(),
            ),
            Self::LockBusy { .. } => Some("run the same command again".to_owned()),
            Self::LockLost { .. } => Some(
                "when the other command has ended, run this one again: it goes on from what is journalled"
                    .to_owned(),
            ),
        }
    }
}

fn start_anew(journal: &Path) -> String {
    format!(
        "move `{}` away and run `albatross plan FILE`: everything is found again by its tags",
        journal.display()
    )
}
