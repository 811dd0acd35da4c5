//! Entries of the stream: their place in it, and what a reader takes out of them.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use thiserror::Error;

use super::resp::Value;
use crate::engine_io::Encoded;

/// The field that holds what clients see.
pub(super) const TEXT: &str = "text";
/// The field that names the node that wrote an entry.
pub(super) const NODE: &str = "node";
/// The field with the run of the node's process: a random number, as text.
pub(super) const EPOCH: &str = "epoch";
/// The field with the entry's number within that run.
pub(super) const SEQUENCE: &str = "seq";
/// The field that is there when the same thing may be written again by somebody else: it is said once only.
pub(super) const ONCE: &str = "once";

/// The id of an entry: milliseconds of Redis' clock and a number within the millisecond. Clients know it as offset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Milliseconds since 1970.
    pub milliseconds: u64,
    /// Which one of that millisecond.
    pub sequence: u64,
}

/// A text that is not the id of an entry.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("not the id of a stream's entry")]
pub struct BadPosition;

impl Position {
    /// The smallest one behind this one.
    pub(super) fn next(self) -> Self {
        match self.sequence.checked_add(1) {
            Some(sequence) => Self { sequence, ..self },
            None => Self { milliseconds: self.milliseconds.saturating_add(1), sequence: 0 },
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.milliseconds, self.sequence)
    }
}

impl FromStr for Position {
    type Err = BadPosition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (milliseconds, sequence) = text.split_once('-').unwrap_or((text, "0"));
        // Only as Redis writes it: a sign would be read, but never written.
        let number = |digits: &str| {
            let usable = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| usable).ok_or(BadPosition)
        };
        Ok(Self { milliseconds: number(milliseconds)?, sequence: number(sequence)? })
    }
}

/// What clients get.
#[derive(Debug, Clone)]
pub struct Entry {
    /// How many this node had read before. Never goes back, not even when the stream begins anew.
    pub number: u64,
    /// Its place in the stream.
    pub position: Position,
    /// The line everybody sees.
    pub text: Box<str>,
    /// The packet by which clients get it that can come back, made when the first one does: however many come back, and
    /// however much they have missed, they share the bytes.
    pub(crate) packet: OnceLock<Encoded>,
}

impl Entry {
    pub(crate) fn new(number: u64, position: Position, text: String) -> Self {
        Self { number, position, text: text.into_boxed_str(), packet: OnceLock::new() }
    }
}

impl PartialEq for Entry {
    /// The packet follows from the rest.
    fn eq(&self, other: &Self) -> bool {
        (self.number, self.position, &self.text) == (other.number, other.position, &other.text)
    }
}

impl Eq for Entry {}

/// Who wrote an entry: a run of a node's process, and the entry's number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) epoch: u64,
    pub(crate) sequence: u64,
}

/// An entry as it was read. What others may have put into the stream has no text or no origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) position: Position,
    pub(crate) text: Option<String>,
    pub(crate) origin: Option<Origin>,
    pub(crate) once: Option<String>,
}

/// The entries in a reply to XREAD for one stream: `[[key, [entry..]]]`, or nil when nothing came.
pub(super) fn records_of_read(reply: Value) -> Vec<Record> {
    let stream = reply.into_array().into_iter().next().map(Value::into_array).unwrap_or_default();
    stream.into_iter().nth(1).map(records).unwrap_or_default()
}

/// The entries in a list of them: `[[id, [field, value..]]..]`. One entry with fields that are not UTF-8 must not make
/// the whole stream unreadable, so whatever cannot be read counts as absent.
pub(super) fn records(list: Value) -> Vec<Record> {
    list.into_array().into_iter().filter_map(record).collect()
}

fn record(value: Value) -> Option<Record> {
    let mut parts = value.into_array().into_iter();
    let position = parts.next()?.as_str()?.parse().ok()?;
    let fields = parts.next().map(Value::into_array).unwrap_or_default();
    let field = |name: &str| {
        let pair = fields.chunks_exact(2).find(|pair| pair[0].as_str() == Some(name))?;
        pair[1].as_str()
    };
    let origin = || {
        let epoch = u64::from_str_radix(field(EPOCH)?, 16).ok()?;
        Some(Origin { epoch, sequence: field(SEQUENCE)?.parse().ok()? })
    };
    let owned = |name| field(name).map(str::to_owned);
    Some(Record { position, text: owned(TEXT), origin: origin(), once: owned(ONCE) })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn text(bytes: &[u8]) -> Value {
        Value::Text(Bytes::copy_from_slice(bytes))
    }

    fn entry(id: &[u8], fields: &[&[u8]]) -> Value {
        Value::Array(vec![text(id), Value::Array(fields.iter().map(|field| text(field)).collect())])
    }

    #[test]
    fn positions_are_ordered_as_numbers() {
        let earlier: Position = "9-10".parse().unwrap();
        let later: Position = "10-9".parse().unwrap();
        assert!(earlier < later);
        assert_eq!(later.to_string(), "10-9");
        assert!(Position::default() < earlier);
        assert_eq!(earlier.next().to_string(), "9-11");
        assert_eq!(Position { milliseconds: 3, sequence: u64::MAX }.next().to_string(), "4-0");
        for refused in ["", "x-1", "1-x", "-1", "1-", "+1-1", "1-1-1", "99999999999999999999-0"] {
            assert_eq!(refused.parse::<Position>(), Err(BadPosition), "{refused:?} was accepted");
        }
    }

    #[test]
    fn a_read_without_news_has_no_entries() {
        assert_eq!(records_of_read(Value::Nil), Vec::new());
    }

    #[test]
    fn what_a_node_wrote_is_read_back() {
        let fields: [&[u8]; 10] =
            [b"text", b"Ada: hi", b"node", b"ecs01", b"epoch", b"00ff", b"seq", b"12", b"once", b"m:p:1"];
        let read = records(Value::Array(vec![entry(b"5-1", &fields)]));
        let origin = Some(Origin { epoch: 255, sequence: 12 });
        let position = Position { milliseconds: 5, sequence: 1 };
        let expected =
            Record { position, text: Some("Ada: hi".to_owned()), origin, once: Some("m:p:1".to_owned()) };
        assert_eq!(read, [expected]);
    }

    #[test]
    fn foreign_entries_keep_their_place_and_carry_no_text() {
        let list = Value::Array(vec![
            entry(b"5-0", &[b"node", b"ecs01", b"text", b"Ada: hello"]),
            entry(b"5-1", &[b"\xff", b"\xff"]),
            entry(b"6-0", &[b"text", b"\xff", b"epoch", b"12"]),
            entry(b"7-0", &[b"odd"]),
        ]);
        let records = records_of_read(Value::Array(vec![Value::Array(vec![text(b"chat:messages"), list])]));
        let texts: Vec<Option<&str>> = records.iter().map(|record| record.text.as_deref()).collect();
        assert_eq!(texts, [Some("Ada: hello"), None, None, None]);
        assert_eq!(records[3].position.to_string(), "7-0");
        assert!(records.iter().all(|record| record.origin.is_none()));
    }
}
