//! How far this machine's clock is from the cloud's, learnt from the `Date` header of every answer.

use std::sync::atomic::{AtomicI64, Ordering};

/// Seconds by which the cloud's clock is ahead of this machine's.
#[derive(Debug)]
pub(super) struct Skew(AtomicI64);

/// No answer has had a date yet.
const UNKNOWN: i64 = i64::MIN;

impl Skew {
    /// Nothing is known.
    pub(super) fn unknown() -> Self {
        Self(AtomicI64::new(UNKNOWN))
    }

    /// Takes in the date of an answer that arrived at `now`, seconds since 1970.
    pub(super) fn learn(&self, date: Option<&str>, now: i64) {
        if let Some(date) = date.and_then(seconds) {
            self.0.store(date - now, Ordering::Relaxed);
        }
    }

    /// What the last answer said.
    pub(super) fn seconds(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|skew| *skew != UNKNOWN)
    }
}

/// `Mon, 23 Nov 2026 17:00:00 GMT` as seconds since 1970.
fn seconds(date: &str) -> Option<i64> {
    let date = jiff::fmt::rfc2822::parse(date.trim()).ok()?;
    Some(date.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_is_that_of_the_last_date() {
        let skew = Skew::unknown();
        assert_eq!(skew.seconds(), None);
        skew.learn(Some("Thu, 01 Jan 1970 00:16:40 GMT"), 100);
        assert_eq!(skew.seconds(), Some(900));
        skew.learn(Some("not a date"), 0);
        skew.learn(None, 0);
        assert_eq!(skew.seconds(), Some(900));
    }
}
