//! Connections to one server that wait for their next request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use tokio::time::Instant;

use crate::plane::proxy::connection::Connection;

/// How long an unused connection is kept.
const KEEP_LIMIT: Duration = Duration::from_secs(15);

/// The connections by the thread that made them, which alone hears of what comes on them without another one being
/// woken; the one used last at the end.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<HashMap<ThreadId, Vec<(Connection, Instant)>>>,
}

impl Pool {
    /// The one used last: the others get the chance to grow old.
    pub(super) fn take(&self) -> Option<Connection> {
        loop {
            let (mut connection, since) = self.idle().get_mut(&thread::current().id())?.pop()?;
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
        self.idle().entry(thread::current().id()).or_default().push((connection, Instant::now()));
    }

    /// Lets go of those that nobody used for long, and of those that their servers closed.
    pub(super) fn expire(&self) {
        for idle in self.idle().values_mut() {
            idle.retain_mut(|(connection, since)| since.elapsed() < KEEP_LIMIT && connection.is_ready());
        }
    }

    /// Lets go of all of them.
    pub(super) fn clear(&self) {
        self.idle().clear();
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<ThreadId, Vec<(Connection, Instant)>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
