//! Frames of a WebSocket as a server sends them, read where they lie, and the frames of a client.

/// Opcodes that matter here.
pub const TEXT: u8 = 0x1;
/// A goodbye.
pub const CLOSE: u8 = 0x8;
/// Wants an answer.
pub const PING: u8 = 0x9;
/// Is one.
pub const PONG: u8 = 0xa;

/// A whole frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is.
    pub opcode: u8,
    /// What it carries.
    pub payload: &'a [u8],
}

/// The first frame of `bytes`, and how many bytes it has. `None` when it is not here entirely.
pub fn first(bytes: &[u8]) -> Option<(Frame<'_>, usize)> {
    let &[kind, short, ref rest @ ..] = bytes else { return None };
    let (start, length) = match short & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(*rest.first_chunk()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).ok()?),
        short => (2, usize::from(short)),
    };
    let end = start + length;
    Some((Frame { opcode: kind & 0x0f, payload: bytes.get(start..end)? }, end))
}

/// In place of a length: one of two bytes follows.
const LONGER: u8 = 0x7e;

/// Appends a frame of a client, under a mask of zeros: what the mask is for, proxies on the way, is not here.
///
/// # Panics
/// When the payload is longer than 65,535 bytes.
pub fn append(to: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    to.push(0x80 | opcode);
    let length = u16::try_from(payload.len()).expect("what clients say here is short");
    if let Some(short) = u8::try_from(length).ok().filter(|short| *short < LONGER) {
        to.push(0x80 | short);
    } else {
        to.push(0x80 | LONGER);
        to.extend_from_slice(&length.to_be_bytes());
    }
    to.extend_from_slice(&[0; 4]);
    to.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_are_found_when_they_are_whole() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let mut bytes = vec![0x81];
            match length {
                0..126 => bytes.push(u8::try_from(length).unwrap()),
                126..65_536 => {
                    bytes.push(126);
                    bytes.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
                }
                _ => {
                    bytes.push(127);
                    bytes.extend_from_slice(&(length as u64).to_be_bytes());
                }
            }
            bytes.resize(bytes.len() + length, b'x');
            let whole = bytes.len();
            bytes.extend_from_slice(b"\x81\x03");
            let (frame, size) = first(&bytes).unwrap();
            assert_eq!((frame.opcode, frame.payload.len(), size), (TEXT, length, whole));
            assert_eq!(first(&bytes[..whole - 1]), None, "{length}");
        }
        assert_eq!(first(b"\x81"), None);
    }

    #[test]
    fn frames_of_a_client_are_masked_with_zeros() {
        let mut bytes = Vec::new();
        append(&mut bytes, PONG, b"ab");
        assert_eq!(bytes, b"\x8a\x82\x00\x00\x00\x00ab");
        bytes.clear();
        append(&mut bytes, TEXT, &[b'x'; 200]);
        assert_eq!(bytes[..8], [0x81, 0xfe, 0, 200, 0, 0, 0, 0]);
    }
}
