//! The journal file: append-only, a checksummed line an event, on disk before the call returns.
//!
//! `docs/journal.md` describes the format. The first event says whose journal it is. A last line that is torn was never
//! relied on: it is dropped with a warning. Damage anywhere else is an error, and so is what a newer version wrote.
//! Beyond [`COMPACT_ABOVE`] lines the file is rewritten with one line a resource.

pub(in crate::state) mod line;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::clock;
use crate::base::durable;
use crate::base::ids::CloudId;
use crate::base::secret::Secret;
use crate::resource::ResourceAddress;
use crate::resource::observed::{Fields, Outputs};
use crate::resource::phase::Happening;
use crate::state::StateError;
use crate::state::journal::line::{Entry, Unreadable};
use crate::state::lock::Standing;
use crate::state::memory::{FORMAT, Identity, Memory, Remembered};
use crate::state::shared::Outbox;
use crate::state::vault::{Kept, Vault};

/// Lines after which the file is rewritten, when it is opened and while it is written. A stack of very many resources
/// is given [`LINES_PER_RESOURCE`] of them.
pub const COMPACT_ABOVE: usize = 2_000;
const LINES_PER_RESOURCE: usize = 4;

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
    /// A call is about to be sent that leaves the resource in its phase.
    Announced {
        /// Which one.
        address: ResourceAddress,
        /// What for.
        purpose: Purpose,
        /// The exact call; none when it is done on a host.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<serde_json::Value>,
    },
    /// What became of the call that was about to be sent is known.
    Answered {
        /// Which one.
        address: ResourceAddress,
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
    /// Somebody had it forgotten; it is where it was.
    Forgotten {
        /// Which one.
        address: ResourceAddress,
    },
    /// All that is known of a resource, in a rewritten journal.
    Restored {
        /// Which one.
        address: ResourceAddress,
        /// What.
        remembered: Box<Remembered>,
    },
}

/// What a call is for that leaves a resource in its phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// It removes the resource.
    Remove,
    /// It writes something beside it: a tag, a remark.
    Mark,
}

/// An open journal and its fold.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// None when it was only opened for reading, or a write has failed.
    file: Option<File>,
    sequence: u64,
    /// Lines in the file.
    lines: usize,
    memory: Memory,
    vault: Vault,
    standing: Standing,
    /// Takes along what is written, where others share the journal.
    outbox: Option<Outbox>,
}

/// What was seen while opening a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tail {
    /// Nothing special.
    Whole,
    /// The last line was torn and has been dropped.
    Torn(TornLine),
}

/// A last line that was torn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornLine {
    path: PathBuf,
    line: usize,
    bytes: usize,
    beginning: String,
}

impl TornLine {
    /// How much of it is shown, in characters.
    const SHOWN: usize = 100;

    fn new(path: &Path, line: usize, content: &[u8]) -> Self {
        let text = String::from_utf8_lossy(content);
        let beginning = text.chars().take(Self::SHOWN).collect::<String>().escape_debug().to_string();
        Self { path: path.to_owned(), line, bytes: content.len(), beginning }
    }
}

