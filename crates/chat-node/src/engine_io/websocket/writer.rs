//! The writing half of a connection: what waits is joined into as few writes as the system allows.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, Bytes};
use tokio::net::TcpStream;

use crate::engine_io::encoded::Encoded;

/// Most frames in one write.
const AT_ONCE: usize = 64;
/// Frames a queue may have room for while it is idle.
const IDLE_CAPACITY: usize = 4;

/// What was done by a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) frames: usize,
    pub(super) bytes: usize,
}

/// Frames on their way to one client.
#[derive(Debug, Default)]
pub(super) struct Writer {
    frames: VecDeque<Bytes>,
    /// Part of the first frame is written already, so that it must be finished.
    begun: bool,
}

impl Writer {
    pub(super) fn push(&mut self, frame: Bytes) {
        self.frames.push_back(frame);
    }

    pub(super) fn extend(&mut self, packets: impl IntoIterator<Item = Encoded>) {
        self.frames.extend(packets.into_iter().map(Encoded::into_frame));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Forgets everything but the frame that is half written.
    pub(super) fn discard(&mut self) {
        self.frames.truncate(usize::from(self.begun));
    }

    /// Writes what the system takes now.
    ///
    /// # Errors
    /// Those of the connection. That nothing more is taken is none.
    pub(super) fn write(&mut self, stream: &TcpStream) -> io::Result<Written> {
        let mut written = Written::default();
        while !self.frames.is_empty() {
            let outcome = match self.frames.len() {
                1 => stream.try_write(&self.frames[0]),
                _ => self.write_many(stream),
            };
            match outcome {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => {
                    written.bytes += bytes;
                    written.frames += self.advance(bytes);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if self.frames.is_empty() && self.frames.capacity() > IDLE_CAPACITY {
            self.frames = VecDeque::new();
        }
        Ok(written)
    }

    fn write_many(&self, stream: &TcpStream) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); AT_ONCE];
        let mut count = 0;
        for (slice, frame) in slices.iter_mut().zip(&self.frames) {
            *slice = IoSlice::new(frame);
            count += 1;
        }
        stream.try_write_vectored(&slices[..count])
    }

    /// Takes out what is written, and says how many frames that ended.
    fn advance(&mut self, mut bytes: usize) -> usize {
        let mut frames = 0;
        while let Some(first) = self.frames.front_mut() {
            if bytes < first.len() {
                self.begun = self.begun && frames == 0 || bytes > 0;
                first.advance(bytes);
                return frames;
            }
            bytes -= first.len();
            self.frames.pop_front();
            frames += 1;
        }
        self.begun = false;
        frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(frames: &[&'static str]) -> Writer {
        let mut writer = Writer::default();
        writer.frames.extend(frames.iter().map(|frame| Bytes::from_static(frame.as_bytes())));
        writer
    }

    #[test]
    fn a_half_written_frame_is_finished_and_the_rest_may_be_forgotten() {
        // Bytes written, frames they end, what is left after a discard.
        let table: [(usize, usize, Option<&str>); 6] =
            [(0, 0, None), (2, 0, Some("e")), (3, 1, None), (4, 1, Some("wo")), (6, 2, None), (11, 3, None)];
        for (bytes, frames, left) in table {
            let mut writer = writer(&["one", "two", "three"]);
            assert_eq!(writer.advance(bytes), frames, "{bytes} bytes");
            writer.discard();
            let rest = writer.frames.front().map(|frame| std::str::from_utf8(frame).unwrap());
            assert_eq!(rest, left, "{bytes} bytes");
        }
    }

    #[test]
    fn a_frame_stays_begun_over_several_writes() {
        let mut writer = writer(&["three", "four"]);
        writer.advance(2);
        writer.advance(0);
        writer.advance(1);
        writer.discard();
        assert_eq!(writer.frames, [Bytes::from_static(b"ee")]);
    }

    #[tokio::test]
    async fn more_frames_than_one_write_takes_arrive_whole_and_leave_no_memory() {
        use tokio::io::AsyncReadExt;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut peer, _) = listener.accept().await.unwrap();
        let mut writer = Writer::default();
        writer.frames.extend((0..200).map(|number| Bytes::from(format!("{number:4}"))));
        stream.writable().await.unwrap();
        let written = writer.write(&stream).unwrap();
        drop(stream);
        let mut text = String::new();
        peer.read_to_string(&mut text).await.unwrap();
        let expected: String = (0..200).fold(String::new(), |text, number| format!("{text}{number:4}"));
        assert_eq!((text.as_str(), written.frames, written.bytes), (expected.as_str(), 200, expected.len()));
        assert_eq!(writer.frames.capacity(), 0);
    }
}
