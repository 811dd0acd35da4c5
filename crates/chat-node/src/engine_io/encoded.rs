//! Packets on their way out, encoded once.
//!
//! The bytes of an [`Encoded`] are whole WebSocket frames, and behind the header of each is a packet as polling sends it.
//! So one encoding of a broadcast serves every client of either transport, and each of them holds a reference to it only.
//! What is broadcast at once is joined once, for all of them: a client has one thing to queue and to write then, however
//! many packets it is.

use bytes::{Buf, Bytes};

use super::packet::{SEPARATOR, append_base64};
use super::websocket::frame::{LONGEST_SERVER_HEADER, Opcode, ServerFrame, write_header};

/// Packets, nearly always one, that can be put into the queues of any number of sessions.
#[derive(Debug, Clone)]
pub struct Encoded {
    frames: Bytes,
    count: usize,
}

impl Encoded {
    /// One frame.
    pub(super) fn whole(frame: Bytes) -> Self {
        Self { frames: frame, count: 1 }
    }

    /// A heartbeat.
    pub fn ping() -> Self {
        Self::whole(Bytes::from_static(b"\x81\x012"))
    }

    /// What ends a poll that has nothing to say.
    pub fn noop() -> Self {
        Self::whole(Bytes::from_static(b"\x81\x016"))
    }

    /// The end of a session.
    pub fn close() -> Self {
        Self::whole(Bytes::from_static(b"\x81\x011"))
    }

    /// The answer to a probe.
    pub fn probed() -> Self {
        Self::whole(Bytes::from_static(b"\x81\x063probe"))
    }

    /// The settings of a session, as JSON.
    pub fn open(settings: &str) -> Self {
        let mut text = TextPacket::new(b'0');
        text.push_str(settings);
        text.finish()
    }

    /// A message of text.
    pub fn text(text: &str) -> Self {
        let mut packet = TextPacket::message();
        packet.push_str(text);
        packet.finish()
    }

    /// A message of bytes.
    pub fn binary(bytes: &[u8]) -> Self {
        let mut buffer = vec![0; LONGEST_SERVER_HEADER];
        buffer.extend_from_slice(bytes);
        Self::frame(buffer, Opcode::Binary)
    }

    /// Puts the header in front of what begins behind the room for the longest one.
    fn frame(mut buffer: Vec<u8>, opcode: Opcode) -> Self {
        let length = buffer.len() - LONGEST_SERVER_HEADER;
        let (header, size) = write_header(opcode, length);
        let start = LONGEST_SERVER_HEADER - size;
        buffer[start..LONGEST_SERVER_HEADER].copy_from_slice(&header[..size]);
        // A broadcast may wait in a thousand queues for a while.
        buffer.shrink_to_fit();
        Self::whole(Bytes::from(buffer).slice(start..))
    }

    /// Several as one, in that order. One alone is not copied.
    pub fn joined(packets: &[Self]) -> Self {
        if let [one] = packets {
            return one.clone();
        }
        let mut frames = Vec::with_capacity(packets.iter().map(Self::size).sum());
        for packet in packets {
            frames.extend_from_slice(&packet.frames);
        }
        Self { frames: Bytes::from(frames), count: packets.iter().map(Self::count).sum() }
    }

    /// Each packet by itself; they share the bytes.
    pub fn split(&self) -> impl Iterator<Item = Self> {
        let mut rest = self.frames.clone();
        std::iter::from_fn(move || {
            let size = ServerFrame::parse(&rest)?.size();
            Some(Self::whole(rest.split_to(size)))
        })
    }

    /// The frames as they go to a WebSocket.
    pub fn frames(&self) -> &Bytes {
        &self.frames
    }

    /// How many packets it adds to a queue.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many bytes it adds to a queue.
    pub fn size(&self) -> usize {
        self.frames.len()
    }

    /// The first packet without the frame around it.
    pub fn packet(&self) -> &[u8] {
        ServerFrame::parse(&self.frames).map_or(&[], |frame| &self.frames[frame.header..frame.size()])
    }

    /// Takes away what was written of its beginning: so many bytes, with which so many packets ended.
    pub(super) fn consume(&mut self, bytes: usize, packets: usize) {
        self.frames.advance(bytes);
        self.count -= packets;
    }

