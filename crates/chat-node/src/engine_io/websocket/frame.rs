//! Frames of RFC 6455, the side of the server: reads masked frames, writes unmasked ones, never fragments.

use thiserror::Error;

/// Bytes of the longest header a server writes.
pub const LONGEST_SERVER_HEADER: usize = 10;
/// Most bytes of a control frame's payload.
pub const LONGEST_CONTROL: usize = 125;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// The next part of a fragmented message.
    Continuation,
    /// Text, or its first part.
    Text,
    /// Bytes, or their first part.
    Binary,
    /// The end of the connection.
    Close,
    /// An answer is asked for.
    Ping,
    /// The answer.
    Pong,
}

impl Opcode {
    fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xa => Some(Self::Pong),
            _ => None,
        }
    }

    /// The bits that say it.
    pub fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }

    /// Whether it stands between the fragments of a message and is never fragmented itself.
    pub fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// How a client broke the protocol. Each ends the connection.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// A reserved bit: no extension was agreed on.
    #[error("a reserved bit is set")]
    ReservedBit,
    /// An opcode nobody knows.
    #[error("unknown opcode")]
    UnknownOpcode,
    /// Clients must mask.
    #[error("a frame of a client must be masked")]
    Unmasked,
    /// A control frame that is fragmented or too long.
    #[error("a control frame must be whole and short")]
    BadControl,
    /// A length that needs its highest bit, or more bytes than it takes.
    #[error("a length that is not written in its shortest form")]
    BadLength,
    /// A continuation of nothing, or a new message within another.
    #[error("fragments out of order")]
    BadFragment,
    /// A close frame whose code or text is none.
    #[error("a close frame that cannot be read")]
    BadClose,
    /// Text that is not UTF-8.
    #[error("text that is not UTF-8")]
    NotUtf8,
    /// More than the limit in one message.
    #[error("the message is too large")]
    TooLarge,
}

impl Violation {
    /// The status code that tells of it.
    pub fn code(self) -> u16 {
        match self {
            Self::NotUtf8 => 1007,
            Self::TooLarge => 1009,
            Self::ReservedBit
            | Self::UnknownOpcode
            | Self::Unmasked
            | Self::BadControl
            | Self::BadLength
            | Self::BadFragment
            | Self::BadClose => 1002,
        }
    }
}

/// The header of a client's frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Whether the message ends with it.
    pub last: bool,
    /// What it is.
    pub opcode: Opcode,
    /// What the payload is mixed with.
    pub mask: [u8; 4],
    /// Bytes of the payload.
    pub length: u64,
    /// Bytes of the header itself.
    pub size: usize,
}

impl Header {
    /// Reads a header; `None` when some of it is still to come.
    ///
    /// # Errors
    /// As soon as the bytes that are there cannot begin a frame.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, Violation> {
        let &[first, second, ref rest @ ..] = bytes else {
            return Ok(None);
        };
        if first & 0x70 != 0 {
            return Err(Violation::ReservedBit);
        }
        let opcode = Opcode::from_bits(first & 0x0f).ok_or(Violation::UnknownOpcode)?;
        let last = first & 0x80 != 0;
        if second & 0x80 == 0 {
            return Err(Violation::Unmasked);
        }
        let short = second & 0x7f;
        if opcode.is_control() && (!last || usize::from(short) > LONGEST_CONTROL) {
            return Err(Violation::BadControl);
        }
        let (length, wide) = match short {
            126 => match rest.first_chunk::<2>() {
                Some(&bytes) => (u64::from(u16::from_be_bytes(bytes)), 2),
                None => return Ok(None),
            },
            127 => match rest.first_chunk::<8>() {
                Some(&bytes) => (u64::from_be_bytes(bytes), 8),
                None => return Ok(None),
            },
            _ => (u64::from(short), 0),
        };
        let shortest = match wide {
            2 => length > 125,
            8 => length > u64::from(u16::MAX) && length <= u64::MAX / 2,
            _ => true,
        };
        if !shortest {
            return Err(Violation::BadLength);
        }
        let Some(&mask) = rest.get(wide..).and_then(<[u8]>::first_chunk::<4>) else {
            return Ok(None);
        };
        Ok(Some(Self { last, opcode, mask, length, size: 2 + wide + 4 }))
    }
}

/// A frame of ours, as far as its length goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerFrame {
    /// Bytes of its header.
    pub header: usize,
    /// Bytes of its payload.
    pub length: usize,
}

