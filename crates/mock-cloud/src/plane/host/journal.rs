//! What a unit printed, and what the service manager says about it; bounded.

use std::collections::VecDeque;

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

/// Lines kept a unit.
const MOST_LINES: usize = 2000;
/// Bytes kept of a line.
const LONGEST_LINE: usize = 8 * 1024;

/// How many lines there were so far, on all hosts.
static LINES: AtomicU64 = AtomicU64::new(0);

/// The journal of one unit.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
}

#[derive(Debug)]
struct Entry {
    /// Which line of all it is.
    number: u64,
    at: Timestamp,
    source: String,
    message: String,
}

/// How lines are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Time, host and source before each message.
    Short,
    /// Messages only.
    Cat,
}

impl Journal {
    /// Adds a line; `source` is `systemd[1]` or `<program>[<pid>]`.
    pub(crate) fn add(&mut self, source: &str, message: &str) {
        if self.entries.len() == MOST_LINES {
            self.entries.pop_front();
        }
        let mut end = message.len().min(LONGEST_LINE);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        let message = message[..end].to_owned();
        let number = LINES.fetch_add(1, Ordering::Relaxed) + 1;
        let (at, source) = (Timestamp::now(), source.to_owned());
        self.entries.push_back(Entry { number, at, source, message });
    }

    /// Lines after the one of this number, each with its own.
    pub(crate) fn after(&self, number: u64, host: &str, format: Format) -> Vec<(u64, String)> {
        let new = self.entries.iter().filter(|entry| entry.number > number);
        let shown = |entry: &Entry| match format {
            Format::Short => entry.line(host),
            Format::Cat => format!("{}\n", entry.message),
        };
        new.map(|entry| (entry.number, shown(entry))).collect()
    }
}

impl Entry {
    fn line(&self, host: &str) -> String {
        let at = self.at.strftime("%b %d %H:%M:%S");
        format!("{at} {host} {}: {}\n", self.source, self.message)
    }
}
