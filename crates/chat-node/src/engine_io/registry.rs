//! The sessions of a server, by id, and the tenure of the task that drives one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::close::CloseReason;
use super::counts::Counts;
use super::session::{Permit, Phase, Session};
use crate::session_id::SessionId;

/// A session, and its place among those there may be.
#[derive(Debug)]
struct Entry {
    session: Arc<Session>,
    _permit: Permit,
}

/// Every session that is not over.
#[derive(Debug, Default)]
pub struct Registry {
    sessions: Mutex<HashMap<SessionId, Entry>>,
    /// What is counted.
    pub counts: Counts,
}

impl Registry {
    /// The session of an id, if there is one.
    pub fn get(&self, id: &str) -> Option<Arc<Session>> {
        let id: SessionId = id.parse().ok()?;
        self.lock().get(&id).map(|entry| entry.session.clone())
    }

    /// Every session, in no particular order.
    pub fn all(&self) -> Vec<Arc<Session>> {
        self.lock().values().map(|entry| entry.session.clone()).collect()
    }

    /// Packets and bytes that wait for all clients together.
    pub fn queued(&self) -> (usize, usize) {
        self.all().iter().fold((0, 0), |(packets, bytes), session| {
            let waiting = session.lock().waiting();
            (packets + waiting.packets, bytes + waiting.bytes)
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Counts a session in, for the task that will drive it.
    pub(super) fn enter(self: &Arc<Self>, session: &Arc<Session>, permit: Permit) -> Tenure {
        self.lock().insert(session.id(), Entry { session: session.clone(), _permit: permit });
        self.succeed(session)
    }

    /// For the task that takes a session over from another.
    pub(super) fn succeed(self: &Arc<Self>, session: &Arc<Session>) -> Tenure {
        Tenure { registry: self.clone(), session: session.clone(), announced: false, passed_on: false }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Entry>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The duty to tell of a session's end. Whoever drops it without having done so, by a panic say, ends the session.
#[derive(Debug)]
pub(super) struct Tenure {
    registry: Arc<Registry>,
    session: Arc<Session>,
    announced: bool,
    passed_on: bool,
}

impl Tenure {
    pub(super) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    pub(super) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Tells the layer above of the end, once.
    pub(super) fn announce(&mut self, reason: CloseReason) {
        if !std::mem::replace(&mut self.announced, true) {
            // Whoever ended it by a panic has not closed it.
            self.session.close(reason);
            self.registry.counts.closed(reason);
            tracing::debug!(address = %self.session.visitor().address, %reason, "a session ended");
            self.session.announce_end(reason);
        }
    }

    /// The session lives on under another driver.
    pub(super) fn pass_on(mut self) {
        self.passed_on = true;
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        if self.passed_on {
            return;
        }
        self.announce(CloseReason::TransportError);
        self.session.lock().phase = Phase::Closed(CloseReason::TransportError);
        let entry = self.registry.lock().remove(&self.session.id());
        // Not under the lock: a permit may be anything.
        drop(entry);
        // A poll that came after the end was told is not left waiting.
        self.session.poller.wake();
    }
}
