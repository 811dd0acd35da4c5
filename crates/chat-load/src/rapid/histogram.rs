//! How long deliveries took: counts in buckets that are at most a sixteenth apart, so that millions cost nothing.

use std::time::Duration;

/// Buckets between one power of two and the next.
const STEPS: u64 = 16;
/// Powers of two beyond that; the last bucket takes 30 minutes and more.
const POWERS: usize = 28;
const BUCKETS: usize = (POWERS + 1) * 16;

/// Counts of durations.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0 }
    }
}

impl Histogram {
    /// Counts so many microseconds.
    pub fn add(&mut self, microseconds: u64) {
        self.counts[bucket(microseconds)] += 1;
        self.total += 1;
    }

    /// Adds what another has counted.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
    }

    /// How many were counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The time within which so many of a thousand were, rounded up to the end of its bucket. Nothing when nothing was
    /// counted.
    pub fn within(&self, thousandths: u64) -> Option<Duration> {
        if self.total == 0 {
            return None;
        }
        let wanted = (self.total * thousandths).div_ceil(1000).max(1);
        let mut seen = 0;
        let place = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        Some(Duration::from_micros(end(place)))
    }
}

/// The bucket of a value: below 16 each has its own, above that sixteen share a power of two.
fn bucket(microseconds: u64) -> usize {
    if microseconds < STEPS {
        return usize::try_from(microseconds).unwrap_or_default();
    }
    let power = u64::from(microseconds.ilog2()) - 4;
    let step = (microseconds >> power) - STEPS;
    usize::try_from((power + 1) * STEPS + step).map_or(BUCKETS - 1, |bucket| bucket.min(BUCKETS - 1))
}

/// The largest value of a bucket.
fn end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket;
    }
    let (power, step) = (bucket / STEPS - 1, bucket % STEPS);
    ((STEPS + step + 1) << power) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_a_bucket_that_ends_at_most_a_sixteenth_behind_it() {
        for value in (0..2000).chain([1 << 20, (1 << 20) + 12_345, 999_999_999]) {
            let end = end(bucket(value));
            assert!(end >= value && end - value <= value / 16, "{value} ends at {end}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn shares_are_found_by_count() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.within(500), None);
        (1..=1000).for_each(|value| histogram.add(value));
        assert_eq!(histogram.within(10), Some(Duration::from_micros(10)));
        assert_eq!(histogram.within(500), Some(Duration::from_micros(511)));
        assert_eq!(histogram.within(990), Some(Duration::from_micros(991)));
        let mut both = Histogram::default();
        both.merge(&histogram);
        both.merge(&histogram);
        assert_eq!((both.total(), both.within(500)), (2000, histogram.within(500)));
    }
}
