//! What can be wrong with a state folder, and what to do about it.

use std::path::{Path, PathBuf};

use crate::base::durable::FileError;
use crate::state::lock::Holder;
use crate::state::shared::StoreError;

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
    /// Somebody took the lock of a shared stack while this command was at work.
    #[error("the lock of {place} was taken away from this command: {now}")]
    SharedLockLost {
        /// Where the state is.
        place: String,
        /// Who has it now.
        now: String,
    },
    /// The bucket of a shared stack says no, or nothing.
    #[error("the shared state {place} cannot be used: {said}")]
    Store {
        /// Where the state is.
        place: String,
        /// What the bucket said.
        said: StoreError,
    },
    /// What was about to be done could not be made known to others, so it was not begun.
    #[error("what was to be done could not be written to {place}, so it was not begun: {said}")]
    Unshared {
        /// Where the state is.
        place: String,
        /// What the bucket said.
        said: StoreError,
    },
    /// The bucket keeps versions: there nothing keeps one command from writing over another's object.
    #[error("the bucket of {place} keeps versions ({versioning}), so that it cannot keep two commands apart")]
    Versioned {
        /// Where the state is.
        place: String,
        /// The word of the bucket.
        versioning: String,
    },
    /// An object of the history is not what was written there.
    #[error("`{key}` in {place} is damaged: {why}")]
    SegmentDamaged {
        /// Where the state is.
        place: String,
        /// The object.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// The journal of this machine and that of the bucket never were one.
    #[error("the journal `{}` and the one in {place} belong to two states of this stack", path.display())]
    OtherHistory {
        /// The journal.
        path: PathBuf,
        /// Where the other one is.
        place: String,
    },
    /// Lines are here only, and others went on without them.
    #[error("lines of the journal on this machine are not in {place}, and others have gone on without them")]
    Unpushed {
        /// Where the state is.
        place: String,
    },
    /// The secret of a call under way is on the machine that sent it.
    #[error("a call is under way whose secret only the machine has that sent it: {holder}")]
    SecretElsewhere {
        /// Who sent it.
        holder: String,
    },
    /// Somebody took the lock while this command was at work: it was stopped for longer than its lease, or forced out.
    #[error("the lock of this stack was taken away from this command: {now}")]
    LockLost {
        /// Who has it now.
        now: String,
    },
}

impl StateError {
    /// For `map_err`.
    pub fn of_store(place: &str) -> impl FnOnce(StoreError) -> Self + use<> {
        let place = place.to_owned();
        move |said| Self::Store { place, said }
    }

    /// The same where nothing is about to be done any more.
    pub(in crate::state) fn of_what_is_over(self) -> Self {
        if let Self::Unshared { place, said } = self {
            return Self::Store { place, said };
        }
        self
    }

    /// Whether another command has the lock now.
    pub fn is_lost_lock(&self) -> bool {
        matches!(self, Self::LockLost { .. } | Self::SharedLockLost { .. })
    }

    /// The code under which `albatross explain` has more, of what goes wrong with a shared state alone.
    pub fn explained_as(&self) -> Option<&'static str> {
        match self {
            Self::SharedLockLost { .. } => Some("state-lock-lost"),
            Self::Unshared { .. } => Some("state-unshared"),
            Self::Versioned { .. } => Some("state-bucket-versioned"),
            Self::SegmentDamaged { .. } => Some("state-segment-damaged"),
            Self::OtherHistory { .. } => Some("state-other-history"),
            Self::SecretElsewhere { .. } => Some("state-secret-elsewhere"),
            Self::Store { said, .. } => said.explained_as,
            Self::File(_)
            | Self::Damaged { .. }
            | Self::Newer { .. }
            | Self::OtherCloud { .. }
            | Self::NotOpen { .. }
            | Self::Impossible { .. }
            | Self::Secret { .. }
            | Self::Locked { .. }
            | Self::LockBusy { .. }
            | Self::Unpushed { .. }
            | Self::LockLost { .. } => None,
        }
    }

    /// What the bucket of a shared state said.
    pub fn of_bucket(&self) -> Option<&StoreError> {
        if let Self::Store { said, .. } | Self::Unshared { said, .. } = self { Some(said) } else { None }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let next = self.next()?;
        Some(match self.explained_as() {
            Some(code) => format!("{next} (more: `albatross explain {code}`)"),
            None => next,
        })
    }

    fn next(&self) -> Option<String> {
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
            Self::SharedLockLost { .. } => Some(
                "what this command did is in the journal here; when the other command has ended, run this one again, or \
                 `albatross state push FILE`, which puts it into the bucket"
                    .to_owned(),
            ),
            Self::Store { said, .. } => said.hint.clone(),
            Self::Unshared { said, .. } => {
                let first = said.hint.as_ref().map(|hint| format!("{hint}; ")).unwrap_or_default();
                Some(format!(
                    "{first}what was done is in the journal here: `albatross state push FILE` puts it into the bucket, and \
                     so does the same command"
                ))
            }
            Self::Versioned { .. } => Some(
                "use a bucket that never kept versions: one that was told to stop keeps them apart no better".to_owned(),
            ),
            Self::SegmentDamaged { .. } => Some(
                "put the object back as it was, or write another prefix into `state`, move the journals of all machines \
                 away and run `albatross plan FILE`: everything is found again by its tags"
                    .to_owned(),
            ),
            Self::OtherHistory { path, .. } => Some(format!(
                "move `{}` away to go on with the shared one, or write another prefix into `state` to begin with this one",
                path.display()
            )),
            Self::Unpushed { .. } => {
                Some("`albatross state push FILE` takes over what nobody else has touched since".to_owned())
            }
            Self::SecretElsewhere { .. } => Some(
                "run the same command there; half an hour after the call it is not sent again, and what exists is found by \
                 its tags from any machine"
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
