//! How long to go on, and how long to wait in between.
//!
//! One policy for the whole program: the gap grows by half from `first` to `most`, each wait is drawn from the upper
//! half of the gap (so that clients who failed together do not come back together), and a deadline ends it.

use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

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
    gap: Duration,
    most: Duration,
}

impl Backoff {
    /// Starts at `first` and grows to `most`; both must be above zero.
    pub fn new(first: Duration, most: Duration) -> Self {
        let first = first.max(Duration::from_millis(1));
        Self { gap: first, most: most.max(first) }
    }

    /// The next wait.
    pub fn next_gap(&mut self) -> Duration {
        let gap = self.gap;
        self.gap = (gap + gap / 2).min(self.most);
        gap.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    /// Waits for the next gap, but not past the deadline. Returns whether there is time for another try.
    pub async fn wait(&mut self, deadline: &Deadline) -> bool {
        self.wait_at_least(Duration::ZERO, deadline).await
    }

    /// As [`Backoff::wait`], but at least as long as the other side asked for.
    pub async fn wait_at_least(&mut self, least: Duration, deadline: &Deadline) -> bool {
        let gap = self.next_gap().max(least);
        if gap >= deadline.remaining() {
            return false;
        }
        tokio::time::sleep(gap).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_grow_to_the_limit_and_no_further() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let gaps: Vec<_> = (0..20).map(|_| backoff.next_gap()).collect();
        assert!(gaps[0] >= Duration::from_millis(50) && gaps[0] <= Duration::from_millis(100), "{gaps:?}");
        assert!(gaps[19] >= Duration::from_millis(500) && gaps[19] <= Duration::from_secs(1), "{gaps:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_never_crosses_the_deadline() {
        let deadline = Deadline::after(Duration::from_secs(10));
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
        while backoff.wait(&deadline).await {}
        assert!(!deadline.passed());
        assert!(deadline.remaining() <= Duration::from_secs(5));
    }
}
