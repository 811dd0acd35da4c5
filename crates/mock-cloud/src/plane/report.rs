//! How parts of the data plane say that what they report changed.

use std::sync::Arc;

use tokio::sync::Notify;

/// Wakes whoever waits for a change of the status; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changed(Arc<Notify>);

impl Changed {
    pub(crate) fn notify(&self) {
        self.0.notify_waiters();
    }

    /// Registered before it is awaited: a change in between is not missed.
    pub(crate) fn listen(&self) -> tokio::sync::futures::OwnedNotified {
        Arc::clone(&self.0).notified_owned()
    }
}
