//! The writing half of a connection: what waits is joined into as few writes as the system allows.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use tokio::net::TcpStream;

use super::frame::ServerFrame;
use crate::engine_io::encoded::Encoded;

/// Most runs of frames in one write.
const AT_ONCE: usize = 64;
/// Runs a queue may have room for while it is idle.
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
    /// Whole frames; of the very first the beginning may be written already.
    runs: VecDeque<Encoded>,
    /// Bytes that are left of the very first frame when some of it are written already, so that it must be finished.
    begun: usize,
}

impl Writer {
    pub(super) fn push(&mut self, frame: Encoded) {
        self.runs.push_back(frame);
    }

    pub(super) fn extend(&mut self, packets: VecDeque<Encoded>) {
        self.runs.extend(packets);
    }

    /// Takes over what waits, when nothing else does, and leaves its own memory in that place: so two pieces of memory
    /// go round, and none is asked for with each message.
    pub(super) fn exchange(&mut self, packets: &mut VecDeque<Encoded>) {
        std::mem::swap(&mut self.runs, packets);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Forgets everything but the frame that is half written.
    pub(super) fn discard(&mut self) {
        self.runs.truncate(usize::from(self.begun > 0));
        if let Some(first) = self.runs.front_mut() {
            first.keep(self.begun);
        }
    }

    /// Writes what the system takes now.
    ///
    /// # Errors
    /// Those of the connection. That nothing more is taken is none.
    pub(super) fn write(&mut self, stream: &TcpStream) -> io::Result<Written> {
        let mut written = Written::default();
        while !self.runs.is_empty() {
            let outcome = match self.runs.len() {
                1 => stream.try_write(self.runs[0].frames()),
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
        if self.runs.is_empty() && self.runs.capacity() > IDLE_CAPACITY {
            self.runs = VecDeque::new();
        }
        Ok(written)
    }

    fn write_many(&self, stream: &TcpStream) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); AT_ONCE];
        let mut count = 0;
        for (slice, run) in slices.iter_mut().zip(&self.runs) {
            *slice = IoSlice::new(run.frames());
            count += 1;
        }
        stream.try_write_vectored(&slices[..count])
    }

    /// Takes out what is written, and says how many frames that ended.
    fn advance(&mut self, mut bytes: usize) -> usize {
        let mut frames = 0;
        while bytes > 0
            && let Some(first) = self.runs.front_mut()
        {
            if bytes < first.size() {
                let ended = part(first.frames(), bytes, &mut self.begun);
                first.consume(bytes, ended);
                return frames + ended;
            }
            bytes -= first.size();
            frames += first.count();
            self.begun = 0;
            self.runs.pop_front();
        }
        frames
    }
}

/// How many frames of a run end within its first bytes. `begun` is what is left of the first frame when the run begins
/// within it, and becomes what is left of the one in which those bytes end.
fn part(run: &[u8], bytes: usize, begun: &mut usize) -> usize {
    let mut end = *begun;
    let mut ended = usize::from(end > 0 && end <= bytes);
    while end < bytes {
        // Every run is made of our own frames.
        let Some(frame) = ServerFrame::parse(&run[end..]) else { break };
        end += frame.size();
        ended += usize::from(end <= bytes);
    }
    *begun = end - bytes;
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs of frames with these texts.
    fn writer(runs: &[&[&str]]) -> Writer {
        let mut writer = Writer::default();
        for texts in runs {
            let packets: Vec<Encoded> = texts.iter().map(|text| Encoded::text(text)).collect();
            writer.push(Encoded::joined(&packets));
        }
        writer
    }

    fn rest(writer: &Writer) -> Vec<u8> {
        writer.runs.iter().flat_map(|run| run.frames().to_vec()).collect()
    }

    #[test]
    fn a_half_written_frame_is_finished_and_the_rest_may_be_forgotten() {
        // Bytes written, frames they end, what is left after a discard. The frames have 6, 6, 8 bytes.
        let table: [(usize, usize, &[u8]); 9] = [
            (0, 0, b""),
            (1, 0, b"\x044one"),
            (5, 0, b"e"),
            (6, 1, b""),
            (7, 1, b"\x044two"),
            (12, 2, b""),
            (13, 2, b"\x064three"),
            (19, 2, b"e"),
            (20, 3, b""),
        ];
        for runs in [
            &[&["one", "two", "three"][..]][..],
            &[&["one"], &["two", "three"]],
            &[&["one", "two"], &["three"]],
        ] {
            for (bytes, frames, left) in table {
                let mut writer = writer(runs);
                assert_eq!(writer.advance(bytes), frames, "{bytes} bytes of {runs:?}");
                let waiting: usize = writer.runs.iter().map(Encoded::count).sum();
                assert_eq!(waiting, 3 - frames, "{bytes} bytes of {runs:?}");
                writer.discard();
                assert_eq!(rest(&writer), left, "{bytes} bytes of {runs:?}");
            }
        }
    }

    #[test]
    fn frames_are_counted_alike_however_they_are_cut() {
        let texts: Vec<String> = [3, 130, 0, 70_000].map(|length| "x".repeat(length)).into();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        for piece in [1, 2, 3, 64, 10_000, 1_000_000] {
            let mut writer = writer(&[&texts, &["last"]]);
            let waiting = |writer: &Writer| writer.runs.iter().map(Encoded::size).sum::<usize>();
            let mut left = waiting(&writer);
            let mut frames = 0;
            while left > 0 {
                let bytes = piece.min(left);
                frames += writer.advance(bytes);
                left -= bytes;
                assert_eq!(waiting(&writer), left, "in pieces of {piece}");
            }
            assert_eq!((frames, writer.is_empty(), writer.begun), (5, true, 0), "in pieces of {piece}");
        }
    }

    #[test]
    fn a_frame_stays_begun_over_several_writes() {
        let mut writer = writer(&[&["three", "four"]]);
        writer.advance(4);
        writer.advance(0);
        writer.advance(1);
        writer.discard();
        assert_eq!(rest(&writer), b"ree");
        assert_eq!(writer.advance(3), 1);
        assert!(writer.is_empty());
    }

    #[tokio::test]
    async fn more_frames_than_one_write_takes_arrive_whole_and_leave_no_memory() {
        use tokio::io::AsyncReadExt;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut peer, _) = listener.accept().await.unwrap();
        let mut writer = Writer::default();
        writer.extend((0..200).map(|number| Encoded::text(&format!("{number:4}"))).collect());
        let expected = rest(&writer);
        stream.writable().await.unwrap();
        let written = writer.write(&stream).unwrap();
        drop(stream);
        let mut heard = Vec::new();
        peer.read_to_end(&mut heard).await.unwrap();
        assert_eq!((&heard, written.frames, written.bytes), (&expected, 200, expected.len()));
        assert_eq!(writer.runs.capacity(), 0);
    }
}
