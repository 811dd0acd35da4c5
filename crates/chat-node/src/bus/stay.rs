//! A client's stay on this node, from its seat to its end, and whose stay is the latest.
//!
//! A client that lost its connection may be back on another node before the first one has noticed. So every stay has a
//! time, that of Redis at its beginning, which is kept with the session in Redis; of two stays the later one counts. It
//! is above that of the stay before even when Redis' clock was set back meanwhile. The same time tells the farewells of
//! two stays from each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use super::sessions::Session;

/// One stay. What Redis is told of it is noted here by the task that keeps sessions.
#[derive(Debug)]
pub struct Stay {
    since: Instant,
    /// When it began, in Redis' milliseconds; zero before Redis was asked.
    began: AtomicU64,
    /// When its farewell is due by what was last written; zero before anything was.
    due: AtomicU64,
}

/// A client that is here, or has just left.
#[derive(Debug, Clone)]
pub struct Presence {
    /// Who it is.
    pub session: Session,
    /// Its stay.
    pub stay: Arc<Stay>,
}

/// How a stay relates to the one that Redis knows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is the latest one.
    Latest,
    /// Redis knows of none.
    Unknown,
    /// The client is on another connection by now, here or on another node.
    Over,
}

impl Stay {
    /// A stay that begins now.
    pub fn begin() -> Arc<Self> {
        Arc::new(Self { since: Instant::now(), began: AtomicU64::new(0), due: AtomicU64::new(0) })
    }

    /// When it began. Redis' clock shows `now`, and the client came from a stay that began at `before`, if from any.
    pub(super) fn arrive(&self, now: u64, before: Option<u64>) -> u64 {
        self.began_at(now, before.map_or(0, |before| before + 1))
    }

    /// How it relates to the stay Redis knows of.
    pub(super) fn standing(&self, now: u64, known: Option<u64>) -> Standing {
        match known {
            None => Standing::Unknown,
            Some(known) if known > self.began_at(now, 0) => Standing::Over,
            Some(_) => Standing::Latest,
        }
    }

    /// Notes when its farewell is due.
    pub(super) fn postpone(&self, due: u64) {
        self.due.store(due, Ordering::Relaxed);
    }

    /// Whether its farewell was due before now, so that another node has said it.
    pub(super) fn is_overdue(&self, now: u64) -> bool {
        (1..now).contains(&self.due.load(Ordering::Relaxed))
    }

    /// Once it is known it stays: others compare it to the millisecond.
    fn began_at(&self, now: u64, least: u64) -> u64 {
        let known = self.began.load(Ordering::Relaxed);
        if known != 0 {
            return known;
        }
        let age = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let began = now.saturating_sub(age).max(least).max(1);
        self.began.store(began, Ordering::Relaxed);
        began
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_later_of_two_stays_counts_whoever_asks_first() {
        let ghost = Stay::begin();
        assert_eq!(ghost.arrive(1000, None), 1000);
        assert_eq!(ghost.standing(9000, Some(1000)), Standing::Latest);
        let stay = Stay::begin();
        tokio::time::advance(Duration::from_millis(500)).await;
        // Before it was told of, and after.
        assert_eq!(stay.standing(3500, Some(1000)), Standing::Latest);
        assert_eq!(stay.arrive(3600, Some(1000)), 3000);
        assert_eq!(ghost.standing(3600, Some(3000)), Standing::Over);
        assert_eq!(stay.standing(9000, Some(1000)), Standing::Latest);
        assert_eq!(stay.standing(9000, None), Standing::Unknown);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_was_set_back_does_not_make_a_stay_older_than_the_one_before() {
        let (ghost, stay) = (Stay::begin(), Stay::begin());
        ghost.arrive(9000, None);
        assert_eq!(stay.arrive(2000, Some(9000)), 9001);
        assert_eq!(ghost.standing(2000, Some(9001)), Standing::Over);
    }

    #[tokio::test(start_paused = true)]
    async fn a_farewell_is_overdue_only_when_it_was_to_be_said_by_others() {
        let stay = Stay::begin();
        assert!(!stay.is_overdue(5000));
        stay.postpone(5000);
        assert!(!stay.is_overdue(5000));
        assert!(stay.is_overdue(5001));
    }
}
