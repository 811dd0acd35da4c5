//! The wire of Redis: requests are arrays of strings, replies are values of RESP2 or RESP3.
//!
//! Both versions come out alike: a map of RESP3 is read as the list of its pairs, which is what RESP2 sends in its
//! place for XREAD; what somebody pushes without being asked is skipped. A reply is decoded once all of it is here,
//! and one that is larger or deeper than anything we ask for ends the connection before it fills the memory.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

/// Longest reply in bytes; a batch of the longest messages stays far below.
const LARGEST: usize = 64 * 1024 * 1024;
/// Most values in one reply.
const MOST_VALUES: usize = 1_000_000;
/// Deepest nesting; XREAD has five levels.
const DEEPEST: u8 = 9;

/// One command with its arguments, ready to be sent.
#[derive(Debug, Clone)]
pub(super) struct Request {
    name: &'static str,
    body: Vec<u8>,
    parts: usize,
}

impl Request {
    /// A command without arguments.
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, body: Vec::with_capacity(64), parts: 0 }.arg(name)
    }

    /// One more argument.
    pub(super) fn arg(mut self, argument: impl AsRef<[u8]>) -> Self {
        let argument = argument.as_ref();
        self.body.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        self.body.extend_from_slice(argument);
        self.body.extend_from_slice(b"\r\n");
        self.parts += 1;
        self
    }

    /// One more argument, as it is displayed.
    pub(super) fn show(self, argument: impl std::fmt::Display) -> Self {
        self.arg(argument.to_string())
    }

    /// The command's name, for whoever explains its failure.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Appends the bytes to be sent.
    pub(super) fn write_to(&self, outgoing: &mut BytesMut) {
        outgoing.extend_from_slice(format!("*{}\r\n", self.parts).as_bytes());
        outgoing.extend_from_slice(&self.body);
    }
}

/// A reply, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing.
    Nil,
    /// A number.
    Integer(i64),
    /// A string of either kind, a double, a boolean: whatever is best read as its text.
    Text(Bytes),
    /// A list or a set; a map is a list of pairs.
    Array(Vec<Value>),
    /// A refusal.
    Error(String),
}

impl Value {
    /// The parts of a list; anything else has none.
    pub(super) fn into_array(self) -> Vec<Value> {
        if let Self::Array(values) = self { values } else { Vec::new() }
    }

    /// What Redis says when it refuses.
    pub(super) fn refusal(&self) -> Option<&str> {
        if let Self::Error(said) = self { Some(said) } else { None }
    }

    /// The text, when it is one and readable.
    pub(super) fn as_str(&self) -> Option<&str> {
        if let Self::Text(bytes) = self { std::str::from_utf8(bytes).ok() } else { None }
    }

    /// The number, however it was written.
    pub(super) fn as_integer(&self) -> Option<i64> {
        if let Self::Integer(number) = self { Some(*number) } else { self.as_str()?.parse().ok() }
    }
}

/// What came is not a reply of Redis.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub(super) enum Malformed {
    /// Another protocol altogether, or a broken one.
    #[error("what answers there does not speak the protocol of Redis")]
    Syntax,
    /// More than we would ever ask for.
    #[error("the answer is larger than any this node asks for")]
    TooLarge,
}

/// Takes the next reply out of what has arrived. `None` when more has to come.
pub(super) fn decode(incoming: &mut BytesMut) -> Result<Option<Value>, Malformed> {
    loop {
        let pushed = incoming.first() == Some(&b'>');
        let mut scan = Scan { bytes: incoming, at: 0, values: 0 };
        let Some(()) = scan.skip(0)? else {
            return if incoming.len() > LARGEST { Err(Malformed::TooLarge) } else { Ok(None) };
        };
        let length = scan.at;
        let mut reply = incoming.split_to(length).freeze();
        if !pushed {
            return build(&mut reply).map(Some);
        }
    }
}

/// Looks for the end of a reply without taking anything apart.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    values: usize,
}

