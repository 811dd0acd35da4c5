//! How long to go on, and how long to wait in between.
//!
//! One policy for the whole program: exponential backoff with full jitter. The ceiling doubles from `first` to `most`,
//! each wait is drawn from all of zero to the ceiling, and a deadline ends it.
//!
//! Full jitter, because callers who were refused together must not come back together: in the comparison that Amazon
//! published of the ways to spread retries ("Exponential Backoff And Jitter", 2015), waits drawn from the whole range
//! needed the fewest calls, and drawing from the upper half only took longer for more of them. A wait near zero is
//! harmless, since the next ceiling is twice as high.

use std::time::Duration;

use tokio::time::Instant;

use crate::base::chance;

/// A point in time after which nothing is tried again.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    end: Instant,
    total: Duration,
}

impl Deadline {
    /// So long from now.
    pub fn after(total: Duration) -> Self {
        Self { end: Instant::now() + total, total }
    }

    /// Whether it has passed.
    pub fn passed(&self) -> bool {
        Instant::now() >= self.end
    }

    /// What is left.
    pub fn remaining(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// What was given at the start, for messages.
    pub fn total(&self) -> Duration {
        self.total
    }
}

/// Growing, jittered gaps.
#[derive(Debug, Clone)]
pub struct Backoff {
    ceiling: Duration,
    most: Duration,
}

impl Backoff {
    /// The first wait is at most `first`, later ones at most `most`; both must be above zero.
    pub fn new(first: Duration, most: Duration) -> Self {
        let first = first.max(Duration::from_millis(1));
        Self { ceiling: first, most: most.max(first) }
    }

    /// The next wait.
    pub fn next_gap(&mut self) -> Duration {
        let ceiling = self.ceiling;
        self.ceiling = (ceiling * 2).min(self.most);
        ceiling.mul_f64(chance::share())
    }

    /// Waits for the next gap, but not past the deadline. Returns whether there is time for another try; the last one
    /// is made at the deadline.
    pub async fn wait(&mut self, deadline: &Deadline) -> bool {
        self.wait_at_least(Duration::ZERO, deadline).await
    }

    /// As [`Backoff::wait`], but at least as long as the other side asked for, if the deadline allows that.
    pub async fn wait_at_least(&mut self, asked: Duration, deadline: &Deadline) -> bool {
        if deadline.passed() {
            return false;
        }
        tokio::time::sleep(self.next_gap().max(asked).min(deadline.remaining())).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOTAL: Duration = Duration::from_secs(10);

    #[test]
    fn gaps_are_drawn_from_the_whole_range_below_a_ceiling_that_doubles() {
        let drawn = |waits: usize| -> Vec<Duration> {
            (0..1000)
                .map(|_| {
                    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
                    (0..waits).map(|_| backoff.next_gap()).last().unwrap()
                })
                .collect()
        };
        for (waits, ceiling) in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1000), (9, 1000)] {
            let ceiling = Duration::from_millis(ceiling);
            let gaps = drawn(waits);
            assert!(gaps.iter().all(|gap| *gap <= ceiling), "wait {waits} is above {ceiling:?}");
            assert!(gaps.iter().any(|gap| *gap < ceiling / 5), "wait {waits} is never short");
            assert!(gaps.iter().any(|gap| *gap > ceiling * 4 / 5), "wait {waits} is never long");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_try_is_made_at_the_deadline() {
        let begun = Instant::now();
        let deadline = Deadline::after(TOTAL);
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
        while backoff.wait(&deadline).await {}
        assert!(begun.elapsed().abs_diff(TOTAL) <= Duration::from_millis(1), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_was_asked_for_is_kept_up_to_the_deadline() {
        let begun = Instant::now();
        let deadline = Deadline::after(TOTAL);
        let mut backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(2));
        assert!(backoff.wait_at_least(Duration::from_secs(4), &deadline).await);
        assert!(begun.elapsed().abs_diff(Duration::from_secs(4)) <= Duration::from_millis(1));
        assert!(backoff.wait_at_least(Duration::from_mins(5), &deadline).await);
        assert!(begun.elapsed().abs_diff(TOTAL) <= Duration::from_millis(1), "{:?}", begun.elapsed());
        assert!(!backoff.wait(&deadline).await);
    }
}