    /// Takes away everything behind the first bytes of its first packet.
    pub(super) fn keep(&mut self, bytes: usize) {
        self.frames.truncate(bytes);
        self.count = 1;
    }

    fn append_to(&self, payload: &mut String) {
        if self.frames.first().is_some_and(|first| first & 0x0f == Opcode::Binary.bits()) {
            append_base64(payload, self.packet());
        } else {
            payload
                .push_str(std::str::from_utf8(self.packet()).expect("a packet of text is made of a `str`"));
        }
    }
}

/// Several packets as one polling body; each is one, since what a session has that polls is split.
pub fn encode_payload<'a>(packets: impl IntoIterator<Item = &'a Encoded>) -> String {
    let mut payload = String::new();
    for packet in packets {
        if !payload.is_empty() {
            payload.push(SEPARATOR);
        }
        packet.append_to(&mut payload);
    }
    payload
}

/// A packet of text that is written piece by piece, so that a broadcast is not copied from one string to the next.
#[derive(Debug)]
pub struct TextPacket(Vec<u8>);

impl TextPacket {
    fn new(kind: u8) -> Self {
        let mut buffer = vec![0; LONGEST_SERVER_HEADER];
        buffer.push(kind);
        Self(buffer)
    }

    /// Begins a message.
    pub fn message() -> Self {
        Self::new(b'4')
    }

    /// Appends a text.
    pub fn push_str(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Appends a value as JSON.
    pub fn push_json(&mut self, value: &impl serde::Serialize) {
        serde_json::to_writer(&mut self.0, value).expect("strings, numbers and JSON values always serialise");
    }

    /// Closes the frame.
    pub fn finish(self) -> Encoded {
        Encoded::frame(self.0, Opcode::Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_encoding_serves_both_transports() {
        let text = Encoded::text("hello");
        assert_eq!(&text.frames()[..], b"\x81\x064hello");
        assert_eq!(text.packet(), b"4hello");
        let binary = Encoded::binary(&[1, 2, 3, 4]);
        assert_eq!(&binary.frames()[..], b"\x82\x04\x01\x02\x03\x04");
        assert_eq!(encode_payload([&text, &binary, &Encoded::noop()]), "4hello\u{1e}bAQIDBA==\u{1e}6");
        assert_eq!(encode_payload([]), "");
    }

    #[test]
    fn headers_grow_with_the_packet() {
        for (length, header) in [(124, 2), (125, 4), (65_534, 4), (65_535, 10)] {
            let text = Encoded::text(&"x".repeat(length));
            assert_eq!(text.size(), header + 1 + length);
            assert_eq!(text.packet().len(), 1 + length);
        }
    }

    #[test]
    fn clones_share_their_bytes() {
        let one = Encoded::text("shared");
        let two = one.clone();
        assert_eq!(one.packet().as_ptr(), two.packet().as_ptr());
    }

    #[test]
    fn what_is_joined_is_split_again_and_shares_its_bytes() {
        let packets = [Encoded::text("one"), Encoded::binary(&[7; 200]), Encoded::text(&"x".repeat(70_000))];
        let joined = Encoded::joined(&packets);
        let size: usize = packets.iter().map(Encoded::size).sum();
        assert_eq!((joined.count(), joined.size()), (3, size));
        let split: Vec<Encoded> = joined.split().collect();
        assert!(split.iter().map(Encoded::frames).eq(packets.iter().map(Encoded::frames)));
        assert!(split.iter().all(|packet| packet.count() == 1));
        assert_eq!(split[0].packet().as_ptr(), joined.packet().as_ptr());
        let alone = Encoded::joined(&packets[..1]);
        assert_eq!(alone.packet().as_ptr(), packets[0].packet().as_ptr());
    }

    #[test]
    fn the_constant_packets_are_frames_too() {
        for (packet, text) in [
            (Encoded::ping(), "2"),
            (Encoded::noop(), "6"),
            (Encoded::close(), "1"),
            (Encoded::probed(), "3probe"),
            (Encoded::open("{}"), "0{}"),
        ] {
            assert_eq!(packet.packet(), text.as_bytes());
            let frame = packet.frames();
            assert_eq!((frame[0], usize::from(frame[1])), (0x81, text.len()));
        }
    }
}
