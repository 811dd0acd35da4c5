//! One changing command a stack at a time.
//!
//! Whoever holds the lock says so in the file `lock`, with a heartbeat that moves every ten seconds. The lock is free
//! when there is no file, when the holder's process is known to have ended, or when the heartbeat has not moved for
//! the lease while somebody watched: clocks of two machines are never compared to decide that.
//!
//! A holder that was stopped for longer than its lease may find that another one has the lock. It learns that at its
//! next heartbeat or before the next line of its journal, whichever comes first, and then writes none.

mod file;
mod process;
mod record;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use self::process::Process;
pub use self::record::{Holder, LEASE, Record};

use self::file::LockFile;
use crate::base::durable;
use crate::base::retry::Deadline;
use crate::state::StateError;

/// How often a holder renews its lock: twice may go wrong within a lease.
const RENEWAL: Duration = Duration::from_secs(10);
/// How often one who waits looks.
const LOOK: Duration = Duration::from_millis(500);

/// Who wants the lock, and how.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The command as it was typed.
    pub command: String,
    /// How long to wait for a holder that lives; zero: not at all.
    pub wait: Duration,
    /// How long the lock is believed without a heartbeat; [`LEASE`] everywhere but in tests.
    pub lease: Duration,
    /// How often the heartbeat moves.
    pub renewal: Duration,
}

impl Claim {
    /// Of a command that waits so long.
    pub fn new(command: &str, wait: Duration) -> Self {
        Self { command: command.to_owned(), wait, lease: LEASE, renewal: RENEWAL }
    }
}

/// What somebody who has to wait for a lock is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice<'a> {
    /// The holder lives.
    Waiting {
        /// Who it is.
        holder: &'a Holder,
        /// For how long it is waited for.
        most: Duration,
    },
    /// Whether the holder lives is being found out.
    Watching {
        /// Who it is.
        holder: &'a Holder,
        /// How long that takes at most.
        lease: Duration,
    },
}

/// Hears why a lock is not there at once.
pub type Listener<'a> = &'a (dyn Fn(&Notice<'_>) + Send + Sync);

/// A held lock; dropping it lets the next one in.
#[derive(Debug)]
pub struct Lock {
    standing: Arc<Held>,
    heartbeat: JoinHandle<()>,
}

impl Lock {
    /// Takes the lock of a stack.
    ///
    /// # Errors
    /// [`StateError::Locked`] with the holder when somebody has it for longer than the claim waits.
    pub async fn take(folder: &Path, claim: &Claim, listener: Listener<'_>) -> Result<Self, StateError> {
        durable::create_private_folder(folder)?;
        let file = LockFile::new(folder);
        let record = Record::new(&claim.command, claim.lease);
        let mut queue = Queue::new(listener, claim.wait);
        loop {
            let gate = file.gate().await?;
            let seen = queue.watch.look(&file)?;
            if let Seen::Held { holder, is_doubtful, .. } = &seen {
                drop(gate);
                queue.wait_for(holder, *is_doubtful).await?;
                continue;
            }
            if let Seen::Gone { content, .. } = &seen {
                file.remove(content)?;
            }
            if file.create(&gate, &record)? {
                return Ok(Self::hold(file, record, claim.renewal));
            }
        }
    }

    fn hold(file: LockFile, record: Record, renewal: Duration) -> Self {
        let standing = Arc::new(Held {
            file,
            id: record.id.clone(),
            lost: CancellationToken::new(),
            taken_by: Mutex::default(),
        });
        let heartbeat = tokio::spawn(beat(standing.clone(), record, renewal));
        Self { standing, heartbeat }
    }

    /// What tells whether it is still held.
    pub fn standing(&self) -> Standing {
        Standing { held: Some(self.standing.clone()) }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.heartbeat.abort();
        let file = &self.standing.file;
        let ours = file.read().ok().flatten().filter(|content| Holder::read(content).is(&self.standing.id));
        // When it cannot be removed, the next one finds that this process has ended.
        let _ = ours.map(|content| file.remove(&content));
    }
}

/// Moves the heartbeat until the lock is another's. A renewal that fails is tried again at the next beat: as long as
/// the file is ours nobody else has taken it.
async fn beat(held: Arc<Held>, mut record: Record, renewal: Duration) {
    loop {
        tokio::time::sleep(renewal).await;
        let Ok(gate) = held.file.gate().await else { continue };
        match held.check() {
            Ok(()) => {
                record = record.renewed();
                if let Err(error) = held.file.renew(&gate, &record) {
                    tracing::warn!("the lock could not be renewed: {error}: {}", error.source);
                }
            }
            Err(StateError::LockLost { .. }) => return,
            Err(error) => tracing::warn!("the lock could not be read: {error}"),
        }
    }
}

/// Tells whether a lock is still held. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Standing {
    held: Option<Arc<Held>>,
}

#[derive(Debug)]
struct Held {
    file: LockFile,
    id: String,
    lost: CancellationToken,
    taken_by: Mutex<String>,
}

impl Standing {
    /// Of what needs no lock.
    pub fn unguarded() -> Self {
        Self { held: None }
    }

    /// Makes sure of it by looking.
    ///
    /// # Errors
    /// [`StateError::LockLost`] when another has it; that never changes again.
    pub fn check(&self) -> Result<(), StateError> {
        self.held.as_ref().map_or(Ok(()), |held| held.check())
    }

    /// Waits until it is lost, for ever when it is not.
    pub async fn lost(&self) -> StateError {
        match &self.held {
            Some(held) => {
                held.lost.cancelled().await;
                held.error()
            }
            None => std::future::pending().await,
        }
    }
}

impl Held {
    fn check(&self) -> Result<(), StateError> {
        if self.lost.is_cancelled() {
            return Err(self.error());
        }
        let now = match self.file.read()?.map(|content| Holder::read(&content)) {
            Some(holder) if holder.is(&self.id) => return Ok(()),
            Some(holder) => format!("it is held by {holder}"),
            None => "nobody holds it now".to_owned(),
        };
        *self.taken_by.lock().unwrap_or_else(PoisonError::into_inner) = now;
        self.lost.cancel();
        Err(self.error())
    }

    fn error(&self) -> StateError {
        let now = self.taken_by.lock().unwrap_or_else(PoisonError::into_inner).clone();
        StateError::LockLost { now }
    }
}

/// What became of a lock that was to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unlocked {
    /// Nobody held it.
    WasFree,
    /// Its holder was gone.
    WasAbandoned(Holder),
    /// Its holder may be at work.
    WasForced(Holder),
}

