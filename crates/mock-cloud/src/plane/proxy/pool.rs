//! Connections to one server that wait for their next request.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::plane::proxy::connection::Connection;

/// How long an unused connection is kept.
const KEEP_LIMIT: Duration = Duration::from_secs(15);

/// The connections, the one used last at the end.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<(Connection, Instant)>>,
}

impl Pool {
    /// The one used last: the others get the chance to grow old.
    pub(super) fn take(&self) -> Option<Connection> {
        loop {
            let (mut connection, since) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if since.elapsed() < KEEP_LIMIT && connection.is_ready() {
                return Some(connection);
            }
        }
    }

    /// Takes a connection whose last answer was read to its end, as soon as it is ready for the next one.
    pub(super) fn put(self: &Arc<Self>, mut connection: Connection) {
        if connection.is_ready() {
            return self.keep(connection);
        }
        let pool = Arc::clone(self);
        tokio::spawn(async move {
            connection.rest().await;
            if connection.is_ready() {
                pool.keep(connection);
            }
        });
    }

    fn keep(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((connection, Instant::now()));
    }

    /// Lets go of those that nobody used for long, and of those that their servers closed.
    pub(super) fn expire(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain_mut(|(connection, since)| since.elapsed() < KEEP_LIMIT && connection.is_ready());
    }

    /// Lets go of all of them.
    pub(super) fn clear(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
