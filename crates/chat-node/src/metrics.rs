//! Counters of one node and their Prometheus text.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine_io::counts::Counts;
use crate::http::site;

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
    /// Clients that came back as who they were.
    pub recovered: Counter,
    /// Clients that wanted to, and came in as somebody new, by the reason.
    pub unrecovered: [Counter; Unrecovered::ALL.len()],
    /// Messages clients sent.
    pub received: Counter,
    /// Messages answered with a refusal: no name, no text, too long.
    pub refused: Counter,
    /// Names answered with a refusal.
    pub refused_names: Counter,
    /// Events that came too fast.
    pub rate_limited: Counter,
    /// Clients closed because they went on sending too fast.
    pub flooders: Counter,
    /// Messages put into clients' queues.
    pub delivered: Counter,
    /// Clients cut off because they did not keep up.
    pub slow_readers: Counter,
}

/// Why a client that wanted to come back came in as somebody new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unrecovered {
    /// What it has missed is not known any more.
    TooLate,
    /// It has heard more than this node could read in time.
    Ahead,
    /// Nobody has its private id.
    UnknownSession,
    /// Redis did not say in time who it was.
    Redis,
}

impl Unrecovered {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::TooLate, Self::Ahead, Self::UnknownSession, Self::Redis];

    /// The value of the label.
    fn label(self) -> &'static str {
        match self {
            Self::TooLate => "too_late",
            Self::Ahead => "ahead",
            Self::UnknownSession => "unknown_session",
            Self::Redis => "redis",
        }
    }
}

/// Numbers that are read when asked for.
#[derive(Debug, Clone, Copy)]
pub struct Gauges {
    /// Clients connected now.
    pub connected: usize,
    /// Sessions of the transports, also of clients that have not joined yet.
    pub sessions: usize,
    /// Packets that wait for all clients together.
    pub queued_packets: usize,
    /// Their bytes.
    pub queued_bytes: usize,
    /// Whether the node is draining.
    pub draining: bool,
}

/// What the layers below count.
#[derive(Debug, Clone, Copy)]
pub struct Transports<'a> {
    /// Sessions.
    pub engine: &'a Counts,
    /// Connections.
    pub site: &'a site::Counts,
}

/// Name, help and value of one number.
type Row = (&'static str, &'static str, u64);

impl Metrics {
    /// The text of `/metrics`, in Prometheus' exposition format 0.0.4.
    pub fn render(&self, gauges: Gauges, transports: Transports<'_>) -> String {
        let mut text = String::with_capacity(8192);
        write_rows(&mut text, "gauge", &gauges.rows());
        write_rows(&mut text, "counter", &self.rows());
        let unrecovered =
            Unrecovered::ALL.map(|reason| (reason.label(), self.unrecovered[reason as usize].get()));
        let help = "Clients that wanted to come back and came in as somebody new.";
        write_labelled(&mut text, "chat_unrecovered_total", help, "reason", unrecovered);
        transports.write(&mut text);
        text
    }

    fn rows(&self) -> [Row; 9] {
        let row = |name, help, counter: &Counter| (name, help, counter.get());
        [
            row("chat_connections_total", "Clients that connected.", &self.connections),
            row("chat_recovered_total", "Clients that came back as who they were.", &self.recovered),
            row("chat_messages_received_total", "Messages clients sent.", &self.received),
            row("chat_messages_refused_total", "Messages refused by a rule.", &self.refused),
            row("chat_names_refused_total", "Names refused by a rule.", &self.refused_names),
            row("chat_rate_limited_total", "Events that came too fast.", &self.rate_limited),
            row("chat_flooders_total", "Clients closed for sending too fast.", &self.flooders),
            row("chat_messages_delivered_total", "Messages queued for clients.", &self.delivered),
            row("chat_slow_readers_total", "Clients cut off for not keeping up.", &self.slow_readers),
        ]
    }
}

impl Gauges {
    fn rows(self) -> [Row; 5] {
        [
            ("chat_connections", "Clients connected now.", self.connected as u64),
            ("chat_sessions", "Sessions of the transports now.", self.sessions as u64),
            ("chat_queued_packets", "Packets that wait for clients.", self.queued_packets as u64),
            ("chat_queued_bytes", "Bytes that wait for clients.", self.queued_bytes as u64),
            ("chat_draining", "1 while the node drains.", self.draining.into()),
        ]
    }
}

impl Transports<'_> {
    fn write(self, text: &mut String) {
        let Self { engine, site } = self;
        let opened = [("polling", engine.opened_polling.get()), ("websocket", engine.opened_websocket.get())];
        write_labelled(text, "chat_sessions_opened_total", "Sessions opened.", "transport", opened);
        let closed = engine.closes().map(|(reason, count)| (reason.label(), count));
        write_labelled(text, "chat_sessions_closed_total", "Sessions ended.", "reason", closed);
        let refused = engine.refusals().map(|(refusal, count)| (refusal.label(), count));
        write_labelled(text, "chat_requests_refused_total", "Requests that were no good.", "reason", refused);
        let turned_away = [
            ("total", site.full.get()),
            ("address", site.full_address.get()),
            ("silent", site.silent.get()),
            ("draining", site.draining.get()),
        ];
        let help = "Connections and sessions not let in.";
        write_labelled(text, "chat_turned_away_total", help, "reason", turned_away);
        let rows = [
            ("chat_sessions_upgraded_total", "Sessions moved to WebSocket.", engine.upgraded.get()),
            ("chat_packets_received_total", "Packets of clients.", engine.packets_in.get()),
            ("chat_packets_sent_total", "Packets written to clients.", engine.packets_out.get()),
            ("chat_bytes_sent_total", "Bytes written to clients.", engine.bytes_out.get()),
        ];
        write_rows(text, "counter", &rows);
    }
}

fn write_rows(text: &mut String, kind: &str, rows: &[Row]) {
    for (name, help, value) in rows {
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}")
            .expect("writing to a string does not fail");
    }
}

fn write_labelled(
    text: &mut String,
    name: &str,
    help: &str,
    label: &str,
    values: impl IntoIterator<Item = (&'static str, u64)>,
) {
    let mut lines = format!("# HELP {name} {help}\n# TYPE {name} counter\n");
    for (value, count) in values {
        writeln!(lines, "{name}{{{label}=\"{value}\"}} {count}").expect("writing to a string does not fail");
    }
    text.push_str(&lines);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_help_type_and_value() {
        let metrics = Metrics::default();
        metrics.received.add(3);
        metrics.unrecovered[Unrecovered::Ahead as usize].increment();
        let (engine, site) = (Counts::default(), site::Counts::default());
        site.full.increment();
        let gauges =
            Gauges { connected: 2, sessions: 3, queued_packets: 4, queued_bytes: 5, draining: false };
        let text = metrics.render(gauges, Transports { engine: &engine, site: &site });
        assert!(text.contains("# TYPE chat_connections gauge\nchat_connections 2\n"), "{text}");
        assert!(text.contains("\nchat_messages_received_total 3\n"), "{text}");
        assert!(text.contains("\nchat_unrecovered_total{reason=\"ahead\"} 1\n"), "{text}");
        assert!(text.contains("\nchat_turned_away_total{reason=\"total\"} 1\n"), "{text}");
        assert!(text.contains("\nchat_sessions_closed_total{reason=\"ping_timeout\"} 0\n"), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("# TYPE")).count(), 23);
        let is_sample =
            |line: &str| line.rsplit_once(' ').is_some_and(|(_, value)| value.parse::<u64>().is_ok());
        assert!(text.lines().all(|line| line.starts_with('#') || is_sample(line)), "{text}");
    }
}
