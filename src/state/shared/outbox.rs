//! Lines on their way from the journal's file into the bucket.
//!
//! Whoever is about to send a call waits until the line that announces it is there. Many wait at once: one of them
//! writes a segment with all that there is by then, and the others find it done. What only says how a call ended waits for
//! nobody, and goes with the next that is waited for, or with the next heartbeat.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Mutex as AsyncMutex;

use crate::state::StateError;
use crate::state::lock::Holder;
use crate::state::shared::Store;
use crate::state::shared::history::History;
use crate::state::shared::lock::{SharedHolder, SharedLock, successor};
use crate::state::shared::mark::Mark;
use crate::state::shared::store::StoreError;

/// What is on its way. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbox {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    epoch: u64,
    /// Who sent what this command found under way.
    predecessor: Option<Holder>,
    standing: SharedHolder,
    waiting: Mutex<Waiting>,
    /// Held by whoever writes a segment.
    history: AsyncMutex<History>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Lines with their numbers.
    lines: Vec<(u64, String)>,
    /// Number of the last line that is in the bucket.
    known: u64,
    /// What the bucket said when it was asked last in vain: nobody who is about to do something asks again.
    refused: Option<StoreError>,
}

impl Outbox {
    pub(super) fn of(history: History, lock: &SharedLock, sequence: u64) -> Self {
        let waiting = Waiting { known: sequence, ..Waiting::default() };
        let shared = Shared {
            store: history.store().clone(),
            epoch: lock.epoch(),
            predecessor: lock.predecessor().cloned(),
            standing: lock.standing(),
            waiting: Mutex::new(waiting),
            history: AsyncMutex::new(history),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Takes a line along; it is on disk.
    pub(in crate::state) fn add(&self, sequence: u64, line: String) {
        self.waiting().lines.push((sequence, line));
    }

    /// Whether all that is on disk is in the bucket.
    pub(in crate::state) fn is_empty(&self) -> bool {
        self.waiting().lines.is_empty()
    }

    /// Waits until a line is in the bucket.
    ///
    /// # Errors
    /// When it did not get there, or the lock is another's: then nothing may be done that the line announces.
    pub async fn settled(&self, sequence: u64) -> Result<(), StateError> {
        {
            let waiting = self.waiting();
            if waiting.known >= sequence {
                return Ok(());
            }
            if let Some(refused) = &waiting.refused {
                return Err(self.unshared(refused.clone()));
            }
        }
        self.push_up_to(sequence).await
    }

    /// Puts all that there is into the bucket, and says how far it is.
    ///
    /// # Errors
    /// When something stays behind.
    pub(super) async fn flush(&self) -> Result<Mark, StateError> {
        self.waiting().refused = None;
        self.push().await.map_err(StateError::of_what_is_over)?;
        let known = self.waiting().known;
        Ok(self.shared.history.lock().await.mark(known))
    }

    /// Puts all that there is by now into the bucket.
    pub(super) async fn push(&self) -> Result<(), StateError> {
        let last = self.waiting().lines.last().map(|(sequence, _)| *sequence);
        match last {
            Some(sequence) => self.push_up_to(sequence).await,
            None => Ok(()),
        }
    }

    async fn push_up_to(&self, sequence: u64) -> Result<(), StateError> {
        let mut history = self.shared.history.lock().await;
        if let Some(lost) = self.shared.standing.if_lost() {
            return Err(lost);
        }
        let (text, last) = {
            let waiting = self.waiting();
            if waiting.known >= sequence {
                return Ok(());
            }
            if let Some(refused) = &waiting.refused {
                return Err(self.unshared(refused.clone()));
            }
            let text: String = waiting.lines.iter().map(|(_, line)| line.as_str()).collect();
            (text, waiting.lines.last().map_or(sequence, |(sequence, _)| *sequence))
        };
        match history.append(self.shared.epoch, &text).await {
            Ok(()) => {
                let mut waiting = self.waiting();
                waiting.lines.retain(|(sequence, _)| *sequence > last);
                waiting.known = last;
                Ok(())
            }
            Err(StateError::SharedLockLost { now, .. }) => {
                let known = successor(&self.shared.store, self.shared.epoch).await.ok().flatten();
                Err(self.shared.standing.lose(known.unwrap_or(now)))
            }
            Err(StateError::Store { said, .. }) => {
                self.waiting().refused = Some(said.clone());
                Err(self.unshared(said))
            }
            Err(error) => Err(error),
        }
    }

    /// Why a secret is not here: whoever sent the call it belongs to has it.
    pub(in crate::state) fn secret_elsewhere(&self, missing: StateError) -> StateError {
        match &self.shared.predecessor {
            Some(holder) => StateError::SecretElsewhere { holder: holder.to_string() },
            None => missing,
        }
    }

    fn unshared(&self, said: StoreError) -> StateError {
        StateError::Unshared { place: self.shared.store.place().to_owned(), said }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
