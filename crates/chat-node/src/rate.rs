//! How often a client may speak: a bucket that fills steadily and is emptied by speaking.
//!
//! A second bucket of the same kind is emptied by what goes beyond the first. A client that is a little too fast only
//! hears so; one that does not care about it empties the second one too.

use tokio::time::Instant;

/// What may be said at once by who begins anew: enough to say who one is.
const AGAIN: f64 = 5.0;

/// The size of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// What is filled in a second.
    pub a_second: u32,
    /// What it holds.
    pub burst: u32,
}

/// How often one client has spoken.
#[derive(Debug)]
pub struct Rate {
    bucket: Bucket,
    within: f64,
    beyond: f64,
    filled_at: Instant,
}

/// What an attempt to speak comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is fine.
    Within,
    /// It is too much.
    Beyond,
    /// It is too much, and was so too often.
    Repeatedly,
}

impl Rate {
    /// Nothing was said yet.
    pub fn new(bucket: Bucket) -> Self {
        let full = f64::from(bucket.burst);
        Self { bucket, within: full, beyond: full, filled_at: Instant::now() }
    }

    /// Somebody who begins anew, and may have said all that may be said at once just before.
    pub fn begun_anew(bucket: Bucket) -> Self {
        Self { within: AGAIN.min(f64::from(bucket.burst)), ..Self::new(bucket) }
    }

    /// Speaks once.
    pub fn take(&mut self) -> Taken {
        let now = Instant::now();
        let filled = now.duration_since(self.filled_at).as_secs_f64() * f64::from(self.bucket.a_second);
        let full = f64::from(self.bucket.burst);
        self.within = full.min(self.within + filled);
        self.beyond = full.min(self.beyond + filled);
        self.filled_at = now;
        if self.within >= 1.0 {
            self.within -= 1.0;
            return Taken::Within;
        }
        if self.beyond >= 1.0 {
            self.beyond -= 1.0;
            return Taken::Beyond;
        }
        Taken::Repeatedly
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    async fn pass(milliseconds: u64) {
        tokio::time::advance(Duration::from_millis(milliseconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_fine_and_what_follows_fills_up_again() {
        let mut rate = Rate::new(Bucket { a_second: 10, burst: 3 });
        assert_eq!(
            [(); 4].map(|()| rate.take()),
            [Taken::Within, Taken::Within, Taken::Within, Taken::Beyond]
        );
        pass(99).await;
        assert_eq!(rate.take(), Taken::Beyond);
        pass(1).await;
        assert_eq!([(); 2].map(|()| rate.take()), [Taken::Within, Taken::Beyond]);
        pass(60_000).await;
        assert_eq!(
            [(); 4].map(|()| rate.take()),
            [Taken::Within, Taken::Within, Taken::Within, Taken::Beyond]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_begins_anew_does_not_get_everything_again() {
        let mut rate = Rate::begun_anew(Bucket { a_second: 10, burst: 100 });
        assert!([(); 5].iter().all(|()| rate.take() == Taken::Within));
        assert_eq!(rate.take(), Taken::Beyond);
        pass(100).await;
        assert_eq!(rate.take(), Taken::Within);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_stop_is_a_repeated_offender() {
        let mut rate = Rate::new(Bucket { a_second: 10, burst: 3 });
        let taken = [(); 7].map(|()| rate.take());
        assert_eq!(taken[3..], [Taken::Beyond, Taken::Beyond, Taken::Beyond, Taken::Repeatedly]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_a_little_too_fast_is_never_one() {
        let mut rate = Rate::new(Bucket { a_second: 10, burst: 3 });
        for _ in 0..1000 {
            assert_ne!(rate.take(), Taken::Repeatedly);
            pass(80).await;
        }
    }
}
