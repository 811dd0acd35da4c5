//! The time of day, in one place.
//!
//! Waiting goes through `tokio::time`, which tests can pause; the date comes from here, and follows that clock: where
//! it is paused or moved on, so is the date. Signatures, ages of tokens and ends of keys are then as old as the waits
//! say.

use jiff::{SignedDuration, Timestamp};

/// Now, in UTC.
pub fn now() -> Timestamp {
    Timestamp::now() + moved()
}

/// How far tokio's clock is from the machine's: nothing, except where a test has paused it.
#[expect(clippy::disallowed_methods, reason = "the machine's clock is what tokio's is compared with")]
fn moved() -> SignedDuration {
    let machine = std::time::Instant::now();
    let tokio = tokio::time::Instant::now().into_std();
    let ahead = tokio.saturating_duration_since(machine);
    let behind = machine.saturating_duration_since(tokio);
    SignedDuration::try_from(ahead).unwrap_or_default() - SignedDuration::try_from(behind).unwrap_or_default()
}

/// Now in the form the cloud signs: `2026-11-23T14:00:00Z`.
pub fn now_seconds() -> String {
    now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn outside_of_a_test_with_a_clock_of_its_own_it_is_the_machines_time() {
        let machine = Timestamp::now();
        assert!(now().duration_since(machine).as_secs_f64().abs() < 1.0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_date_follows_the_clock_that_waits_go_by() {
        let before = now();
        tokio::time::sleep(Duration::from_hours(3)).await;
        let passed = now().duration_since(before).as_secs_f64();
        assert!((passed - 3.0 * 3600.0).abs() < 0.1, "{passed} s");
    }
}
