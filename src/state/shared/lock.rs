//! The lock of a shared stack: one object an epoch, which whoever makes it holds.
//!
//! A holder lives as long as its heartbeat moves while somebody watches, or is over when it has said so. As with the lock
//! on disk, clocks of two machines are never compared.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::state::StateError;
use crate::state::lock::{Claim, Holder, Listener, Queue, Record, Seen, Unlocked};
use crate::state::shared::Store;
use crate::state::shared::history::History;
use crate::state::shared::mark::Mark;
use crate::state::shared::outbox::Outbox;
use crate::state::shared::segment::{highest, name};
use crate::state::shared::store::{Made, StoreError};

const LOCK: &str = "lock/";
const BEAT: &str = "beat/";
const RELEASED: &str = "released/";
/// How often one who waits looks.
const LOOK: Duration = Duration::from_secs(1);

/// A lock that was taken.
#[derive(Debug)]
pub(super) struct SharedLock {
    store: Store,
    epoch: u64,
    record: Record,
    predecessor: Option<Holder>,
    standing: SharedHolder,
    heartbeat: Mutex<Option<JoinHandle<()>>>,
}

/// Tells whether a shared lock is still held. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SharedHolder {
    place: String,
    lost: CancellationToken,
    now: Arc<Mutex<String>>,
}

impl SharedHolder {
    fn new(place: &str) -> Self {
        Self { place: place.to_owned(), lost: CancellationToken::new(), now: Arc::default() }
    }

    /// Waits until it is lost, for ever when it is not.
    pub async fn lost(&self) -> StateError {
        self.lost.cancelled().await;
        self.error()
    }

    /// It is lost; who has it now is told from here on.
    pub(super) fn lose(&self, now: String) -> StateError {
        if !self.lost.is_cancelled() {
            *self.now.lock().unwrap_or_else(PoisonError::into_inner) = now;
            self.lost.cancel();
        }
        self.error()
    }

    /// That it is lost, once it is.
    pub(super) fn if_lost(&self) -> Option<StateError> {
        self.lost.is_cancelled().then(|| self.error())
    }

    fn error(&self) -> StateError {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner).clone();
        StateError::SharedLockLost { place: self.place.clone(), now }
    }
}

