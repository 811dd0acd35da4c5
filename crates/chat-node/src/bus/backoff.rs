//! How long to wait before the next attempt to reach Redis: growing, bounded, and never the same for two nodes.

use std::time::Duration;

/// Delays that double from 50 ms up to 2 s, each shortened by chance to between half and all of it.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(2);

    /// The delay before the next attempt.
    pub(super) fn next_delay(&mut self) -> Duration {
        let doubled = Self::FIRST.saturating_mul(2_u32.saturating_pow(self.attempts));
        self.attempts = self.attempts.saturating_add(1);
        doubled.min(Self::LONGEST).mul_f64(rand::random_range(0.5..=1.0))
    }

    /// Begins anew after a success.
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_and_stay_bounded() {
        let mut backoff = Backoff::default();
        let delays: Vec<Duration> = (0..40).map(|_| backoff.next_delay()).collect();
        assert!(delays[0] >= Duration::from_millis(25) && delays[0] <= Duration::from_millis(50));
        assert!(delays[3] >= Duration::from_millis(200) && delays[3] <= Duration::from_millis(400));
        assert!(delays[10..].iter().all(|delay| (1..=2).contains(&delay.as_secs())));
        backoff.reset();
        assert!(backoff.next_delay() <= Duration::from_millis(50));
    }
}
