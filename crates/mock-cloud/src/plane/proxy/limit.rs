//! How many requests a rule lets through in a second.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What is counted together.
const WINDOW: Duration = Duration::from_secs(1);

/// The limits of one rule and how far they are used up.
pub(super) struct Limit {
    all: Option<u32>,
    each: Option<u32>,
    window: Mutex<Option<Window>>,
}

/// The second that began with a request.
struct Window {
    since: Instant,
    total: u32,
    by_client: HashMap<IpAddr, u32>,
}

impl Limit {
    /// So many requests a second, and so many from one address.
    pub(super) fn new(all: Option<u32>, each: Option<u32>) -> Self {
        Self { all, each, window: Mutex::default() }
    }

    /// Whether one more is let through now.
    pub(super) fn admits(&self, client: IpAddr) -> bool {
        let now = Instant::now();
        let mut latest = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let window = match &mut *latest {
            Some(window) if now.duration_since(window.since) < WINDOW => window,
            other => other.insert(Window { since: now, total: 0, by_client: HashMap::new() }),
        };
        let own = window.by_client.entry(client).or_default();
        if self.all.is_some_and(|all| window.total >= all) || self.each.is_some_and(|each| *own >= each) {
            return false;
        }
        window.total += 1;
        *own += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_has_so_many_requests_and_the_next_one_as_many() {
        let clients = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse::<IpAddr>().unwrap());
        let limit = Limit::new(Some(3), Some(2));
        for _ in 0..2 {
            let admitted = [0, 0, 0, 1, 1].map(|client: usize| limit.admits(clients[client]));
            assert_eq!(admitted, [true, true, false, true, false]);
            tokio::time::advance(WINDOW).await;
        }
    }
}
