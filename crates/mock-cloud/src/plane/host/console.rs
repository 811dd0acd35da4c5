//! The console of a host: what a person at the machine would read there.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Lines kept.
const MOST_LINES: usize = 64;

/// The last lines of a console.
#[derive(Debug, Default)]
pub(crate) struct Console(Mutex<VecDeque<String>>);

impl Console {
    /// Adds a line; what went well is marked as the service manager marks it.
    pub(crate) fn add(&self, message: &str) {
        let done = ["Started ", "Stopped ", "Reached "].iter().any(|verb| message.starts_with(verb));
        let line = if done { format!("\x1b[32m[  OK  ]\x1b[0m {message}") } else { message.to_owned() };
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == MOST_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// All of it, lines ended as a terminal ends them.
    pub(crate) fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().flat_map(|line| [line.as_str(), "\r\n"]).collect()
    }
}
