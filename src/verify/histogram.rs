//! How latencies are spread, in a line that a report carries as evidence: `1:12 2:340 5:48`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Upper ends of the classes in milliseconds; what is above them all is in one more.
const ENDS: [u64; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
/// What the last class is called.
const MORE: &str = "more";

/// Counts of latencies by class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Histogram {
    counts: [usize; ENDS.len() + 1],
}

impl Histogram {
    pub(super) fn of(latencies: &[Duration]) -> Self {
        let mut counts = [0; ENDS.len() + 1];
        for latency in latencies {
            let class = ENDS.iter().position(|end| *latency <= Duration::from_millis(*end));
            counts[class.unwrap_or(ENDS.len())] += 1;
        }
        Self { counts }
    }

    /// Each class from the first to the last that has something in it: its name and its count.
    pub(super) fn classes(&self) -> Vec<(String, usize)> {
        let is_filled = |count: &usize| *count > 0;
        let (Some(first), Some(last)) =
            (self.counts.iter().position(is_filled), self.counts.iter().rposition(is_filled))
        else {
            return Vec::new();
        };
        (first..=last).map(|class| (name(class), self.counts[class])).collect()
    }
}

fn name(class: usize) -> String {
    ENDS.get(class).map_or_else(|| MORE.to_owned(), ToString::to_string)
}

impl fmt::Display for Histogram {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (class, count)) in self.classes().into_iter().enumerate() {
            let gap = if index == 0 { "" } else { " " };
            write!(formatter, "{gap}{class}:{count}")?;
        }
        Ok(())
    }
}

/// A text that is no histogram.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoHistogram;

impl FromStr for Histogram {
    type Err = NoHistogram;

    fn from_str(text: &str) -> Result<Self, NoHistogram> {
        let mut histogram = Self::default();
        for part in text.split_whitespace() {
            let (class, count) = part.split_once(':').ok_or(NoHistogram)?;
            let place = (0..=ENDS.len()).find(|place| name(*place) == class).ok_or(NoHistogram)?;
            histogram.counts[place] = count.parse().map_err(|_| NoHistogram)?;
        }
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_counted_by_class_and_read_back() {
        let latencies: Vec<Duration> =
            [300, 1_000, 1_001, 4_000, 4_500, 2_000_000].map(Duration::from_micros).to_vec();
        let histogram = Histogram::of(&latencies);
        let shown = histogram.to_string();
        assert_eq!(shown, "1:2 2:1 5:2 10:0 20:0 50:0 100:0 200:0 500:0 1000:0 more:1");
        assert_eq!(shown.parse(), Ok(histogram));
        assert_eq!(Histogram::of(&latencies[3..5]).to_string(), "5:2");
        assert_eq!(Histogram::of(&[]).to_string(), "");
    }

    #[test]
    fn what_is_no_histogram_is_none() {
        for text in ["5", "3:1", "5:many"] {
            assert_eq!(text.parse::<Histogram>(), Err(NoHistogram), "{text}");
        }
    }
}
