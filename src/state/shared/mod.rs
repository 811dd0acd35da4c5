//! A journal that several people share: the same lines, in a bucket as well as on each one's disk.
//!
//! The file on disk stays what is written first, so a crash is survived as ever. The bucket holds
//!
//! | object | what |
//! |---|---|
//! | `lock/N` | who holds epoch N of the lock; made where none is, never removed |
//! | `beat/N` | the heartbeat of that holder, over and over |
//! | `released/N` | that it is over |
//! | `journal/P` | segment P of the history: some lines; made where none is, never changed |
//! | `snapshot/P` | all that the segments up to P add up to |
//!
//! What keeps two holders apart is the history itself. Segments have numbers without gaps, and each is made only where
//! there is none, so of two who write the next one exactly one succeeds. Whoever takes over writes a segment first, which
//! says that an epoch begins; a former holder that goes on finds its place taken, and learns that before it has sent
//! anything: a call is sent when the line that announces it is in the bucket, and no sooner ([`Outbox::settled`]). So no
//! clock decides anything, and whoever takes over knows of every call that was ever sent.
//!
//! [`take`] is the way in: lock, history, outbox. [`look`] reads without a lock.

mod history;
mod lock;
mod mark;
mod merge;
mod outbox;
mod segment;
mod store;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::lock::{SharedHolder, unlock};
pub use self::outbox::Outbox;
pub use self::store::{Made, ObjectStore, StoreError};

use self::history::History;
use self::lock::SharedLock;
use self::mark::Mark;
use self::merge::Merge;
#[cfg(test)]
use self::segment::Segment;
use crate::base::durable;
use crate::state::journal::{Journal, Tail};
use crate::state::lock::{Claim, Listener};
use crate::state::{Identity, StateError};

/// Segments after which a snapshot is made: whoever comes for the first time reads no more than so many.
const SNAPSHOT_EVERY: u64 = 64;

/// A bucket as a stack sees it. Cheap to clone.
pub type Store = Arc<dyn ObjectStore>;

/// What was found when a shared journal was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// Lines that others wrote since this machine was last there.
    pub pulled: usize,
    /// Lines that were here only, and are in the bucket now.
    pub pushed: usize,
    /// What became of lines that were here only while others went on without them.
    pub merged: Option<Merged>,
}

/// Lines of an earlier command of this machine, beside what others wrote meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Lines that were taken over: nobody else had touched their resource since.
    pub taken: usize,
    /// Lines that were not: others know better by now.
    pub left: usize,
    /// Where the journal is kept as it was.
    pub aside: PathBuf,
}

/// A held stack: its lock in the bucket, and what keeps the bucket up to date.
#[derive(Debug)]
pub struct Held {
    lock: SharedLock,
    outbox: Outbox,
    folder: PathBuf,
}

/// Takes the lock of a stack in its bucket, and opens its journal.
///
/// # Guarantees
/// What [`Journal::memory`] says afterwards is what the bucket's history adds up to. Whatever an earlier holder has sent
/// is in it, and it sends nothing more that is not.
///
/// # Errors
/// When somebody else holds the lock, the bucket says no, or the history is damaged or another stack's.
pub async fn take(
    store: Store,
    folder: &Path,
    identity: Identity,
    (claim, listener): (&Claim, Listener<'_>),
) -> Result<(Held, Journal, Opened, Tail), StateError> {
    durable::create_private_folder(folder)?;
    let mark = Mark::read(folder, store.place())?;
    let lock = SharedLock::take(store.clone(), claim, listener).await?;
    let begun = begin(&store, folder, identity, (mark, lock.epoch())).await;
    let (journal, history, opened, tail) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            // Nothing was begun: the next one need not wait for the lease.
            lock.release().await?;
            return Err(error);
        }
    };
    let outbox = Outbox::of(history, &lock, journal.sequence());
    lock.keep_up(claim.renewal, outbox.clone());
    let journal = journal.told_to(Some(outbox.clone()));
    Ok((Held { lock, outbox, folder: folder.to_owned() }, journal, opened, tail))
}

/// Brings history and file together, and opens the epoch.
async fn begin(
    store: &Store,
    folder: &Path,
    identity: Identity,
    (mark, epoch): (Mark, u64),
) -> Result<(Journal, History, Opened, Tail), StateError> {
    let mut history = History::read(store, &mark).await?;
    // From here on the former holder finds its place taken.
    history.open_epoch(epoch).await?;
    let path = folder.join("journal");
    if history.is_new() {
        // Nobody was ever here: what this machine has, or nothing, is how it begins.
        let (journal, tail) = Journal::open(folder, identity)?;
        let text = durable::read(&path)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let pushed = text.lines().count();
        history.append(epoch, &text).await?;
        history.mark(journal.sequence()).write(folder)?;
        return Ok((journal, history, Opened { pushed, ..Opened::default() }, tail));
    }
    let merge = Merge::of(folder, &mark, &history, &identity)?;
    let opened = merge.opened();
    history.append(epoch, merge.unknown_to_others()).await?;
    merge.write(folder)?;
    // The mark comes before a compaction, which makes all lines look as if they were known.
    history.mark(merge.sequence()).write(folder)?;
    let (journal, tail) = Journal::open(folder, identity)?;
    if history.segments_since_snapshot() >= SNAPSHOT_EVERY {
        history.snapshot(journal.memory()).await?;
    }
    Ok((journal, history, opened, tail))
}

/// The journal as the bucket has it, to be read; nothing here or there changes.
///
/// # Errors
/// When the bucket says no, or the history is damaged or another stack's.
pub async fn look(store: &Store, folder: &Path, identity: &Identity) -> Result<Journal, StateError> {
    let mark = Mark::read(folder, store.place())?;
    let history = History::read(store, &mark).await?;
    if history.is_new() {
        return Journal::open_for_reading(folder, identity);
    }
    let merge = Merge::of(folder, &mark, &history, identity)?;
    Journal::of_text(folder, merge.text(), identity)
}

/// Brings what others wrote onto this machine; lines that are here only stay.
///
/// # Errors
/// As [`look`], and when lines are here only that others went on without.
pub async fn pull(store: &Store, folder: &Path, identity: &Identity) -> Result<Opened, StateError> {
    durable::create_private_folder(folder)?;
    let mark = Mark::read(folder, store.place())?;
    let history = History::read(store, &mark).await?;
    if history.is_new() {
        return Ok(Opened::default());
    }
    let merge = Merge::of(folder, &mark, &history, identity)?;
    let opened = merge.opened();
    if opened.merged.is_some() {
        return Err(StateError::Unpushed { place: store.place().to_owned() });
    }
    merge.write(folder)?;
    if merge.unknown_to_others().is_empty() {
        history.mark(merge.sequence()).write(folder)?;
    }
    Ok(opened)
}

impl Held {
    /// What tells whether the lock is still held.
    pub fn standing(&self) -> SharedHolder {
        self.lock.standing()
    }

    /// Puts what is here only into the bucket, and lets the next one in.
    ///
    /// # Errors
    /// When lines stay behind: they are in the journal here, and the next command of this machine takes them along.
    pub async fn finish(&self) -> Result<(), StateError> {
        let mark = self.outbox.flush().await?;
        mark.write(&self.folder)?;
        self.lock.release().await
    }
}
