//! What a machine printed on its console, as it printed it; bounded.

use std::collections::VecDeque;

/// Bytes kept: as many as the API shows.
const MOST_BYTES: usize = 64 * 1024;

/// The end of a console.
#[derive(Debug, Default)]
pub(crate) struct Console(VecDeque<u8>);

impl Console {
    /// Adds what was printed. Two terminals are passed on the way, and each ends lines in its own manner: what the
    /// second did is taken out.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte != b'\r' || self.0.back() != Some(&b'\r') {
                self.0.push_back(*byte);
            }
        }
        let surplus = self.0.len().saturating_sub(MOST_BYTES);
        self.0.drain(..surplus);
    }

    /// All of it.
    pub(crate) fn text(&self) -> String {
        let (first, second) = self.0.as_slices();
        String::from_utf8_lossy(&[first, second].concat()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_is_kept() {
        let mut console = Console::default();
        console.add(&vec![b'a'; MOST_BYTES]);
        console.add(b"\r");
        console.add(b"\r\nlogin: ");
        let text = console.text();
        assert_eq!(text.len(), MOST_BYTES);
        assert!(text.ends_with("aaa\r\nlogin: "));
    }
}
