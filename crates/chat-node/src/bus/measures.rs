//! What the way to Redis counts and times, and its Prometheus text.

use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::budget::Budget;
use super::connectivity::Side;
use super::entry::Position;
use super::trouble::Reason;
use crate::metrics::Counter;

/// Upper ends of the buckets for times, in microseconds.
const TIMES: [u64; 15] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 2_500_000,
    10_000_000, 30_000_000, 60_000_000,
];
/// Upper ends of the buckets for counts.
const COUNTS: [u64; 9] = [1, 2, 5, 10, 25, 50, 100, 500, 1_000];

/// Observations by size. Times are in microseconds here and in seconds outside.
#[derive(Debug)]
pub struct Histogram<const BUCKETS: usize> {
    ends: [u64; BUCKETS],
    counts: [AtomicU64; BUCKETS],
    count: AtomicU64,
    sum: AtomicU64,
}

impl<const BUCKETS: usize> Histogram<BUCKETS> {
    fn new(ends: [u64; BUCKETS]) -> Self {
        let counts = std::array::from_fn(|_| AtomicU64::new(0));
        Self { ends, counts, count: AtomicU64::new(0), sum: AtomicU64::new(0) }
    }

    /// One more.
    pub fn observe(&self, value: u64) {
        let bucket = self.ends.partition_point(|end| *end < value);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// One more time.
    pub fn observe_time(&self, time: Duration) {
        self.observe(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    fn write(&self, text: &mut String, name: &str, help: &str, show: fn(u64) -> String) {
        header(text, name, help, "histogram");
        let mut so_far = 0;
        for (end, count) in self.ends.iter().zip(&self.counts) {
            so_far += count.load(Ordering::Relaxed);
            line(text, format_args!("{name}_bucket{{le=\"{}\"}} {so_far}", show(*end)));
        }
        // A value that is observed meanwhile may be in a bucket and not in the count yet.
        let count = self.count().max(so_far);
        line(text, format_args!("{name}_bucket{{le=\"+Inf\"}} {count}"));
        line(text, format_args!("{name}_sum {}", show(self.sum.load(Ordering::Relaxed))));
        line(text, format_args!("{name}_count {count}"));
    }
}

fn seconds(microseconds: u64) -> String {
    let text = format!("{}.{:06}", microseconds / 1_000_000, microseconds % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Why a message was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Too much waits already.
    Crowded,
    /// It waited for too long.
    Late,
    /// It waited, and the node ends.
    Ending,
    /// Redis takes no messages.
    Redis(Reason),
}

impl Refusal {
    /// A word for metrics and programs.
    pub fn label(self) -> &'static str {
        match self {
            Self::Crowded => "crowded",
            Self::Late => "late",
            Self::Ending => "ending",
            Self::Redis(reason) => reason.label(),
        }
    }
}

/// All of it.
#[derive(Debug)]
pub struct Measures {
    /// Connections made, by side.
    pub connected: [Counter; Side::ALL.len()],
    /// Connections lost, by side.
    pub lost: [Counter; Side::ALL.len()],
    /// New troubles, by side and reason.
    pub troubles: [[Counter; Reason::ALL.len()]; Side::ALL.len()],
    /// Entries of the stream Redis confirmed.
    pub published: Counter,
    /// Messages refused because too much waited.
    pub crowded: Counter,
    /// Messages refused because they waited for too long.
    pub late: Counter,
    /// Messages refused because they waited when the node was told to end.
    pub ending: Counter,
    /// Messages Redis refused, by reason.
    pub refused: [Counter; Reason::ALL.len()],
    /// Messages nobody knows about, whether they were written.
    pub unknown: Counter,
    /// Messages in doubt after a broken connection that turned out to be written.
    pub doubts_written: Counter,
    /// Messages in doubt that were not written, and were then.
    pub doubts_missing: Counter,
    /// Entries read.
    pub read: Counter,
    /// Entries read a second time, and dropped.
    pub copies: Counter,
    /// Times this node came back to a stream that was trimmed before it was read.
    pub gaps: Counter,
    /// Farewells of sessions whose node was gone.
    pub orphans: Counter,
    /// Messages sent to Redis at once.
    pub pipeline: Histogram<{ COUNTS.len() }>,
    /// From taking a message to Redis' confirmation.
    pub publishing: Histogram<{ TIMES.len() }>,
    /// Age of an entry when this node gave it to its clients.
    pub lag: Histogram<{ TIMES.len() }>,
    /// What waits to be written.
    pub budget: std::sync::Arc<Budget>,
    /// How far Redis' clock is before ours, in milliseconds.
    skew: AtomicI64,
    /// How far the reader is behind the newest entry it knows of, in milliseconds.
    behind: AtomicU64,
}

impl Measures {
    /// Nothing was counted yet.
    pub fn new(budget: std::sync::Arc<Budget>) -> Self {
        Self {
            connected: Default::default(),
            lost: Default::default(),
            troubles: Default::default(),
            published: Counter::default(),
            crowded: Counter::default(),
            late: Counter::default(),
            ending: Counter::default(),
            refused: Default::default(),
            unknown: Counter::default(),
            doubts_written: Counter::default(),
            doubts_missing: Counter::default(),
            read: Counter::default(),
            copies: Counter::default(),
            gaps: Counter::default(),
            orphans: Counter::default(),
            pipeline: Histogram::new(COUNTS),
            publishing: Histogram::new(TIMES),
            lag: Histogram::new(TIMES),
            budget,
            skew: AtomicI64::new(0),
            behind: AtomicU64::new(0),
        }
    }

    /// Counts a refusal.
    pub(super) fn refuse(&self, refusal: Refusal) {
        match refusal {
            Refusal::Crowded => self.crowded.increment(),
            Refusal::Late => self.late.increment(),
            Refusal::Ending => self.ending.increment(),
            Refusal::Redis(reason) => self.refused[reason as usize].increment(),
        }
    }

    /// Remembers what Redis' clock says now.
    pub(super) fn set_clock(&self, redis: u64) {
        let skew = i64::try_from(redis).unwrap_or(i64::MAX) - i64::try_from(now()).unwrap_or(i64::MAX);
        self.skew.store(skew, Ordering::Relaxed);
    }

    /// Redis' clock, in milliseconds since 1970, as far as it is known.
    pub(super) fn redis_now(&self) -> u64 {
        now().saturating_add_signed(self.skew.load(Ordering::Relaxed))
    }

    /// An entry is given to the clients now.
    pub(super) fn delivered(&self, position: Position) {
        let age = self.redis_now().saturating_sub(position.milliseconds);
        self.lag.observe_time(Duration::from_millis(age));
    }

    /// Remembers how far the reader is behind, in milliseconds; zero when it has read all.
    pub(super) fn set_behind(&self, milliseconds: u64) {
        self.behind.store(milliseconds, Ordering::Relaxed);
    }

    /// Appends the text of `/metrics`.
    pub fn write(&self, text: &mut String) {
        self.write_sides(text);
        self.write_refusals(text);
        for (name, help, counter) in [
            ("chat_messages_published_total", "Stream entries written.", &self.published),
            (
                "chat_messages_unknown_total",
                "Messages of which nobody knows whether they were written.",
                &self.unknown,
            ),
            ("chat_messages_read_total", "Stream entries read.", &self.read),
            (
                "chat_messages_copies_total",
                "Stream entries dropped because they were read before.",
                &self.copies,
            ),
            (
                "chat_stream_gaps_total",
                "Times the stream was trimmed before this node had read it.",
                &self.gaps,
            ),
            ("chat_farewells_orphaned_total", "Farewells for sessions whose node was gone.", &self.orphans),
        ] {
            header(text, name, help, "counter");
            line(text, format_args!("{name} {}", counter.get()));
        }
        let name = "chat_doubts_total";
        header(text, name, "Messages in doubt after a broken connection, by what was found.", "counter");
        line(text, format_args!("{name}{{found=\"written\"}} {}", self.doubts_written.get()));
        line(text, format_args!("{name}{{found=\"missing\"}} {}", self.doubts_missing.get()));
        self.write_gauges(text);
        self.pipeline
            .write(text, "chat_redis_pipeline", "Messages sent to Redis at once.", |count| count.to_string());
        let help = "From a message's arrival to Redis' confirmation.";
        self.publishing.write(text, "chat_publish_seconds", help, seconds);
        self.lag.write(text, "chat_stream_lag_seconds", "Age of entries when given to clients.", seconds);
    }

    fn write_sides(&self, text: &mut String) {
        for (name, help, counters) in [
            ("chat_redis_connected_total", "Connections to Redis made.", &self.connected),
            ("chat_redis_lost_total", "Connections to Redis lost.", &self.lost),
        ] {
            header(text, name, help, "counter");
            for side in Side::ALL {
                let count = counters[side as usize].get();
                line(text, format_args!("{name}{{side=\"{}\"}} {count}", side.label()));
            }
        }
        let name = "chat_redis_troubles_total";
        header(text, name, "Changes to not working, by reason.", "counter");
        for side in Side::ALL {
            for reason in Reason::ALL {
                let count = self.troubles[side as usize][reason as usize].get();
                let labels = format_args!("side=\"{}\",reason=\"{}\"", side.label(), reason.label());
                line(text, format_args!("{name}{{{labels}}} {count}"));
            }
        }
    }

    fn write_refusals(&self, text: &mut String) {
        let name = "chat_messages_unpublished_total";
        header(text, name, "Messages not written, by reason.", "counter");
        line(text, format_args!("{name}{{reason=\"crowded\"}} {}", self.crowded.get()));
        line(text, format_args!("{name}{{reason=\"late\"}} {}", self.late.get()));
        line(text, format_args!("{name}{{reason=\"ending\"}} {}", self.ending.get()));
        for reason in Reason::ALL {
            let count = self.refused[reason as usize].get();
            line(text, format_args!("{name}{{reason=\"{}\"}} {count}", reason.label()));
        }
    }

    fn write_gauges(&self, text: &mut String) {
        let waiting = self.budget.waiting();
        for (name, help, value) in [
            ("chat_queue_messages", "Messages waiting to be written.", waiting.messages.to_string()),
            ("chat_queue_bytes", "Bytes of them.", waiting.bytes.to_string()),
            ("chat_queue_oldest_seconds", "Age of the oldest.", seconds(micros(waiting.oldest))),
            (
                "chat_stream_behind_seconds",
                "How far the reader is behind the newest entry it knows of.",
                seconds(self.behind.load(Ordering::Relaxed).saturating_mul(1000)),
            ),
        ] {
            header(text, name, help, "gauge");
            line(text, format_args!("{name} {value}"));
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Our clock, in milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn header(text: &mut String, name: &str, help: &str, kind: &str) {
    line(text, format_args!("# HELP {name} {help}"));
    line(text, format_args!("# TYPE {name} {kind}"));
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a string does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_up_to_each_end() {
        let histogram = Histogram::new(TIMES);
        for time in [250, 251, 900_000, 70_000_000] {
            histogram.observe(time);
        }
        let mut text = String::new();
        histogram.write(&mut text, "x_seconds", "X.", seconds);
        for expected in [
            "# HELP x_seconds X.\n# TYPE x_seconds histogram\n",
            "x_seconds_bucket{le=\"0.00025\"} 1\n",
            "x_seconds_bucket{le=\"0.0005\"} 2\n",
            "x_seconds_bucket{le=\"1\"} 3\n",
            "x_seconds_bucket{le=\"60\"} 3\n",
            "x_seconds_bucket{le=\"+Inf\"} 4\n",
            "x_seconds_sum 70.900501\nx_seconds_count 4\n",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
    }

    #[test]
    fn every_line_is_a_comment_or_a_number_with_a_type() {
        let measures = Measures::new(std::sync::Arc::new(Budget::new(10, 1000)));
        measures.refuse(Refusal::Redis(Reason::Memory));
        measures.refuse(Refusal::Late);
        let mut text = String::new();
        measures.write(&mut text);
        let mut typed = std::collections::HashSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                assert!(typed.insert(rest.split(' ').next().unwrap()), "{line} comes twice");
            } else if !line.starts_with('#') {
                let (name, value) = line.rsplit_once(' ').unwrap();
                assert!(value.parse::<f64>().is_ok(), "{line}");
                let name = name.split('{').next().unwrap();
                let parts = ["_bucket", "_sum", "_count"];
                let base =
                    parts.iter().find_map(|part| name.strip_suffix(part)).filter(|base| typed.contains(base));
                assert!(typed.contains(base.unwrap_or(name)), "{line} has no type");
            }
        }
        assert!(text.contains("chat_messages_unpublished_total{reason=\"memory\"} 1\n"), "{text}");
        assert!(text.contains("chat_messages_unpublished_total{reason=\"late\"} 1\n"), "{text}");
    }

    #[test]
    fn the_clock_of_redis_is_followed() {
        let measures = Measures::new(std::sync::Arc::new(Budget::new(10, 1000)));
        measures.set_clock(now() + 5000);
        assert!(measures.redis_now() >= now() + 4990);
        measures.set_clock(now() - 5000);
        assert!(measures.redis_now() <= now() - 4990);
    }
}
