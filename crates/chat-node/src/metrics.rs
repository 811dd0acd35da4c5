//! Counters of one node and their Prometheus text.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Some more.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// The number so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a node counts.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Clients that joined the namespace.
    pub connections: Counter,
    /// Messages clients sent.
    pub received: Counter,
    /// Messages answered with a refusal: no name, no text, too long.
    pub refused: Counter,
    /// Entries of the stream Redis confirmed.
    pub published: Counter,
    /// Messages that did not reach the stream, or may not have.
    pub unpublished: Counter,
    /// Entries read from the stream.
    pub read: Counter,
    /// Messages put into clients' queues.
    pub delivered: Counter,
    /// Clients cut off because they did not keep up.
    pub slow_readers: Counter,
    /// Connections to Redis that were lost.
    pub redis_lost: Counter,
}

/// Numbers that are read when asked for.
#[derive(Debug, Clone, Copy)]
pub struct Gauges {
    /// Clients connected now.
    pub connected: usize,
    /// Whether Redis takes our writes.
    pub redis_write: bool,
    /// Whether the stream is being read.
    pub redis_read: bool,
    /// Whether the node is draining.
    pub draining: bool,
}

impl Metrics {
    /// The text of `/metrics`, in Prometheus' exposition format 0.0.4.
    pub fn render(&self, gauges: Gauges) -> String {
        let mut text = String::with_capacity(2048);
        let up = |value: bool| u64::from(value);
        let rows: [(&str, &str, &str, u64); 13] = [
            (
                "chat_connections",
                "gauge",
                "Clients connected now.",
                gauges.connected as u64,
            ),
            (
                "chat_redis_write_up",
                "gauge",
                "1 when Redis takes writes.",
                up(gauges.redis_write),
            ),
            (
                "chat_redis_read_up",
                "gauge",
                "1 when the stream is being read.",
                up(gauges.redis_read),
            ),
            (
                "chat_draining",
                "gauge",
                "1 while the node drains.",
                up(gauges.draining),
            ),
            (
                "chat_connections_total",
                "counter",
                "Clients that connected.",
                self.connections.get(),
            ),
            (
                "chat_messages_received_total",
                "counter",
                "Messages clients sent.",
                self.received.get(),
            ),
            (
                "chat_messages_refused_total",
                "counter",
                "Messages refused by a rule.",
                self.refused.get(),
            ),
            (
                "chat_messages_published_total",
                "counter",
                "Stream entries written.",
                self.published.get(),
            ),
            (
                "chat_messages_unpublished_total",
                "counter",
                "Messages not written.",
                self.unpublished.get(),
            ),
            (
                "chat_messages_read_total",
                "counter",
                "Stream entries read.",
                self.read.get(),
            ),
            (
                "chat_messages_delivered_total",
                "counter",
                "Messages queued for clients.",
                self.delivered.get(),
            ),
            (
                "chat_slow_readers_total",
                "counter",
                "Clients cut off for not keeping up.",
                self.slow_readers.get(),
            ),
            (
                "chat_redis_lost_total",
                "counter",
                "Connections to Redis lost.",
                self.redis_lost.get(),
            ),
        ];
        for (name, kind, help, value) in rows {
            writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}")
                .expect("writing to a string does not fail");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_help_type_and_value() {
        let metrics = Metrics::default();
        metrics.received.add(3);
        let gauges = Gauges {
            connected: 2,
            redis_write: true,
            redis_read: false,
            draining: false,
        };
        let text = metrics.render(gauges);
        assert!(
            text.contains("# TYPE chat_connections gauge\nchat_connections 2\n"),
            "{text}"
        );
        assert!(text.contains("\nchat_messages_received_total 3\n"), "{text}");
        assert!(text.contains("\nchat_redis_read_up 0\n"), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("# TYPE")).count(), 13);
    }
}
