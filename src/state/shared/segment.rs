//! Segments of the history and snapshots of it: a head that can be checked, and lines of the journal.
//!
//! The head is a line as the journal's are: checksum, blank, JSON. It says which segment it is, whose epoch it belongs to,
//! how many lines follow, and the digest of the segment before, so that one that was changed, left out or put in is found.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::state::StateError;
use crate::state::journal::{self, line};

/// Version of this format.
const FORMAT: u32 = 1;
/// Digits of a number in a key: lists are in the order of texts.
const DIGITS: usize = 12;
/// The folders.
pub(super) const JOURNAL: &str = "journal/";
pub(super) const SNAPSHOT: &str = "snapshot/";

/// What stands in the first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    version: u32,
    /// Number of the segment; of a snapshot, that of the last segment it takes in.
    pub position: u64,
    /// The epoch of the lock in which it was written.
    pub epoch: u64,
    /// Digest of the segment before; of a snapshot, that of the last one it takes in.
    pub follows: String,
    /// Number of the last line of the journal up to here.
    pub sequence: u64,
    /// How many lines follow.
    lines: usize,
}

/// A head and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    pub head: Head,
    pub text: String,
}

impl Segment {
    pub(super) fn new(position: u64, epoch: u64, follows: &str, sequence: u64, text: &str) -> Self {
        let (follows, lines) = (follows.to_owned(), text.lines().count());
        let head = Head { version: FORMAT, position, epoch, follows, sequence, lines };
        Self { head, text: text.to_owned() }
    }

    /// As it is written.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let head = serde_json::to_string(&self.head).expect("heads have text keys only");
        format!("{}{}", line::sealed(&head), self.text).into_bytes()
    }

    /// Reads one and checks all that it says of itself.
    ///
    /// # Errors
    /// When it is damaged, or a newer version wrote it.
    pub(super) fn read(place: &str, key: &str, content: &[u8]) -> Result<Self, StateError> {
        let damaged = |why: &str| StateError::SegmentDamaged {
            place: place.to_owned(),
            key: key.to_owned(),
            why: why.to_owned(),
        };
        let text = std::str::from_utf8(content).map_err(|_| damaged("it is not text"))?;
        let (first, rest) = text.split_once('\n').ok_or_else(|| damaged("it has no first line"))?;
        let json = line::unsealed(first.as_bytes())
            .ok_or_else(|| damaged("the checksum of its head does not match"))?;
        let head: Head = serde_json::from_slice(json).map_err(|_| damaged("its head is not understood"))?;
        if head.version > FORMAT {
            let what = format!("it has version {}, and {FORMAT} is known", head.version);
            return Err(StateError::Newer { path: Path::new(place).join(key), line: 1, what });
        }
        if key.rsplit('/').next().and_then(number) != Some(head.position) {
            return Err(damaged("it belongs under another name"));
        }
        if rest.lines().count() != head.lines || !(rest.is_empty() || rest.ends_with('\n')) {
            return Err(damaged("lines are missing or too many"));
        }
        let parsed = journal::parse(&Path::new(place).join(key), rest.as_bytes());
        let (entries, tail) = parsed.map_err(|error| {
            // The head is a line, too.
            if let StateError::Damaged { line, why, .. } = error {
                return damaged(&format!("line {}: {why}", line + 1));
            }
            error
        })?;
        if tail != journal::Tail::Whole {
            return Err(damaged("its last line is torn"));
        }
        match entries.last() {
            Some(last) if last.sequence != head.sequence => {
                Err(damaged("its last line has another number than it says"))
            }
            _ => Ok(Self { head, text: rest.to_owned() }),
        }
    }
}

/// Digest of an object.
pub(super) fn digest(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

/// A number as it stands in a key.
pub(super) fn name(number: u64) -> String {
    format!("{number:0DIGITS$}")
}

/// The number of a name.
pub(super) fn number(name: &str) -> Option<u64> {
    let is_one = name.len() == DIGITS && name.bytes().all(|byte| byte.is_ascii_digit());
    name.parse().ok().filter(|_| is_one)
}

/// The highest number in a folder's names.
pub(super) fn highest(names: &[String]) -> Option<u64> {
    names.iter().rev().find_map(|name| number(name))
}
