//! How far the journal of this machine is known to be that of the bucket: a fast memory, which may lag behind or be lost.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::durable;
use crate::state::{StateError, journal};

/// The file beside the journal.
const FILE: &str = "shared";

/// A place in the history that the journal's file has come to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// Where the bucket is: another one has another history.
    pub place: String,
    /// The last segment; zero when none is known.
    pub position: u64,
    /// Its digest.
    pub digest: String,
    /// Its epoch.
    pub epoch: u64,
    /// Number of the last line that it and those before have.
    pub sequence: u64,
}

impl Mark {
    /// The mark of a stack; that of the beginning when there is none, it is of another bucket, or the journal does not come
    /// so far any more.
    pub(super) fn read(folder: &Path, place: &str) -> Result<Self, StateError> {
        let content = durable::read(&folder.join(FILE))?.unwrap_or_default();
        let known: Option<Self> = serde_json::from_slice(&content).ok();
        let path = folder.join("journal");
        let (entries, _) = journal::parse(&path, &durable::read(&path)?.unwrap_or_default())?;
        let last = entries.last().map_or(0, |entry| entry.sequence);
        let holds = |known: &Self| known.place == place && known.sequence <= last;
        Ok(known.filter(holds).unwrap_or_else(|| Self { place: place.to_owned(), ..Self::default() }))
    }

    /// Remembers it.
    pub(super) fn write(&self, folder: &Path) -> Result<(), StateError> {
        let json = serde_json::to_vec(self).expect("marks have text keys only");
        Ok(durable::replace(&folder.join(FILE), &json)?)
    }
}
