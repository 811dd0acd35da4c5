//! Connections to one server that wait for their next request.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::client::conn::http1::SendRequest;
use tokio::time::Instant;

use crate::plane::proxy::body::Sent;

/// How long an unused connection is kept.
const KEEP_LIMIT: Duration = Duration::from_secs(15);

/// One end of a connection to a server.
pub(super) type Sender = SendRequest<Sent>;

/// The connections, the one used last at the end.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<(Sender, Instant)>>,
}

impl Pool {
    /// The one used last: the others get the chance to grow old.
    pub(super) fn take(&self) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((sender, since)) = idle.pop() {
            if sender.is_ready() && since.elapsed() < KEEP_LIMIT {
                return Some(sender);
            }
        }
        None
    }

    /// Takes a connection whose last answer was read to its end, as soon as it is ready for the next one.
    pub(super) fn put(self: &Arc<Self>, mut sender: Sender) {
        if sender.is_ready() {
            self.keep(sender);
        } else if !sender.is_closed() {
            let pool = Arc::clone(self);
            tokio::spawn(async move {
                if sender.ready().await.is_ok() {
                    pool.keep(sender);
                }
            });
        }
    }

    fn keep(&self, sender: Sender) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((sender, Instant::now()));
    }

    /// Lets go of those that nobody used for long, and of those that their servers closed.
    pub(super) fn expire(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(sender, since)| !sender.is_closed() && since.elapsed() < KEEP_LIMIT);
    }

    /// Lets go of all of them.
    pub(super) fn clear(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
