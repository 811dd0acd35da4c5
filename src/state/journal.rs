//! The journal file: append-only, a checksummed line an event, on disk before the call returns.
//!
//! Format, version 1: each line is 16 hex digits of the SHA-256 of the rest, a blank, and a JSON object
//! `{"sequence": n, "at": time, "event": ...}`. The first event says whose journal it is. A last line that is torn
//! (no newline, or a wrong checksum) was never acknowledged: it is dropped with a warning. Damage anywhere else is an
//! error. Beyond [`COMPACT_ABOVE`] lines the file is rewritten with one line a resource.

use std::fs::File;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::base::clock;
use crate::base::durable::{self, FileError};
use crate::base::ids::CloudId;
use crate::resource::ResourceAddress;
use crate::resource::observed::{Fields, Outputs};
use crate::resource::phase::Happening;
use crate::state::StateError;
use crate::state::memory::{Identity, Memory, Remembered};

/// Lines after which the file is rewritten when it is opened.
pub const COMPACT_ABOVE: usize = 2_000;

/// What is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Whose journal it is; the first line.
    Opened(Identity),
    /// Something is about to happen to a resource, or did.
    Happened {
        /// Which one.
        address: ResourceAddress,
        /// What.
        happening: Happening,
        /// The exact call that is about to be sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<serde_json::Value>,
    },
    /// A resource is replaced: it, and what lives on it, is known by its deposed address from now on.
    Deposed {
        /// The address that its successor has.
        address: ResourceAddress,
        /// Its id.
        id: CloudId,
    },
    /// What others need to know of a resource.
    Learned {
        /// Which one.
        address: ResourceAddress,
        /// What.
        outputs: Outputs,
        /// Its fields as they were written or read.
        #[serde(default, skip_serializing_if = "Fields::is_empty")]
        fields: Fields,
    },
    /// A resource that was there before is taken over.
    Adopted {
        /// Which one it is from now on.
        address: ResourceAddress,
        /// Its id.
        id: CloudId,
    },
    /// All that is known of a resource, in a rewritten journal.
    Restored {
        /// Which one.
        address: ResourceAddress,
        /// What.
        remembered: Box<Remembered>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    sequence: u64,
    at: Timestamp,
    event: Event,
}

/// An open journal and its fold.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// None when it was only opened for reading, or a write has failed.
    file: Option<File>,
    sequence: u64,
    memory: Memory,
}

/// What was seen while opening a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Nothing special.
    Whole,
    /// The last line was torn and has been dropped.
    Torn,
}

impl Journal {
    /// Opens the journal of a stack, making it when there is none.
    ///
    /// # Guarantees
    /// What [`Journal::memory`] says afterwards is on disk. A journal of another account or endpoint is refused.
    ///
    /// # Errors
    /// When the system refuses, a line in the middle is damaged, or the journal is another cloud's.
    pub fn open(folder: &Path, identity: Identity) -> Result<(Self, Tail), StateError> {
        durable::create_private_folder(folder)?;
        let path = folder.join("journal");
        let (entries, tail) = read(&path)?;
        let kept = entries.len();
        let memory = fold(&path, entries, &identity)?;
        if tail == Tail::Torn || kept > COMPACT_ABOVE {
            rewrite(&path, &memory)?;
        }
        let file = Some(durable::open_append(&path)?);
        let sequence = memory.sequence;
        let mut journal = Self { path, file, sequence, memory };
        if kept == 0 {
            let identity = journal.memory.identity.clone();
            journal.append(Event::Opened(identity))?;
        }
        Ok((journal, tail))
    }

    /// Reads the journal of a stack; nothing on disk changes, then or later.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_for_reading(folder: &Path, identity: &Identity) -> Result<Self, StateError> {
        let path = folder.join("journal");
        let (entries, _) = read(&path)?;
        let memory = fold(&path, entries, identity)?;
        Ok(Self { path, file: None, sequence: memory.sequence, memory })
    }

    /// What is remembered.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Writes an event down; it is on disk when this returns.
    ///
    /// # Errors
    /// When the disk refuses: then nothing may be done that the event announces.
    pub fn append(&mut self, event: Event) -> Result<(), StateError> {
        if !self.memory.accepts(&event) {
            return Err(StateError::Impossible { path: self.path.clone(), event: format!("{event:?}") });
        }
        let Some(mut file) = self.file.take() else {
            return Err(StateError::NotOpen { path: self.path.clone() });
        };
        self.sequence += 1;
        let at = clock::now();
        let line = encode(&Entry { sequence: self.sequence, at, event: event.clone() });
        // After a write that failed half-way nothing may follow it in the file: it stays closed.
        durable::append(&mut file, &self.path, line.as_bytes())?;
        self.file = Some(file);
        self.memory.apply(self.sequence, at, event);
        Ok(())
    }
}

fn read(path: &Path) -> Result<(Vec<Entry>, Tail), StateError> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), Tail::Whole)),
        Err(error) => return Err(FileError::new("read", path)(error).into()),
    };
    let mut entries = Vec::new();
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    for (index, line) in lines.iter().enumerate() {
        match decode(line) {
            Some(entry) => entries.push(entry),
            None if index + 1 == lines.len() => return Ok((entries, Tail::Torn)),
            None => {
                return Err(StateError::Damaged { path: path.to_owned(), line: index + 1 });
            }
        }
    }
    Ok((entries, Tail::Whole))
}

