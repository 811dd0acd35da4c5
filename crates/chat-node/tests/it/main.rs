//! Nodes over a real Redis, and the program itself, through their sockets.
//!
//! Every wait is for a named condition with a deadline. Where `redis-server` is missing, the tests that need it are
//! skipped by name; with `CI=true` they fail instead.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails its test, as it should")]

mod catching_up;
mod client;
mod cluster;
mod clusters;
mod comeback;
mod cuts;
mod delivery;
mod documented;
mod listener;
mod manners;
mod outages;
mod probes;
mod program;
mod protocol;
mod recovery;
mod redis_server;
mod room;
mod servers;
mod sessions;
mod valve;
mod way;

use std::time::Duration;

/// Longer than anything here takes on a busy machine; reached only by a failure.
const DEADLINE: Duration = Duration::from_secs(20);

/// Waits until `condition` gives a value, looking again every few milliseconds.
async fn eventually<T>(what: &str, condition: impl AsyncFnMut() -> Option<T>) -> T {
    tokio::time::timeout(DEADLINE, repeatedly(condition))
        .await
        .unwrap_or_else(|_| panic!("not in time: {what}"))
}

/// The same without a deadline, for whoever has more to say when it passes.
async fn repeatedly<T>(mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