impl<'a> Scan<'a> {
    /// Steps over one value. `None` when it is not here entirely.
    fn skip(&mut self, depth: u8) -> Result<Option<()>, Malformed> {
        self.values += 1;
        if depth > DEEPEST || self.values > MOST_VALUES {
            return Err(Malformed::TooLarge);
        }
        let Some((kind, line)) = self.line()? else {
            return Ok(None);
        };
        let count = || length(line).map(Option::unwrap_or_default);
        match kind {
            b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => Ok(Some(())),
            b'$' | b'!' | b'=' => Ok(length(line)?.map_or(Some(()), |length| self.step(length))),
            b'*' | b'~' | b'>' => self.skip_all(count()?, depth),
            b'%' => self.skip_all(2 * count()?, depth),
            // What is told about a value comes before it.
            b'|' => self.skip_all(2 * count()? + 1, depth),
            _ => Err(Malformed::Syntax),
        }
    }

    fn skip_all(&mut self, count: usize, depth: u8) -> Result<Option<()>, Malformed> {
        for _ in 0..count {
            if self.skip(depth + 1)?.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(()))
    }

    fn step(&mut self, length: usize) -> Option<()> {
        let end = self.at + length + 2;
        (end <= self.bytes.len()).then(|| self.at = end)
    }

    fn line(&mut self) -> Result<Option<(u8, &'a [u8])>, Malformed> {
        let rest = &self.bytes[self.at..];
        let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else {
            // No line of Redis is that long, so this is something else.
            return if rest.len() > 64 * 1024 { Err(Malformed::Syntax) } else { Ok(None) };
        };
        let (&kind, line) = rest[..end].split_first().ok_or(Malformed::Syntax)?;
        self.at += end + 2;
        Ok(Some((kind, line)))
    }
}

/// The length in a header; `None` for the nil of RESP2.
fn length(line: &[u8]) -> Result<Option<usize>, Malformed> {
    let length: i64 =
        std::str::from_utf8(line).ok().and_then(|text| text.parse().ok()).ok_or(Malformed::Syntax)?;
    match usize::try_from(length) {
        Ok(length) if length > LARGEST => Err(Malformed::TooLarge),
        Ok(length) => Ok(Some(length)),
        Err(_) if length == -1 => Ok(None),
        Err(_) => Err(Malformed::Syntax),
    }
}

/// Takes apart a reply that is here entirely.
fn build(reply: &mut Bytes) -> Result<Value, Malformed> {
    let end = reply.windows(2).position(|pair| pair == b"\r\n").ok_or(Malformed::Syntax)?;
    let mut line = reply.split_to(end);
    reply.advance(2);
    let kind = line.split_to(1)[0];
    Ok(match kind {
        b'+' | b',' | b'#' | b'(' => Value::Text(line),
        b'-' => Value::Error(String::from_utf8_lossy(&line).into_owned()),
        b':' => {
            let text = std::str::from_utf8(&line).ok();
            Value::Integer(text.and_then(|text| text.parse().ok()).ok_or(Malformed::Syntax)?)
        }
        b'_' => Value::Nil,
        b'$' | b'!' | b'=' => match length(&line)? {
            None => Value::Nil,
            Some(length) => string(kind, reply, length),
        },
        b'*' | b'~' | b'>' => match length(&line)? {
            None => Value::Nil,
            Some(count) => Value::Array((0..count).map(|_| build(reply)).collect::<Result<_, _>>()?),
        },
        b'%' => {
            let pairs = (0..length(&line)?.unwrap_or(0)).map(|_| pair(reply));
            Value::Array(pairs.collect::<Result<_, _>>()?)
        }
        b'|' => {
            for _ in 0..length(&line)?.unwrap_or(0) {
                pair(reply)?;
            }
            build(reply)?
        }
        _ => return Err(Malformed::Syntax),
    })
}

fn pair(reply: &mut Bytes) -> Result<Value, Malformed> {
    Ok(Value::Array(vec![build(reply)?, build(reply)?]))
}

