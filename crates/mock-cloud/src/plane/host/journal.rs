//! What a unit printed, and what the service manager says about it; bounded.

use std::collections::VecDeque;

use jiff::Timestamp;

/// Lines kept a unit.
const MOST_LINES: usize = 2000;
/// Bytes kept of a line.
const LONGEST_LINE: usize = 8 * 1024;

/// The journal of one unit.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
}

#[derive(Debug)]
struct Entry {
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
        self.entries.push_back(Entry { at: Timestamp::now(), source: source.to_owned(), message });
    }

    /// The last lines, oldest first.
    pub(crate) fn tail(&self, count: usize, host: &str, format: Format) -> String {
        let skipped = self.entries.len().saturating_sub(count);
        let mut text = String::new();
        for entry in self.entries.iter().skip(skipped) {
            if format == Format::Short {
                let at = entry.at.strftime("%b %d %H:%M:%S");
                text.extend([&at.to_string(), " ", host, " ", &entry.source, ": "]);
            }
            text.push_str(&entry.message);
            text.push('\n');
        }
        text
    }
}