impl SharedLock {
    /// Takes the lock of a stack.
    pub(super) async fn take(
        store: Store,
        claim: &Claim,
        listener: Listener<'_>,
    ) -> Result<Self, StateError> {
        let refused = || StateError::of_store(store.place());
        let record = Record::new(&claim.command, claim.lease);
        let mut queue = Queue::looking_every(LOOK, listener, claim.wait);
        loop {
            let newest = newest(&store).await.map_err(refused())?;
            let content = said(&store, newest).await.map_err(refused())?;
            let predecessor = match queue.watch.see(content) {
                Seen::Held { holder, is_doubtful, .. } => {
                    queue.wait_for(&holder, is_doubtful).await?;
                    continue;
                }
                Seen::Gone { holder, .. } => Some(holder),
                Seen::Free => holder(&store, newest).await.map_err(refused())?,
            };
            let epoch = newest + 1;
            if claims(&store, epoch, &record).await.map_err(refused())? {
                let standing = SharedHolder::new(store.place());
                let heartbeat = Mutex::default();
                return Ok(Self { store, epoch, record, predecessor, standing, heartbeat });
            }
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn standing(&self) -> SharedHolder {
        self.standing.clone()
    }

    /// Who held it before.
    pub(super) fn predecessor(&self) -> Option<&Holder> {
        self.predecessor.as_ref()
    }

    /// Moves the heartbeat from now on, and takes along what is in the outbox.
    pub(super) fn keep_up(&self, renewal: Duration, outbox: Outbox) {
        let (store, epoch, standing) = (self.store.clone(), self.epoch, self.standing.clone());
        let task = tokio::spawn(beat(store, epoch, (self.record.clone(), renewal), (standing, outbox)));
        *self.heartbeat.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// Lets the next one in.
    pub(super) async fn release(&self) -> Result<(), StateError> {
        self.stop();
        if self.standing.if_lost().is_some() {
            return Ok(());
        }
        let key = format!("{RELEASED}{}", name(self.epoch));
        let made = self.store.create(&key, self.record.id.as_bytes()).await;
        made.map(drop).map_err(StateError::of_store(self.store.place()))
    }

    fn stop(&self) {
        if let Some(task) = self.heartbeat.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

impl Drop for SharedLock {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn beat(
    store: Store,
    epoch: u64,
    (mut record, renewal): (Record, Duration),
    (standing, outbox): (SharedHolder, Outbox),
) {
    loop {
        tokio::time::sleep(renewal).await;
        match successor(&store, epoch).await {
            Ok(None) => {}
            Ok(Some(now)) => {
                standing.lose(now);
                return;
            }
            Err(error) => tracing::warn!("the lock in {} could not be read: {error}", store.place()),
        }
        record = record.renewed();
        let key = format!("{BEAT}{}", name(epoch));
        if let Err(error) = store.write(&key, record.to_text().as_bytes()).await {
            tracing::warn!("the lock in {} could not be renewed: {error}", store.place());
        }
        // What came of it is nobody's concern here: who needs it in the bucket asks for it there.
        let _ = outbox.push().await;
    }
}

/// Who has taken over from an epoch, if anybody has.
pub(super) async fn successor(store: &Store, epoch: u64) -> Result<Option<String>, StoreError> {
    let names = store.list(LOCK, &name(epoch)).await?;
    let Some(newest) = highest(&names).filter(|newest| *newest > epoch) else { return Ok(None) };
    Ok(Some(match said(store, newest).await? {
        Some(content) => format!("it is held by {}", Holder::read(&content)),
        None => "another command had it, and nobody holds it now".to_owned(),
    }))
}

/// Removes the hold of whoever is gone; with `force` of anybody. Nothing is removed for that: an epoch is begun and over.
///
/// # Errors
/// [`StateError::Locked`] when the holder lives.
pub async fn unlock(store: &Store, force: bool, listener: Listener<'_>) -> Result<Unlocked, StateError> {
    let refused = || StateError::of_store(store.place());
    let mut queue = Queue::looking_every(LOOK, listener, Duration::ZERO);
    loop {
        let newest = newest(store).await.map_err(refused())?;
        let content = said(store, newest).await.map_err(refused())?;
        let unlocked = match queue.watch.see(content) {
            Seen::Free => return Ok(Unlocked::WasFree),
            Seen::Gone { holder, .. } => Unlocked::WasAbandoned(holder),
            Seen::Held { holder, .. } if force => Unlocked::WasForced(holder),
            Seen::Held { holder, is_doubtful, .. } => {
                queue.wait_for(&holder, is_doubtful).await?;
                continue;
            }
        };
        let epoch = newest + 1;
        let record = Record::new("albatross unlock", crate::state::lock::LEASE);
        if claims(store, epoch, &record).await.map_err(refused())? {
            let beginning = Mark { place: store.place().to_owned(), ..Mark::default() };
            History::read(store, &beginning).await?.open_epoch(epoch).await?;
            let key = format!("{RELEASED}{}", name(epoch));
            store.create(&key, record.id.as_bytes()).await.map_err(refused())?;
            return Ok(unlocked);
        }
    }
}

/// Whether the next epoch is ours.
async fn claims(store: &Store, epoch: u64, record: &Record) -> Result<bool, StoreError> {
    let key = format!("{LOCK}{}", name(epoch));
    Ok(store.create(&key, record.to_text().as_bytes()).await? == Made::New)
}

/// The newest epoch; zero when there was none.
async fn newest(store: &Store) -> Result<u64, StoreError> {
    Ok(highest(&store.list(LOCK, "").await?).unwrap_or(0))
}

/// Who held an epoch; none when there was none.
async fn holder(store: &Store, epoch: u64) -> Result<Option<Holder>, StoreError> {
    if epoch == 0 {
        return Ok(None);
    }
    let record = store.read(&format!("{LOCK}{}", name(epoch))).await?;
    Ok(record.map(|record| Holder::read(&record)))
}

/// What the holder of an epoch said last; none when it has said that it is over.
async fn said(store: &Store, epoch: u64) -> Result<Option<Vec<u8>>, StoreError> {
    if epoch == 0 {
        return Ok(None);
    }
    let name = name(epoch);
    if store.read(&format!("{RELEASED}{name}")).await?.is_some() {
        return Ok(None);
    }
    match store.read(&format!("{BEAT}{name}")).await? {
        Some(beat) => Ok(Some(beat)),
        None => store.read(&format!("{LOCK}{name}")).await,
    }
}