fn fold(path: &Path, entries: Vec<Entry>, ours: &Identity) -> Result<Memory, StateError> {
    let mut entries = entries.into_iter();
    let mut memory = match entries.next() {
        None => return Ok(Memory::new(ours.clone())),
        Some(Entry { event: Event::Opened(theirs), sequence, .. }) => {
            theirs.check(ours).map_err(|(theirs, ours)| StateError::OtherCloud {
                path: path.to_owned(),
                theirs,
                ours,
            })?;
            Memory { sequence, ..Memory::new(theirs) }
        }
        Some(_) => {
            return Err(StateError::Damaged { path: path.to_owned(), line: 1 });
        }
    };
    for (line, entry) in (2..).zip(entries) {
        if !memory.accepts(&entry.event) {
            return Err(StateError::Damaged { path: path.to_owned(), line });
        }
        memory.apply(entry.sequence, entry.at, entry.event);
    }
    Ok(memory)
}

fn rewrite(path: &Path, memory: &Memory) -> Result<(), StateError> {
    let restored = memory.resources.iter().map(|(address, remembered)| Event::Restored {
        address: address.clone(),
        remembered: Box::new(remembered.clone()),
    });
    let events = std::iter::once(Event::Opened(memory.identity.clone())).chain(restored);
    let text: String =
        events.map(|event| encode(&Entry { sequence: memory.sequence, at: clock::now(), event })).collect();
    Ok(durable::replace(path, text.as_bytes())?)
}

fn encode(entry: &Entry) -> String {
    let json = serde_json::to_string(entry).expect("entries have text keys only");
    format!("{} {json}\n", checksum(json.as_bytes()))
}

fn decode(line: &[u8]) -> Option<Entry> {
    let line = line.strip_suffix(b"\n")?;
    let (sum, json) = line.split_at_checked(16)?;
    let json = json.strip_prefix(b" ")?;
    (checksum(json).as_bytes() == sum).then(|| serde_json::from_slice(json).ok()).flatten()
}

fn checksum(json: &[u8]) -> String {
    hex::encode(&Sha256::digest(json)[..8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{RegionId, StackName};
    use crate::resource::Kind;
    use crate::resource::phase::Phase;

    fn identity() -> Identity {
        Identity::new("1234", "http://127.0.0.1:1", RegionId::new("cn-hangzhou"), StackName::new("chat"))
    }

    fn address() -> ResourceAddress {
        ResourceAddress::only(Kind::Vpc)
    }

    fn write_life(folder: &Path) -> Memory {
        let (mut journal, _) = Journal::open(folder, identity()).unwrap();
        let token = journal.memory().next_token(&address());
        let happened = |happening, call| Event::Happened { address: address(), happening, call };
        journal
            .append(happened(Happening::Intend(token), Some(serde_json::json!({"action": "CreateVpc"}))))
            .unwrap();
        journal.append(happened(Happening::Accept(CloudId::new("vpc-1")), None)).unwrap();
        journal.append(happened(Happening::Ready, None)).unwrap();
        journal.memory().clone()
    }

    #[test]
    fn what_was_written_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let memory = write_life(folder.path());
        assert_eq!(memory.phase(&address()), Phase::Ready(CloudId::new("vpc-1")));
        let (journal, tail) = Journal::open(folder.path(), identity()).unwrap();
        assert_eq!((journal.memory(), tail), (&memory, Tail::Whole));
    }

    #[test]
    fn every_torn_tail_is_dropped_and_leaves_a_prefix() {
        let folder = tempfile::tempdir().unwrap();
        write_life(folder.path());
        let whole = std::fs::read(folder.path().join("journal")).unwrap();
        let first_line = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for length in first_line..whole.len() {
            std::fs::write(folder.path().join("journal"), &whole[..length]).unwrap();
            let (journal, tail) = Journal::open(folder.path(), identity()).unwrap();
            let torn = whole[length - 1] != b'\n';
            assert_eq!(tail == Tail::Torn, torn, "cut at {length}");
            drop(journal);
            let (_, tail) = Journal::open(folder.path(), identity()).unwrap();
            assert_eq!(tail, Tail::Whole, "cut at {length}: the torn line must be gone from the file");
        }
    }

    #[test]
    fn damage_in_the_middle_is_an_error_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        write_life(folder.path());
        let path = folder.path().join("journal");
        let damaged = std::fs::read_to_string(&path).unwrap().replacen("CreateVpc", "DeleteVpc", 1);
        std::fs::write(&path, damaged).unwrap();
        let error = Journal::open(folder.path(), identity()).unwrap_err();
        assert!(matches!(error, StateError::Damaged { line: 2, .. }), "{error}");
    }

    #[test]
    fn what_cannot_follow_is_refused_and_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(folder.path(), identity()).unwrap();
        let ready = Event::Happened { address: address(), happening: Happening::Ready, call: None };
        assert!(matches!(journal.append(ready), Err(StateError::Impossible { .. })));
        drop(journal);
        assert!(Journal::open(folder.path(), identity()).is_ok());
    }

    #[test]
    fn another_clouds_journal_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        write_life(folder.path());
        let other = Identity { account: "9999".to_owned(), ..identity() };
        assert!(matches!(Journal::open(folder.path(), other), Err(StateError::OtherCloud { .. })));
    }

    #[test]
    fn a_rewritten_journal_says_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let memory = write_life(folder.path());
        rewrite(&folder.path().join("journal"), &memory).unwrap();
        let (journal, _) = Journal::open(folder.path(), identity()).unwrap();
        assert_eq!(journal.memory(), &memory);
    }
}
