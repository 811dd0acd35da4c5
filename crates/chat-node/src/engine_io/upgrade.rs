//! The move of a session from polling to a WebSocket: one attempt at a time, which comes to nothing unless the client
//! says that it moves.

use std::sync::Arc;

use super::session::{Attempt, Phase, Session, Transport};

/// A WebSocket that is being tried. Dropped before the client has moved, it leaves the session to polling.
#[derive(Debug)]
pub(super) struct Upgrading(Arc<Session>);

impl Upgrading {
    /// `None` when another WebSocket is tried or used already.
    pub(super) fn begin(session: Arc<Session>) -> Option<Self> {
        let is_free = match &mut session.lock().transport {
            Transport::Polling { attempt: attempt @ Attempt::None, .. } => {
                *attempt = Attempt::Connected;
                true
            }
            Transport::Polling { .. } | Transport::WebSocket => false,
        };
        // Made only then: what is dropped gives the attempt up.
        is_free.then(|| Self(session))
    }

    pub(super) fn session(&self) -> &Arc<Session> {
        &self.0
    }

    /// The client has sent its probe. It stops polling before it moves, and a poll that waits would hold it up. False
    /// when it has sent one before.
    pub(super) fn probed(&self) -> bool {
        let is_first = match &mut self.0.lock().transport {
            Transport::Polling { attempt, .. } => {
                std::mem::replace(attempt, Attempt::Probed) == Attempt::Connected
            }
            Transport::WebSocket => false,
        };
        self.0.poller.wake();
        is_first
    }

    /// From here on the WebSocket carries the session. Not when it is over, or the WebSocket was not tried before.
    pub(super) fn complete(&self) -> bool {
        let mut state = self.0.lock();
        let is_probed = matches!(state.transport, Transport::Polling { attempt: Attempt::Probed, .. });
        if state.phase != Phase::Open || !is_probed {
            return false;
        }
        state.transport = Transport::WebSocket;
        drop(state);
        self.0.driver.wake();
        self.0.poller.wake();
        true
    }

    /// The WebSocket came to nothing; polling goes on, and another one may be tried.
    pub(super) fn give_up(&self) {
        if let Transport::Polling { attempt, .. } = &mut self.0.lock().transport {
            *attempt = Attempt::None;
        }
    }
}

impl Drop for Upgrading {
    fn drop(&mut self) {
        self.give_up();
    }
}
