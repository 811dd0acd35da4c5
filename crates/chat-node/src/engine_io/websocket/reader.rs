//! From bytes to messages: frames may arrive in any pieces, messages in any fragments, control frames in between.
//!
//! Nothing is kept while a connection is idle: whole frames are read where they lie in the caller's buffer, and only
//! what is incomplete is copied, into memory that is given back as soon as it is complete.

use std::ops::ControlFlow;

use super::frame::{Header, Opcode, Violation, unmask};

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A message of text.
    Text(&'a str),
    /// A message of bytes.
    Binary(&'a [u8]),
    /// To be answered with the same payload.
    Ping(&'a [u8]),
    /// An answer nobody asked for, or that keeps a connection alive.
    Pong,
    /// The client's end of the connection, with its code if it gave one.
    Close(Option<u16>),
}

/// The fragments so far of a message.
#[derive(Debug)]
struct Fragments {
    is_text: bool,
    bytes: Vec<u8>,
}

/// The reading half of a connection's protocol.
#[derive(Debug)]
pub struct Reader {
    /// The beginning of a frame whose end is still to come.
    rest: Vec<u8>,
    fragments: Option<Box<Fragments>>,
    /// Most bytes of a message.
    limit: usize,
}

impl Reader {
    /// Refuses messages of more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { rest: Vec::new(), fragments: None, limit }
    }

    /// Takes in what arrived and calls `each` for every event, in order, until it breaks. What was not looked at
    /// then is forgotten.
    pub fn read<B>(
        &mut self,
        chunk: &mut [u8],
        mut each: impl FnMut(Event<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, Violation> {
        if self.rest.is_empty() {
            let (used, flow) = self.scan(chunk, &mut each)?;
            self.rest.extend_from_slice(&chunk[used..]);
            return Ok(flow);
        }
        let mut whole = std::mem::take(&mut self.rest);
        whole.extend_from_slice(chunk);
        let (used, flow) = self.scan(&mut whole, &mut each)?;
        if used < whole.len() {
            whole.drain(..used);
            self.rest = whole;
        }
        Ok(flow)
    }

    /// Reads the whole frames at the beginning of `bytes`, and says how many bytes they have.
    fn scan<B>(
        &mut self,
        bytes: &mut [u8],
        each: &mut impl FnMut(Event<'_>) -> ControlFlow<B>,
    ) -> Result<(usize, ControlFlow<B>), Violation> {
        let mut used = 0;
        while let Some(header) = Header::parse(&bytes[used..])? {
            let length = self.accept(&header)?;
            let start = used + header.size;
            let Some(payload) = bytes.get_mut(start..start + length) else {
                break;
            };
            unmask(payload, header.mask);
            let flow = self.frame(&header, payload, each)?;
            used = start + length;
            if flow.is_break() {
                return Ok((used, flow));
            }
        }
        Ok((used, ControlFlow::Continue(())))
    }

    /// Judges a frame by its header, before its payload is waited for.
    fn accept(&self, header: &Header) -> Result<usize, Violation> {
        let length = usize::try_from(header.length).map_err(|_| Violation::TooLarge)?;
        if header.opcode.is_control() {
            return Ok(length);
        }
        if (header.opcode == Opcode::Continuation) != self.fragments.is_some() {
            return Err(Violation::BadFragment);
        }
        let so_far = self.fragments.as_ref().map_or(0, |fragments| fragments.bytes.len());
        if length > self.limit - so_far { Err(Violation::TooLarge) } else { Ok(length) }
    }

    fn frame<B>(
        &mut self,
        header: &Header,
        payload: &[u8],
        each: &mut impl FnMut(Event<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, Violation> {
        match header.opcode {
            Opcode::Ping => Ok(each(Event::Ping(payload))),
            Opcode::Pong => Ok(each(Event::Pong)),
            Opcode::Close => Ok(each(Event::Close(close_code(payload)?))),
            Opcode::Text | Opcode::Binary if header.last => {
                message(header.opcode == Opcode::Text, payload, each)
            }
            Opcode::Text | Opcode::Binary => {
                let is_text = header.opcode == Opcode::Text;
                self.fragments = Some(Box::new(Fragments { is_text, bytes: payload.to_vec() }));
                Ok(ControlFlow::Continue(()))
            }
            Opcode::Continuation => {
                let mut fragments = self.fragments.take().ok_or(Violation::BadFragment)?;
                fragments.bytes.extend_from_slice(payload);
                if header.last {
                    return message(fragments.is_text, &fragments.bytes, each);
                }
                self.fragments = Some(fragments);
                Ok(ControlFlow::Continue(()))
            }
        }
    }
}

fn message<B>(
    is_text: bool,
    payload: &[u8],
    each: &mut impl FnMut(Event<'_>) -> ControlFlow<B>,
) -> Result<ControlFlow<B>, Violation> {
    if is_text {
        let text = std::str::from_utf8(payload).map_err(|_| Violation::NotUtf8)?;
        Ok(each(Event::Text(text)))
    } else {
        Ok(each(Event::Binary(payload)))
    }
}

/// The code of a close frame, which may be empty but not half of one.
fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    if payload.is_empty() {
        return Ok(None);
    }
    let (code, text) = payload.split_first_chunk::<2>().ok_or(Violation::BadClose)?;
    let code = u16::from_be_bytes(*code);
    let usable = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
    if !usable {
        return Err(Violation::BadClose);
    }
    std::str::from_utf8(text).map_err(|_| Violation::NotUtf8)?;
    Ok(Some(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [11, 22, 33, 44];

    /// A frame of a client.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            length @ 0..126 => bytes.push(0x80 | u8::try_from(length).unwrap()),
            length => {
                bytes.push(0xfe);
                bytes.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            }
        }
        bytes.extend_from_slice(&MASK);
        let start = bytes.len();
        bytes.extend_from_slice(payload);
        unmask(&mut bytes[start..], MASK);
        bytes
    }

    /// The events of bytes that arrive in pieces of a size, each as text; the last is the violation if there is one.
    fn events(bytes: &[u8], piece: usize) -> Vec<String> {
        let mut reader = Reader::new(200);
        let mut seen = Vec::new();
        for chunk in bytes.chunks(piece) {
            let outcome = reader.read(&mut chunk.to_vec(), |event| {
                seen.push(format!("{event:?}"));
                ControlFlow::<()>::Continue(())
            });
            if let Err(violation) = outcome {
                seen.push(format!("{violation:?}"));
                break;
            }
        }
        seen
    }

    #[test]
    fn messages_survive_any_pieces_and_fragments() {
        let mut bytes = frame(0x81, b"whole");
        bytes.extend(frame(0x01, "first \u{20ac}".as_bytes().split_at(7).0));
        bytes.extend(frame(0x89, b"between"));
        bytes.extend(frame(0x00, "first \u{20ac}".as_bytes().split_at(7).1));
        bytes.extend(frame(0x80, b" last"));
        bytes.extend(frame(0x82, &[1; 130]));
        bytes.extend(frame(0x8a, b""));
        bytes.extend(frame(0x88, b"\x03\xe8bye"));
        let expected = [
            "Text(\"whole\")".to_owned(),
            format!("Ping({:?})", b"between"),
            "Text(\"first \u{20ac} last\")".to_owned(),
            format!("Binary({:?})", [1; 130]),
            "Pong".to_owned(),
            "Close(Some(1000))".to_owned(),
        ];
        for piece in [1, 2, 3, 7, 64, 1000] {
            assert_eq!(events(&bytes, piece), expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn what_breaks_the_protocol_ends_the_reading() {
        let table: [(Vec<u8>, Violation); 10] = [
            (frame(0x80, b"of nothing"), Violation::BadFragment),
            ([frame(0x01, b"a"), frame(0x81, b"b")].concat(), Violation::BadFragment),
            (frame(0x81, &[0xff]), Violation::NotUtf8),
            ([frame(0x01, &[0xe2, 0x82]), frame(0x80, b"x")].concat(), Violation::NotUtf8),
            (frame(0x82, &[0; 201]), Violation::TooLarge),
            ([frame(0x02, &[0; 101]), frame(0x80, &[0; 100])].concat(), Violation::TooLarge),
            (frame(0x88, b"\x03"), Violation::BadClose),
            (frame(0x88, &1005_u16.to_be_bytes()), Violation::BadClose),
            (frame(0x88, &999_u16.to_be_bytes()), Violation::BadClose),
            (frame(0x88, b"\x03\xe8\xff"), Violation::NotUtf8),
        ];
        for (bytes, violation) in table {
            assert_eq!(events(&bytes, 5), [format!("{violation:?}")]);
        }
    }

    #[test]
    fn a_message_that_is_too_large_is_refused_before_it_arrives() {
        let header = &frame(0x82, &[0; 201])[..8];
        assert_eq!(events(header, 8), ["TooLarge"]);
    }

    #[test]
    fn a_close_frame_may_be_empty() {
        assert_eq!(events(&frame(0x88, b""), 9), ["Close(None)"]);
    }

    #[test]
    fn nothing_is_kept_between_messages() {
        let mut reader = Reader::new(1000);
        for chunk in frame(0x81, &[b'x'; 500]).chunks(100) {
            let flow = reader.read(&mut chunk.to_vec(), |_| ControlFlow::<()>::Continue(()));
            assert_eq!(flow, Ok(ControlFlow::Continue(())));
        }
        assert_eq!((reader.rest.capacity(), reader.fragments.is_none()), (0, true));
    }

    #[test]
    fn a_break_stops_at_its_event() {
        let mut reader = Reader::new(1000);
        let mut both = [frame(0x81, b"one"), frame(0x81, b"two")].concat();
        let mut count = 0;
        let flow = reader.read(&mut both, |_| {
            count += 1;
            ControlFlow::Break("enough")
        });
        assert_eq!((flow, count), (Ok(ControlFlow::Break("enough")), 1));
    }
}
