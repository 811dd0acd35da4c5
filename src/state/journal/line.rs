//! One line of a journal: how it is written, and what a line that cannot be read is.
//!
//! 16 hex digits of the SHA-256 of the rest, a blank, a JSON object, a newline.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::state::journal::Event;

/// Hex digits of the checksum.
const SUM: usize = 16;

/// What stands in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::state) struct Entry {
    /// Each line has one more than the line before; in a rewritten journal all lines have that of the last event.
    pub sequence: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What it says.
    pub event: Event,
}

/// Why a line is not an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::state) enum Unreadable {
    /// The end of a write that did not come to its end; nobody has relied on it.
    Torn,
    /// It was whole once.
    Damaged(&'static str),
    /// It is whole, and says what is not known here.
    Newer(String),
}

/// A line with its newline.
pub(in crate::state) fn encode(entry: &Entry) -> String {
    sealed(&serde_json::to_string(entry).expect("entries have text keys only"))
}

/// The line of a JSON text.
pub(in crate::state) fn sealed(json: &str) -> String {
    format!("{} {json}\n", checksum(json.as_bytes()))
}

/// The JSON of a line without its newline; none when it is not what was written.
pub(in crate::state) fn unsealed(line: &[u8]) -> Option<&[u8]> {
    checked(line)
}

/// Reads a line; only the last one can be torn.
pub(in crate::state) fn decode(line: &[u8], is_last: bool) -> Result<Entry, Unreadable> {
    let Some(content) = line.strip_suffix(b"\n") else {
        return Err(unended(line));
    };
    match checked(content) {
        Some(json) => parse(json),
        None if is_last && has_hole(content) => Err(Unreadable::Torn),
        None => Err(Unreadable::Damaged("its checksum does not match")),
    }
}

/// A line without a newline is the last one. It is torn, unless its newline became something else.
fn unended(line: &[u8]) -> Unreadable {
    let was_whole = line.split_last().is_some_and(|(_, content)| checked(content).is_some());
    if was_whole { Unreadable::Damaged("its end is not a newline") } else { Unreadable::Torn }
}

/// A power cut may leave a line whose last block is on disk and an earlier one is not: that one reads as zeros, of
/// which our lines have none. A single one is a byte that went wrong.
fn has_hole(content: &[u8]) -> bool {
    content.windows(2).any(|pair| pair == [0, 0])
}

fn checked(content: &[u8]) -> Option<&[u8]> {
    let (sum, json) = content.split_at_checked(SUM)?;
    let json = json.strip_prefix(b" ")?;
    (checksum(json).as_bytes() == sum).then_some(json)
}

/// What a newer version added must not be dropped in silence: an unknown name anywhere is told.
fn parse(json: &[u8]) -> Result<Entry, Unreadable> {
    let mut unknown = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(json);
    let entry = serde_ignored::deserialize(&mut reader, |path| unknown.push(path.to_string()))
        .map_err(|error| Unreadable::Newer(error.to_string()))?;
    match unknown.first() {
        None => Ok(entry),
        Some(name) => Err(Unreadable::Newer(format!("unknown field `{name}`"))),
    }
}

fn checksum(json: &[u8]) -> String {
    hex::encode(&Sha256::digest(json)[..SUM / 2])
}