impl ServerFrame {
    /// Reads the header that [`write_header`] has written; `None` when there is none.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let &[_, short, ref rest @ ..] = bytes else { return None };
        let (header, length) = match short {
            126 => (4, usize::from(u16::from_be_bytes(*rest.first_chunk()?))),
            127 => (10, usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).ok()?),
            length => (2, usize::from(length)),
        };
        Some(Self { header, length })
    }

    /// Bytes of all of it.
    pub fn size(self) -> usize {
        self.header + self.length
    }
}

/// Takes the mask off a payload, in place.
pub fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let (words, rest) = payload.as_chunks_mut::<8>();
    let wide = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// The header of a whole message of the server, and how many of its bytes count.
pub fn write_header(opcode: Opcode, length: usize) -> ([u8; LONGEST_SERVER_HEADER], usize) {
    let mut header = [0; LONGEST_SERVER_HEADER];
    header[0] = 0x80 | opcode.bits();
    if let Ok(length @ ..126) = u8::try_from(length) {
        header[1] = length;
        (header, 2)
    } else if let Ok(length) = u16::try_from(length) {
        header[1] = 126;
        header[2..4].copy_from_slice(&length.to_be_bytes());
        (header, 4)
    } else {
        header[1] = 127;
        header[2..10].copy_from_slice(&(length as u64).to_be_bytes());
        (header, 10)
    }
}

/// A control frame of the server; what is too long for one is cut.
pub fn control(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let payload = &payload[..payload.len().min(LONGEST_CONTROL)];
    let (header, size) = write_header(opcode, payload.len());
    let mut frame = Vec::with_capacity(size + payload.len());
    frame.extend_from_slice(&header[..size]);
    frame.extend_from_slice(payload);
    frame
}

/// A close frame with a code and a short text.
pub fn close(code: u16, text: &str) -> Vec<u8> {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(text.as_bytes());
    control(Opcode::Close, &payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_every_length_are_read() {
        let mask = [1, 2, 3, 4];
        let table: [(&[u8], u64, usize); 5] = [
            (&[0x81, 0x80, 1, 2, 3, 4], 0, 6),
            (&[0x81, 0xfd, 1, 2, 3, 4], 125, 6),
            (&[0x81, 0xfe, 0, 126, 1, 2, 3, 4], 126, 8),
            (&[0x81, 0xfe, 0xff, 0xff, 1, 2, 3, 4], 65_535, 8),
            (&[0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4], 65_536, 14),
        ];
        for (bytes, length, size) in table {
            let header = Header { last: true, opcode: Opcode::Text, mask, length, size };
            assert_eq!(Header::parse(bytes), Ok(Some(header)));
            for part in 0..size {
                assert_eq!(Header::parse(&bytes[..part]), Ok(None), "{part} of {bytes:?}");
            }
        }
    }

    #[test]
    fn our_own_headers_are_read_back() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let (bytes, header) = write_header(Opcode::Text, length);
            assert_eq!(ServerFrame::parse(&bytes[..header]), Some(ServerFrame { header, length }));
            assert_eq!(ServerFrame::parse(&bytes[..header - 1]), None);
        }
    }

    #[test]
    fn headers_that_break_the_protocol_are_refused() {
        let table: [(&[u8], Violation); 9] = [
            (&[0xc1, 0x80], Violation::ReservedBit),
            (&[0x83, 0x80], Violation::UnknownOpcode),
            (&[0x8b, 0x80], Violation::UnknownOpcode),
            (&[0x81, 0x05], Violation::Unmasked),
            (&[0x09, 0x80], Violation::BadControl),
            (&[0x88, 0xfe], Violation::BadControl),
            (&[0x82, 0xfe, 0, 125], Violation::BadLength),
            (&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], Violation::BadLength),
            (&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], Violation::BadLength),
        ];
        for (bytes, violation) in table {
            assert_eq!(Header::parse(bytes), Err(violation), "{bytes:?}");
        }
    }

    #[test]
    fn a_mask_taken_off_twice_is_on_again() {
        for length in 0..40_u8 {
            let payload: Vec<u8> = (0..length).collect();
            let mut masked = payload.clone();
            unmask(&mut masked, [7, 77, 177, 213]);
            for (position, byte) in masked.iter().enumerate() {
                assert_eq!(*byte, payload[position] ^ [7, 77, 177, 213][position % 4]);
            }
            unmask(&mut masked, [7, 77, 177, 213]);
            assert_eq!(masked, payload);
        }
    }

    #[test]
    fn control_frames_never_exceed_their_limit() {
        assert_eq!(close(1013, "later"), b"\x88\x07\x03\xf5later");
        assert_eq!(control(Opcode::Pong, &[b'x'; 200]).len(), 2 + LONGEST_CONTROL);
    }
}