impl fmt::Display for TornLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, bytes, beginning } = self;
        let path = path.display();
        write!(
            formatter,
            "line {line} of the journal `{path}` was torn while it was written, so no command has relied on it: \
             its {bytes} bytes have been dropped: {beginning}"
        )
    }
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
        durable::sweep(folder)?;
        let path = folder.join("journal");
        let (entries, tail) = read(&path)?;
        let mut lines = entries.len();
        let mut memory = fold(&path, entries, &identity)?;
        if lines == 0 {
            // Its first line says whose it is.
            memory.sequence = 1;
        }
        if lines == 0 || tail != Tail::Whole || is_long(lines, &memory) {
            lines = rewrite(&path, &memory)?;
        }
        let vault = Vault::new(folder);
        vault.keep_only(&references(&memory))?;
        let file = Some(durable::open_append(&path)?);
        let (sequence, standing) = (memory.sequence, Standing::unguarded());
        Ok((Self { path, file, sequence, lines, memory, vault, standing, outbox: None }, tail))
    }

    /// Reads the journal of a stack; nothing on disk changes, then or later.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_for_reading(folder: &Path, identity: &Identity) -> Result<Self, StateError> {
        let path = folder.join("journal");
        let (entries, _) = read(&path)?;
        Self::of(folder, entries, identity)
    }

    /// The same of lines that are not all in the file: others share the journal, and have written more.
    pub(in crate::state) fn of_text(
        folder: &Path,
        text: &str,
        identity: &Identity,
    ) -> Result<Self, StateError> {
        let (entries, _) = parse(&folder.join("journal"), text.as_bytes())?;
        Self::of(folder, entries, identity)
    }

    fn of(folder: &Path, entries: Vec<Entry>, identity: &Identity) -> Result<Self, StateError> {
        let path = folder.join("journal");
        let lines = entries.len();
        let memory = fold(&path, entries, identity)?;
        let (sequence, vault, standing) = (memory.sequence, Vault::new(folder), Standing::unguarded());
        Ok(Self { path, file: None, sequence, lines, memory, vault, standing, outbox: None })
    }

    /// From now on nothing is written once the lock is not ours any more.
    #[must_use]
    pub fn guarded_by(mut self, standing: Standing) -> Self {
        self.standing = standing;
        self
    }

    /// From now on others are told what is written.
    #[must_use]
    pub fn told_to(mut self, outbox: Option<Outbox>) -> Self {
        self.outbox = outbox;
        self
    }

    /// What others are told by, where there are others.
    pub fn outbox(&self) -> Option<&Outbox> {
        self.outbox.as_ref()
    }

    /// Number of the last line.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// What is remembered.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Writes an event down; it is on disk when this returns.
    ///
    /// # Errors
    /// When the disk refuses, or the lock is not ours any more: then nothing may be done that the event announces.
    pub fn append(&mut self, event: Event) -> Result<(), StateError> {
        self.append_all(vec![event])
    }

    /// Writes events down, each of which can follow what came before all of them; they are on disk when this returns. The
    /// disk is waited for once; of a write that was torn the lines that are whole count.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn append_all(&mut self, events: Vec<Event>) -> Result<(), StateError> {
        if events.is_empty() {
            return Ok(());
        }
        if let Some(event) = events.iter().find(|event| !self.memory.accepts(event)) {
            return Err(StateError::Impossible { path: self.path.clone(), event: format!("{event:?}") });
        }
        self.standing.check()?;
        let Some(mut file) = self.file.take() else {
            return Err(StateError::NotOpen { path: self.path.clone() });
        };
        let at = clock::now();
        let encode =
            |(sequence, event): (u64, &Event)| line::encode(&Entry { sequence, at, event: event.clone() });
        let lines: Vec<String> = (self.sequence + 1..).zip(&events).map(encode).collect();
        // After a write that failed half-way nothing may follow it in the file: it stays closed.
        durable::append(&mut file, &self.path, lines.concat().as_bytes())?;
        self.file = Some(file);
        for (event, text) in events.into_iter().zip(lines) {
            self.sequence += 1;
            self.lines += 1;
            if let Some(outbox) = &self.outbox {
                outbox.add(self.sequence, text);
            }
            self.take_in(at, event);
        }
        // Lines that others do not know yet would be lost in a rewritten file.
        let may_compact = self.outbox.as_ref().is_none_or(Outbox::is_empty);
        if may_compact && is_long(self.lines, &self.memory) { self.compact() } else { Ok(()) }
    }

    /// Remembers what is on disk.
    fn take_in(&mut self, at: Timestamp, event: Event) {
        let before = event.address().map(|address| self.memory.kept(address)).unwrap_or_default();
        let address = event.address().cloned();
        self.memory.apply(self.sequence, at, event);
        let after = address.map(|address| self.memory.kept(&address)).unwrap_or_default();
        self.forget(before.iter().filter(|kept| !after.contains(kept)));
    }

    /// Keeps a secret parameter of a call that is about to be announced; it is on disk when this returns.
    ///
    /// # Errors
    /// When the disk refuses, or the lock is not ours any more.
    pub fn keep_secret(&self, secret: &Secret<String>) -> Result<Kept, StateError> {
        self.standing.check()?;
        Ok(self.vault.keep(secret)?)
    }

    /// Reads a secret parameter of a call back that may have to be sent again.
    ///
    /// # Errors
    /// When its file is not there, or is not the one that was kept.
    pub fn secret(&self, kept: &Kept) -> Result<Secret<String>, StateError> {
        match (&self.outbox, self.vault.read(kept)) {
            (Some(outbox), Err(error)) if self.vault.lacks(kept) => Err(outbox.secret_elsewhere(error)),
            (_, read) => read,
        }
    }

    /// What became of their call is known. What cannot be removed now is removed when the journal is opened again.
    fn forget<'k>(&self, secrets: impl Iterator<Item = &'k Kept>) {
        for kept in secrets {
            if let Err(error) = self.vault.forget(kept) {
                tracing::warn!("{error}: {}", error.source);
            }
        }
    }

    /// Nothing may be added to the old file once there is a new one: when that cannot be opened, it stays closed.
    fn compact(&mut self) -> Result<(), StateError> {
        self.file = None;
        self.lines = rewrite(&self.path, &self.memory)?;
        self.file = Some(durable::open_append(&self.path)?);
        Ok(())
    }
}

