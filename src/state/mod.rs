//! Layer 2: what we remember, on disk before it is acted upon.
//!
//! The cloud is the truth; this is a fast, fsynced memory of it. [`journal`] is an append-only file of checksummed
//! lines, [`Memory`] is the fold over them, [`lock`] keeps a second command away. The folder can be deleted: the
//! next plan finds everything again by tag and name.
//!
//! Files of a stack, all 0600 in folders 0700, under `.albatross/<account>/<region>/<stack>/`:
//!
//! | file | what |
//! |---|---|
//! | `journal` | a line an event: checksum, blank, JSON |
//! | `lock` | held by a running command; says who |
//! | `plan` | id of the saved plan that was begun and not finished |

pub mod begun;
pub mod journal;
pub mod lock;
pub mod memory;

pub use memory::{Identity, Memory, Remembered};

use std::path::PathBuf;

use crate::base::durable::FileError;

/// What can be wrong with a state folder.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// A line that is not the last is damaged.
    #[error("line {line} of the journal `{}` is damaged", path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// From 1.
        line: usize,
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
    /// Somebody else is at work.
    #[error("the stack is locked by {holder}")]
    Locked {
        /// Who, since when, doing what.
        holder: String,
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
            Self::Damaged { path, .. } => Some(format!(
                "move `{}` away and run `albatross plan`: everything is found again by its tags",
                path.display()
            )),
            Self::OtherCloud { path, .. } => Some(format!(
                "use the account and endpoint it was made with, or another --state-dir than that of `{}`",
                path.display()
            )),
            Self::Locked { .. } => {
                Some("wait until that command has ended; its lock ends with it".to_owned())
            }
        }
    }
}
