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
    /// Messages put into clients' queues.
    pub delivered: Counter,
    /// Clients cut off because they did not keep up.
    pub slow_readers: Counter,
}

/// Numbers that are read when asked for.
#[derive(Debug, Clone, Copy)]
pub struct Gauges {
    /// Clients connected now.
    pub connected: usize,
    /// Whether the node is draining.
    pub draining: bool,
}

/// Name, help and value of one number.
type Row = (&'static str, &'static str, u64);

impl Metrics {
    /// The text of `/metrics`, in Prometheus' exposition format 0.0.4.
    pub fn render(&self, gauges: Gauges) -> String {
        let mut text = String::with_capacity(2048);
        write_rows(&mut text, "gauge", &gauges.rows());
        write_rows(&mut text, "counter", &self.rows());
        text
    }

    fn rows(&self) -> [Row; 5] {
        let row = |name, help, counter: &Counter| (name, help, counter.get());
        [
            row("chat_connections_total", "Clients that connected.", &self.connections),
            row("chat_messages_received_total", "Messages clients sent.", &self.received),
            row("chat_messages_refused_total", "Messages refused by a rule.", &self.refused),
            row("chat_messages_delivered_total", "Messages queued for clients.", &self.delivered),
            row("chat_slow_readers_total", "Clients cut off for not keeping up.", &self.slow_readers),
        ]
    }
}

impl Gauges {
    fn rows(self) -> [Row; 2] {
        [
            ("chat_connections", "Clients connected now.", self.connected as u64),
            ("chat_draining", "1 while the node drains.", self.draining.into()),
        ]
    }
}

fn write_rows(text: &mut String, kind: &str, rows: &[Row]) {
    for (name, help, value) in rows {
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}")
            .expect("writing to a string does not fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_help_type_and_value() {
        let metrics = Metrics::default();
        metrics.received.add(3);
        let gauges = Gauges { connected: 2, draining: false };
        let text = metrics.render(gauges);
        assert!(text.contains("# TYPE chat_connections gauge\nchat_connections 2\n"), "{text}");
        assert!(text.contains("\nchat_messages_received_total 3\n"), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("# TYPE")).count(), 7);
    }
}