impl Event {
    /// The resource it is about.
    pub fn address(&self) -> Option<&ResourceAddress> {
        match self {
            Self::Opened(_) => None,
            Self::Happened { address, .. }
            | Self::Deposed { address, .. }
            | Self::Announced { address, .. }
            | Self::Answered { address }
            | Self::Learned { address, .. }
            | Self::Adopted { address, .. }
            | Self::Forgotten { address }
            | Self::Restored { address, .. } => Some(address),
        }
    }
}

fn is_long(lines: usize, memory: &Memory) -> bool {
    lines > COMPACT_ABOVE.max(memory.resources.len() * LINES_PER_RESOURCE)
}

/// Files of secrets that a call under way may need again.
fn references(memory: &Memory) -> BTreeSet<String> {
    let kept = memory.resources.keys().flat_map(|address| memory.kept(address));
    kept.map(|kept| kept.reference).collect()
}

fn read(path: &Path) -> Result<(Vec<Entry>, Tail), StateError> {
    parse(path, &durable::read(path)?.unwrap_or_default())
}

/// The entries in the text of a journal.
pub(in crate::state) fn parse(path: &Path, text: &[u8]) -> Result<(Vec<Entry>, Tail), StateError> {
    let mut entries = Vec::new();
    let mut lines = (1..).zip(text.split_inclusive(|byte| *byte == b'\n')).peekable();
    while let Some((line, content)) = lines.next() {
        let path = path.to_owned();
        match line::decode(content, lines.peek().is_none()) {
            Ok(entry) => entries.push(entry),
            Err(Unreadable::Torn) => return Ok((entries, Tail::Torn(TornLine::new(&path, line, content)))),
            Err(Unreadable::Damaged(why)) => return Err(StateError::Damaged { path, line, why }),
            Err(Unreadable::Newer(what)) => return Err(StateError::Newer { path, line, what }),
        }
    }
    Ok((entries, Tail::Whole))
}

/// What entries add up to.
pub(in crate::state) fn fold(
    path: &Path,
    entries: Vec<Entry>,
    ours: &Identity,
) -> Result<Memory, StateError> {
    let damaged = |line, why| StateError::Damaged { path: path.to_owned(), line, why };
    let mut entries = entries.into_iter();
    let mut memory = match entries.next() {
        None => return Ok(Memory::new(ours.clone())),
        Some(Entry { event: Event::Opened(theirs), sequence, .. }) => {
            if theirs.version > FORMAT {
                let what = format!("it has version {}, and {FORMAT} is known", theirs.version);
                return Err(StateError::Newer { path: path.to_owned(), line: 1, what });
            }
            theirs.check(ours).map_err(|(theirs, ours)| StateError::OtherCloud {
                path: path.to_owned(),
                theirs,
                ours,
            })?;
            Memory { sequence, ..Memory::new(theirs) }
        }
        Some(_) => return Err(damaged(1, "it does not say whose journal it is")),
    };
    for (line, entry) in (2..).zip(entries) {
        let is_restored = matches!(entry.event, Event::Restored { .. });
        if entry.sequence != memory.sequence + u64::from(!is_restored) {
            return Err(damaged(line, "it does not follow the line before: lines are missing or too many"));
        }
        if !memory.accepts(&entry.event) {
            return Err(damaged(line, "what it says cannot have happened then"));
        }
        memory.apply(entry.sequence, entry.at, entry.event);
    }
    Ok(memory)
}

/// Writes all that is known, and says in how many lines.
fn rewrite(path: &Path, memory: &Memory) -> Result<usize, StateError> {
    durable::replace(path, compacted(memory).as_bytes())?;
    Ok(memory.resources.len() + 1)
}

/// The shortest journal that adds up to this.
pub(in crate::state) fn compacted(memory: &Memory) -> String {
    let restored = memory.resources.iter().map(|(address, remembered)| Event::Restored {
        address: address.clone(),
        remembered: Box::new(remembered.clone()),
    });
    let events = std::iter::once(Event::Opened(memory.identity.clone())).chain(restored);
    let entry = |event| Entry { sequence: memory.sequence, at: clock::now(), event };
    events.map(|event| line::encode(&entry(event))).collect()
}