/// Removes the lock of a holder that is gone; with `force` of any.
///
/// # Errors
/// [`StateError::Locked`] when the holder lives.
pub async fn unlock(folder: &Path, force: bool, listener: Listener<'_>) -> Result<Unlocked, StateError> {
    let file = LockFile::new(folder);
    if !folder.is_dir() {
        return Ok(Unlocked::WasFree);
    }
    let mut queue = Queue::new(listener, Duration::ZERO);
    loop {
        let gate = file.gate().await?;
        match queue.watch.look(&file)? {
            Seen::Free => return Ok(Unlocked::WasFree),
            Seen::Gone { content, holder } => {
                if file.remove(&content)? {
                    return Ok(Unlocked::WasAbandoned(holder));
                }
            }
            Seen::Held { content, holder, .. } if force => {
                if file.remove(&content)? {
                    return Ok(Unlocked::WasForced(holder));
                }
            }
            Seen::Held { holder, is_doubtful, .. } => {
                drop(gate);
                queue.wait_for(&holder, is_doubtful).await?;
            }
        }
    }
}

/// What a look at a lock finds.
pub(in crate::state) enum Seen {
    Free,
    /// The holder has ended, or has not moved for its lease.
    Gone {
        content: Vec<u8>,
        holder: Holder,
    },
    Held {
        content: Vec<u8>,
        holder: Holder,
        /// It may be dead; a lease of watching will tell.
        is_doubtful: bool,
    },
}

/// Watches one lock: what counts is how it moves, not what its clock says.
pub(in crate::state) struct Watch {
    us: Process,
    last: Option<(Vec<u8>, Instant)>,
    /// Whether it moved while it was watched.
    has_moved: bool,
}

impl Watch {
    fn new() -> Self {
        Self { us: Process::this(), last: None, has_moved: false }
    }

    fn look(&mut self, file: &LockFile) -> Result<Seen, StateError> {
        Ok(self.see(file.read()?))
    }

    /// Judges what a lock says now; none when nobody has it.
    pub(in crate::state) fn see(&mut self, content: Option<Vec<u8>>) -> Seen {
        let Some(content) = content else { return Seen::Free };
        let holder = Holder::read(&content);
        let unmoved_since = match &self.last {
            Some((last, since)) if *last == content => *since,
            other => {
                self.has_moved = other.is_some();
                Instant::now()
            }
        };
        self.last = Some((content.clone(), unmoved_since));
        if holder.is_gone(&self.us) || unmoved_since.elapsed() >= holder.lease() {
            return Seen::Gone { content, holder };
        }
        let is_doubtful = !self.has_moved && holder.is_doubtful();
        Seen::Held { content, holder, is_doubtful }
    }
}

/// Somebody's place before a lock that another has.
pub(in crate::state) struct Queue<'a> {
    pub(in crate::state) watch: Watch,
    listener: Listener<'a>,
    deadline: Deadline,
    /// How often it looks.
    look: Duration,
    told: Option<(String, bool)>,
}

impl<'a> Queue<'a> {
    fn new(listener: Listener<'a>, wait: Duration) -> Self {
        Self::looking_every(LOOK, listener, wait)
    }

    pub(in crate::state) fn looking_every(look: Duration, listener: Listener<'a>, wait: Duration) -> Self {
        Self { watch: Watch::new(), listener, deadline: Deadline::after(wait), look, told: None }
    }

    /// Waits a little for the next look.
    ///
    /// # Errors
    /// When the time is up and the holder lives.
    pub(in crate::state) async fn wait_for(
        &mut self,
        holder: &Holder,
        is_doubtful: bool,
    ) -> Result<(), StateError> {
        if self.deadline.passed() && !is_doubtful {
            return Err(StateError::Locked { holder: Box::new(holder.clone()) });
        }
        self.tell(holder, is_doubtful);
        let until_end = if is_doubtful { self.look } else { self.deadline.remaining().min(self.look) };
        tokio::time::sleep(until_end).await;
        Ok(())
    }

    fn tell(&mut self, holder: &Holder, is_doubtful: bool) {
        let news = (holder.id().to_owned(), is_doubtful);
        if self.told.as_ref() == Some(&news) {
            return;
        }
        self.told = Some(news);
        let notice = if is_doubtful {
            Notice::Watching { holder, lease: holder.lease() }
        } else {
            Notice::Waiting { holder, most: self.deadline.remaining() }
        };
        (self.listener)(&notice);
    }
}
