//! Faults drawn from a seed: the same calls of an action meet the same faults, whatever came between them.
//!
//! Only faults that a careful client gets over are drawn; what ends a run (stock, quotas) has to be asked for.

use crate::server::faults::Fault;
use crate::world::ids::digest;

/// How far back a drawn stale read looks at most, in milliseconds.
pub(super) const LONGEST_STALENESS: i64 = 1_000;

/// A seed with the share of calls that meet a fault.
#[derive(Debug, Clone, Copy)]
pub struct Seeded {
    /// Decides which calls, and which faults.
    pub seed: u64,
    /// From 0 (none) to 1 (every call).
    pub rate: f64,
}

impl Seeded {
    /// The fault of an action's call of this number, counted from 1.
    pub(super) fn draw(self, action: &str, occurrence: u64) -> Option<Fault> {
        let bytes = digest(self.seed, "fault", &format!("{action} {occurrence}"));
        let number = |range: std::ops::Range<usize>| {
            bytes[range].iter().fold(0_u32, |number, byte| (number << 8) | u32::from(*byte))
        };
        if f64::from(number(0..4)) >= self.rate * f64::from(u32::MAX) {
            return None;
        }
        let milliseconds = u64::from(number(8..12) % 1_000);
        Some(match number(4..8) % 6 {
            0 => Fault::Throttle { retry_after: 50 + milliseconds / 5 },
            1 => Fault::ServerError { status: 503, after_commit: false },
            2 => Fault::ServerError { status: 500, after_commit: true },
            3 => Fault::LostReply {},
            4 => Fault::SlowReply { milliseconds },
            _ => Fault::StaleRead { milliseconds },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_kept_and_every_kind_is_drawn() {
        let seeded = Seeded { seed: 7, rate: 0.25 };
        let drawn: Vec<Fault> =
            (1..=4_000).filter_map(|count| seeded.draw("Vpc.DescribeVpcs", count)).collect();
        assert!((800..1_200).contains(&drawn.len()), "{}", drawn.len());
        let words: std::collections::BTreeSet<&str> = drawn.iter().map(Fault::word).collect();
        assert_eq!(words.len(), 6, "{words:?}");
        assert_eq!(seeded.draw("Vpc.DescribeVpcs", 17), seeded.draw("Vpc.DescribeVpcs", 17));
        let other = Seeded { seed: 8, ..seeded };
        let differs = (1..100).any(|count| other.draw("A.B", count) != seeded.draw("A.B", count));
        assert!(differs, "another seed draws other faults");
    }
}
