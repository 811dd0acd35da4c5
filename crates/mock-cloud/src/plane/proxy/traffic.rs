//! What goes through a load balancer to one server, counted as it goes by: plain atomics that nobody waits for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::plane::spec;

/// The counters of one server.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    requests: AtomicU64,
    open: AtomicU64,
    opened: AtomicU64,
    towards: Direction,
    back: Direction,
}

/// One direction: towards the server, or back to clients.
#[derive(Debug, Default)]
struct Direction {
    bytes: AtomicU64,
    messages: AtomicU64,
}

impl Traffic {
    /// A request is sent.
    pub(super) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// So much of an answer goes back.
    pub(super) fn answered(&self, bytes: usize) {
        self.back.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// How much it is so far.
    pub(super) fn read(&self) -> spec::Carried {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        spec::Carried {
            requests: read(&self.requests),
            websockets: read(&self.open),
            websockets_total: read(&self.opened),
            messages_in: read(&self.towards.messages),
            messages_out: read(&self.back.messages),
            bytes_in: read(&self.towards.bytes),
            bytes_out: read(&self.back.bytes),
        }
    }
}

/// The server's end of a WebSocket, which counts what goes by.
pub(super) struct Counted<S> {
    inner: S,
    traffic: Arc<Traffic>,
    towards: Frames,
    back: Frames,
}

impl<S> Counted<S> {
    pub(super) fn new(inner: S, traffic: Arc<Traffic>) -> Self {
        traffic.open.fetch_add(1, Ordering::Relaxed);
        traffic.opened.fetch_add(1, Ordering::Relaxed);
        Self { inner, traffic, towards: Frames::default(), back: Frames::default() }
    }
}

impl<S> Drop for Counted<S> {
    fn drop(&mut self) {
        self.traffic.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Direction {
    fn count(&self, frames: &mut Frames, bytes: &[u8]) {
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let messages = frames.pass(bytes);
        if messages > 0 {
            self.messages.fetch_add(messages, Ordering::Relaxed);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.inner).poll_read(context, buffer);
        let own = &mut *self;
        own.traffic.back.count(&mut own.back, &buffer.filled()[before..]);
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(context, buffer);
        if let Poll::Ready(Ok(count)) = result {
            let own = &mut *self;
            own.traffic.towards.count(&mut own.towards, &buffer[..count]);
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

/// Longest header of a WebSocket frame: two bytes, a long length, a mask (RFC 6455, 5.2).
const LONGEST_HEADER: usize = 14;

/// Counts WebSocket messages by the headers of their frames; what is between them is passed over unread.
#[derive(Debug, Default)]
struct Frames {
    header: [u8; LONGEST_HEADER],
    have: usize,
    /// Bytes of the frame that are still to come.
    ahead: u64,
}

impl Frames {
    /// How many messages begin in these bytes.
    fn pass(&mut self, mut bytes: &[u8]) -> u64 {
        let mut messages = 0;
        while !bytes.is_empty() {
            if self.ahead > 0 {
                let passed = bytes.len().min(usize::try_from(self.ahead).unwrap_or(usize::MAX));
                self.ahead -= passed as u64;
                bytes = &bytes[passed..];
                continue;
            }
            self.header[self.have] = bytes[0];
            self.have += 1;
            bytes = &bytes[1..];
            if self.have == header_length(&self.header[..self.have]) {
                // Text or binary; what continues a message, and what controls the connection, is none.
                messages += u64::from(matches!(self.header[0] & 0x0f, 1 | 2));
                self.ahead = payload_length(&self.header);
                self.have = 0;
            }
        }
        messages
    }
}

/// How long a header is that begins like this; more than there is while that is not known.
fn header_length(start: &[u8]) -> usize {
    let [_, second, ..] = start else { return 2 };
    let length = match second & 0x7f {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    if second & 0x80 == 0 { length } else { length + 4 }
}

fn payload_length(header: &[u8; LONGEST_HEADER]) -> u64 {
    match header[1] & 0x7f {
        126 => u64::from(u16::from_be_bytes([header[2], header[3]])),
        127 => header[2..10].iter().fold(0, |length, byte| (length << 8) | u64::from(*byte)),
        short => u64::from(short),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame as clients (masked) or servers send it.
    fn frame(opcode: u8, payload: usize, is_masked: bool) -> Vec<u8> {
        let mask = if is_masked { 0x80 } else { 0 };
        let mut frame = vec![0x80 | opcode];
        match payload {
            0..126 => frame.push(mask + u8::try_from(payload).unwrap()),
            126..65_536 => {
                frame.push(mask + 126);
                frame.extend(u16::try_from(payload).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(mask + 127);
                frame.extend((payload as u64).to_be_bytes());
            }
        }
        frame.extend(vec![1; if is_masked { 4 } else { 0 }]);
        frame.extend(vec![0x81; payload]);
        frame
    }

    #[test]
    fn messages_are_counted_however_the_bytes_are_cut() {
        let mut all = Vec::new();
        for (opcode, payload) in [(1, 0), (1, 5), (2, 200), (9, 3), (0, 7), (1, 70_000), (8, 2), (2, 1)] {
            all.extend(frame(opcode, payload, payload % 2 == 0));
        }
        for piece in [1, 2, 3, 7, 1_000, all.len()] {
            let mut frames = Frames::default();
            let messages: u64 = all.chunks(piece).map(|bytes| frames.pass(bytes)).sum();
            assert_eq!(messages, 5, "in pieces of {piece}");
        }
    }
}
