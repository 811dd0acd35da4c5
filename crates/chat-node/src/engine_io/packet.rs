//! What the two sides of an Engine.IO 4 session tell each other, and payloads: several packets in one polling body.
//!
//! A packet of text is one digit and its text. Bytes travel as they are in a WebSocket frame, and as base64 behind
//! a `b` in a payload. Packets of a payload are separated by the character U+001E.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

/// Between two packets of a payload.
pub const SEPARATOR: char = '\u{1e}';

/// What the layer above exchanges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text.
    Text(&'a str),
    /// Bytes.
    Binary(Cow<'a, [u8]>),
}

/// A packet as it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet<'a> {
    /// `0`, with the settings of the session. Only servers send it.
    Open(&'a str),
    /// `1`: the session ends.
    Close,
    /// `2`: an answer is asked for. Clients send it with the text `probe` only, before they move to another transport.
    Ping(&'a str),
    /// `3`: the answer.
    Pong(&'a str),
    /// `4`, or bytes.
    Message(Message<'a>),
    /// `5`: from here on everything travels over this transport.
    Upgrade,
    /// `6`: nothing.
    Noop,
}

/// What is no packet.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum BadPacket {
    /// Not even a type.
    #[error("an empty packet")]
    Empty,
    /// A type nobody knows.
    #[error("an unknown packet type")]
    UnknownType,
    /// Bytes in a payload that are not base64.
    #[error("binary data that is not base64")]
    NotBase64,
}

impl<'a> Packet<'a> {
    /// Reads a packet of text.
    pub fn from_text(text: &'a str) -> Result<Self, BadPacket> {
        let kind = text.bytes().next().ok_or(BadPacket::Empty)?;
        // All types are ASCII, so that the rest begins at a character.
        let rest = text.get(1..).ok_or(BadPacket::UnknownType)?;
        match kind {
            b'0' => Ok(Self::Open(rest)),
            b'1' => Ok(Self::Close),
            b'2' => Ok(Self::Ping(rest)),
            b'3' => Ok(Self::Pong(rest)),
            b'4' => Ok(Self::Message(Message::Text(rest))),
            b'5' => Ok(Self::Upgrade),
            b'6' => Ok(Self::Noop),
            _ => Err(BadPacket::UnknownType),
        }
    }

    /// Takes a packet of bytes, which is always a message.
    pub fn from_bytes(bytes: &'a [u8]) -> Self {
        Self::Message(Message::Binary(Cow::Borrowed(bytes)))
    }

    /// Reads one packet of a payload.
    fn from_part(part: &'a str) -> Result<Self, BadPacket> {
        let Some(encoded) = part.strip_prefix('b') else {
            return Self::from_text(part);
        };
        let bytes = STANDARD.decode(encoded).map_err(|_| BadPacket::NotBase64)?;
        Ok(Self::Message(Message::Binary(Cow::Owned(bytes))))
    }
}

/// The packets of a payload, in order.
pub fn decode_payload(body: &str) -> impl Iterator<Item = Result<Packet<'_>, BadPacket>> {
    body.split(SEPARATOR).map(Packet::from_part)
}

/// Appends bytes as a packet of a payload.
pub fn append_base64(payload: &mut String, bytes: &[u8]) {
    payload.push('b');
    STANDARD.encode_string(bytes, payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Packet<'_> {
        Packet::Message(Message::Text(text))
    }

    fn binary(bytes: &[u8]) -> Packet<'_> {
        Packet::from_bytes(bytes)
    }

    #[test]
    fn every_type_of_packet_is_read() {
        let table = [
            ("0{\"sid\":\"x\"}", Packet::Open("{\"sid\":\"x\"}")),
            ("1", Packet::Close),
            ("2", Packet::Ping("")),
            ("2probe", Packet::Ping("probe")),
            ("3", Packet::Pong("")),
            ("3probe", Packet::Pong("probe")),
            ("4", text("")),
            ("4hello", text("hello")),
            ("4\u{20ac}", text("\u{20ac}")),
            ("5", Packet::Upgrade),
            ("6", Packet::Noop),
        ];
        for (given, expected) in table {
            assert_eq!(Packet::from_text(given), Ok(expected), "{given}");
        }
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        for (given, expected) in [
            ("", BadPacket::Empty),
            ("abc", BadPacket::UnknownType),
            ("7", BadPacket::UnknownType),
            ("\u{20ac}", BadPacket::UnknownType),
            ("bAQID", BadPacket::UnknownType),
        ] {
            assert_eq!(Packet::from_text(given), Err(expected), "{given}");
        }
    }

    #[test]
    fn payloads_are_taken_apart() {
        let table: [(&str, Vec<Result<Packet<'_>, BadPacket>>); 6] = [
            ("4hello", vec![Ok(text("hello"))]),
            ("4a\u{1e}4b\u{1e}3", vec![Ok(text("a")), Ok(text("b")), Ok(Packet::Pong(""))]),
            ("4a\u{1e}bAQIDBA==", vec![Ok(text("a")), Ok(binary(&[1, 2, 3, 4]))]),
            ("b", vec![Ok(binary(&[]))]),
            ("bAQ!", vec![Err(BadPacket::NotBase64)]),
            ("4a\u{1e}", vec![Ok(text("a")), Err(BadPacket::Empty)]),
        ];
        for (given, expected) in table {
            assert_eq!(decode_payload(given).collect::<Vec<_>>(), expected, "{given}");
        }
    }

    #[test]
    fn bytes_survive_a_payload() {
        let mut payload = String::from("4a\u{1e}");
        append_base64(&mut payload, &[0, 159, 146, 150, 255]);
        let packets: Vec<_> = decode_payload(&payload).map(Result::unwrap).collect();
        assert_eq!(packets, [text("a"), binary(&[0, 159, 146, 150, 255])]);
    }
}