fn string(kind: u8, reply: &mut Bytes, length: usize) -> Value {
    let mut text = reply.split_to(length);
    reply.advance(2);
    match kind {
        b'!' => Value::Error(String::from_utf8_lossy(&text).into_owned()),
        // Three letters and a colon say how the text is written.
        b'=' => Value::Text(text.split_off(4.min(length))),
        _ => Value::Text(text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(Bytes::copy_from_slice(text.as_bytes()))
    }

    fn decoded(bytes: &[u8]) -> Result<Option<Value>, Malformed> {
        decode(&mut BytesMut::from(bytes))
    }

    #[test]
    fn a_request_is_an_array_of_strings() {
        let mut bytes = BytesMut::new();
        Request::new("SET").arg("a key").arg(b"\r\n\xff").show(7).write_to(&mut bytes);
        assert_eq!(&bytes[..], b"*4\r\n$3\r\nSET\r\n$5\r\na key\r\n$3\r\n\r\n\xff\r\n$1\r\n7\r\n");
    }

    #[test]
    fn replies_of_both_versions_come_out_alike() {
        let entries = Value::Array(vec![Value::Array(vec![text("5-0"), Value::Array(Vec::new())])]);
        let expected = Value::Array(vec![Value::Array(vec![text("key"), entries])]);
        let second = b"*1\r\n*2\r\n$3\r\nkey\r\n*1\r\n*2\r\n$3\r\n5-0\r\n*0\r\n";
        let third = b"%1\r\n$3\r\nkey\r\n*1\r\n*2\r\n$3\r\n5-0\r\n*0\r\n";
        assert_eq!(decoded(second), Ok(Some(expected.clone())));
        assert_eq!(decoded(third), Ok(Some(expected)));
        for nil in [&b"$-1\r\n"[..], b"*-1\r\n", b"_\r\n"] {
            assert_eq!(decoded(nil), Ok(Some(Value::Nil)));
        }
        assert_eq!(decoded(b":-7\r\n"), Ok(Some(Value::Integer(-7))));
        assert_eq!(decoded(b"-OOM full\r\n"), Ok(Some(Value::Error("OOM full".to_owned()))));
        assert_eq!(decoded(b"!8\r\nOOM full\r\n"), Ok(Some(Value::Error("OOM full".to_owned()))));
        assert_eq!(decoded(b"=6\r\ntxt:ab\r\n"), Ok(Some(text("ab"))));
        assert_eq!(decoded(b"|1\r\n+ttl\r\n:3\r\n+OK\r\n"), Ok(Some(text("OK"))));
    }

    #[test]
    fn what_is_pushed_is_skipped() {
        assert_eq!(decoded(b">2\r\n+invalidate\r\n*1\r\n+a\r\n+PONG\r\n"), Ok(Some(text("PONG"))));
        assert_eq!(decoded(b">2\r\n+invalidate\r\n*1\r\n+a\r\n"), Ok(None));
    }

    #[test]
    fn what_redis_would_never_send_is_refused_early() {
        assert_eq!(decoded(b"HTTP/1.1 400 Bad Request\r\n"), Err(Malformed::Syntax));
        assert_eq!(decoded(b"$999999999999\r\n"), Err(Malformed::TooLarge));
        assert_eq!(decoded(&b"*1\r\n".repeat(20)), Err(Malformed::TooLarge));
        assert_eq!(decoded(&vec![b'x'; 70_000]), Err(Malformed::Syntax));
        assert_eq!(decoded(b"$-2\r\n"), Err(Malformed::Syntax));
        assert_eq!(decoded(b"\r\n"), Err(Malformed::Syntax));
        assert_eq!(decoded(b"*99999999\r\n"), Err(Malformed::TooLarge));
    }

    proptest! {
        /// However the bytes arrive, the same replies come out, in order.
        #[test]
        fn any_cut_gives_the_same_replies(cuts in proptest::collection::vec(0_usize..200, 0..12)) {
            let bytes = b"+OK\r\n*2\r\n$3\r\na\r\n\r\n:12\r\n%1\r\n+k\r\n,1.5\r\n-ERR no\r\n>1\r\n+x\r\n$4\r\n\xff\xfe\r\n\r\n";
            let mut expected = Vec::new();
            let mut whole = BytesMut::from(&bytes[..]);
            while let Some(value) = decode(&mut whole).unwrap() {
                expected.push(value);
            }
            prop_assert_eq!(expected.len(), 5);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % bytes.len()).chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            let (mut incoming, mut seen) = (BytesMut::new(), Vec::new());
            for window in cuts.windows(2) {
                incoming.extend_from_slice(&bytes[window[0]..window[1]]);
                while let Some(value) = decode(&mut incoming).unwrap() {
                    seen.push(value);
                }
            }
            prop_assert_eq!(seen, expected);
            prop_assert!(incoming.is_empty());
        }

        /// No bytes at all make it panic.
        #[test]
        fn nothing_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut incoming = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = decode(&mut incoming) {}
        }
    }
}
