//! How much may wait to be written: a bound on messages and bytes, over the queue, the pipeline and what is in doubt.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What a message takes beside its text.
const OVERHEAD: usize = 256;

/// The bound and what it holds.
#[derive(Debug)]
pub struct Budget {
    messages: usize,
    bytes: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    messages: usize,
    bytes: usize,
    /// When each was taken, oldest first; those given back are skipped when they come to the front.
    ages: VecDeque<(u64, Instant)>,
    given_back: std::collections::HashSet<u64>,
    next: u64,
}

/// A place for one message, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    budget: Arc<Budget>,
    bytes: usize,
    number: u64,
}

/// What waits at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// So many messages.
    pub messages: usize,
    /// So many bytes.
    pub bytes: usize,
    /// Since when the oldest does.
    pub oldest: Duration,
}

impl Budget {
    /// A bound.
    pub fn new(messages: usize, bytes: usize) -> Self {
        Self { messages, bytes, taken: Mutex::default() }
    }

    /// Takes a place for a message. `None` when there is none.
    pub(super) fn take(self: &Arc<Self>, text: usize) -> Option<Place> {
        let bytes = text + OVERHEAD;
        let mut taken = self.lock();
        if taken.messages >= self.messages || taken.bytes + bytes > self.bytes {
            return None;
        }
        taken.messages += 1;
        taken.bytes += bytes;
        let number = taken.next;
        taken.next += 1;
        taken.ages.push_back((number, Instant::now()));
        Some(Place { budget: self.clone(), bytes, number })
    }

    /// What waits now.
    pub fn waiting(&self) -> Waiting {
        let taken = self.lock();
        let oldest = taken.ages.front().map_or(Duration::ZERO, |(_, since)| since.elapsed());
        Waiting { messages: taken.messages, bytes: taken.bytes, oldest }
    }

    /// Nothing here panics while it holds the lock, so what a poisoned one guards is whole.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.budget.lock();
        taken.messages -= 1;
        taken.bytes -= self.bytes;
        taken.given_back.insert(self.number);
        while let Some((number, _)) = taken.ages.front().copied() {
            if !taken.given_back.remove(&number) {
                break;
            }
            taken.ages.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_bytes_are_bounded_and_given_back() {
        let budget = Arc::new(Budget::new(2, 10_000));
        let first = budget.take(100).unwrap();
        assert!(budget.take(9_500).is_none());
        let second = budget.take(100).unwrap();
        assert!(budget.take(0).is_none());
        assert_eq!((budget.waiting().messages, budget.waiting().bytes), (2, 2 * (100 + OVERHEAD)));
        drop(first);
        assert!(budget.take(0).is_some());
        drop(second);
        assert_eq!((budget.waiting().messages, budget.waiting().bytes), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_age_is_that_of_the_oldest_that_still_waits() {
        let budget = Arc::new(Budget::new(10, 10_000));
        let first = budget.take(1);
        tokio::time::advance(Duration::from_secs(3)).await;
        let second = budget.take(1);
        tokio::time::advance(Duration::from_secs(2)).await;
        let third = budget.take(1);
        assert_eq!(budget.waiting().oldest.as_secs(), 5);
        drop(second);
        assert_eq!(budget.waiting().oldest.as_secs(), 5);
        drop(first);
        assert_eq!(budget.waiting().oldest.as_secs(), 0);
        drop(third);
        assert!(budget.lock().ages.is_empty() && budget.lock().given_back.is_empty());
    }
}
