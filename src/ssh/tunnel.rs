//! A connection that leaves through a host: one direct-tcpip channel, alone on its link.
//!
//! One loop moves bytes both ways between the channel and a socket pair. The session is non-blocking, since on a
//! blocking one a write waits behind a read; a packet that is half sent is finished before anything else is tried.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::time::Duration;

use ssh2::Channel;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::time::Instant;

use super::error::SshError;
use super::link::Link;

/// How long the far side may take to end once our side has.
const LINGER: Duration = Duration::from_secs(10);
/// What is moved at once.
const PIECE: usize = 32 * 1024;

/// Asks the host to connect to `target`. Gives the channel, our end and the caller's end of the pair.
pub(super) async fn open(
    link: &Link,
    host: &str,
    target: SocketAddr,
) -> Result<(Channel, UnixStream, StdUnixStream), SshError> {
    let address = target.ip().to_string();
    let channel = link
        .again(|| link.session.channel_direct_tcpip(&address, target.port(), None))
        .await
        .map_err(|source| SshError::NotForwarded { host: host.to_owned(), target, source })?;
    let local = |source| SshError::Local { host: host.to_owned(), source };
    let (inside, outside) = StdUnixStream::pair().map_err(local)?;
    inside.set_nonblocking(true).map_err(local)?;
    outside.set_nonblocking(true).map_err(local)?;
    Ok((channel, UnixStream::from_std(inside).map_err(local)?, outside))
}

/// Moves bytes until either side has ended for good. An error on one side is an end for the other.
pub(super) async fn pump(link: &Link, channel: Channel, local: UnixStream) {
    let mut pump = Pump { channel, local, outgoing: Lane::default(), incoming: Lane::default() };
    let mut last_move = Instant::now();
    loop {
        match pump.turn(link) {
            Ok(Turn::Moved) => last_move = Instant::now(),
            Ok(Turn::Idle) if pump.outgoing.ended && last_move.elapsed() > LINGER => return,
            Ok(Turn::Idle) => pump.rest(link).await,
            Ok(Turn::MidWrite) => link.wait().await,
            Ok(Turn::Over) | Err(_) => return,
        }
    }
}

/// What one look at everything came to.
enum Turn {
    Moved,
    Idle,
    /// A packet is half sent: only the channel may be touched, and only to go on writing.
    MidWrite,
    Over,
}

/// One direction: what was read and not yet written, and whether its source has ended.
#[derive(Default)]
struct Lane {
    pending: Vec<u8>,
    written: usize,
    ended: bool,
    closed: bool,
}

impl Lane {
    fn rest(&self) -> &[u8] {
        &self.pending[self.written..]
    }

    fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    fn refill(&mut self, piece: &[u8]) {
        self.pending.clear();
        self.pending.extend_from_slice(piece);
        self.written = 0;
        self.ended = piece.is_empty();
    }
}

struct Pump {
    channel: Channel,
    local: UnixStream,
    outgoing: Lane,
    incoming: Lane,
}

impl Pump {
    fn turn(&mut self, link: &Link) -> io::Result<Turn> {
        let mut moved = self.write_channel()?;
        if !moved && (!self.outgoing.is_empty() || self.outgoing.ended) && link.mid_write() {
            return Ok(Turn::MidWrite);
        }
        moved |= self.read_local()?;
        moved |= self.read_channel()?;
        moved |= self.write_local()?;
        Ok(match moved {
            true => Turn::Moved,
            false if self.incoming.ended && self.incoming.is_empty() => Turn::Over,
            false => Turn::Idle,
        })
    }

    fn write_channel(&mut self) -> io::Result<bool> {
        if !self.outgoing.is_empty() {
            let count = some(self.channel.write(self.outgoing.rest()))?.unwrap_or(0);
            self.outgoing.written += count;
            return Ok(count > 0);
        }
        if self.outgoing.ended && !self.outgoing.closed {
            self.outgoing.closed = some(self.channel.send_eof().map_err(io::Error::from))?.is_some();
            return Ok(self.outgoing.closed);
        }
        Ok(false)
    }

    fn read_local(&mut self) -> io::Result<bool> {
        if !self.outgoing.is_empty() || self.outgoing.ended {
            return Ok(false);
        }
        let mut piece = vec![0; PIECE];
        let Some(count) = some(self.local.try_read(&mut piece))? else {
            return Ok(false);
        };
        self.outgoing.refill(&piece[..count]);
        Ok(true)
    }

    fn read_channel(&mut self) -> io::Result<bool> {
        if !self.incoming.is_empty() || self.incoming.ended {
            return Ok(false);
        }
        let mut piece = vec![0; PIECE];
        let Some(count) = some(self.channel.read(&mut piece))? else {
            return Ok(false);
        };
        if count == 0 && !self.channel.eof() {
            return Ok(false);
        }
        self.incoming.refill(&piece[..count]);
        Ok(true)
    }

    fn write_local(&mut self) -> io::Result<bool> {
        if self.incoming.is_empty() {
            return Ok(false);
        }
        let count = some(self.local.try_write(self.incoming.rest()))?.unwrap_or(0);
        self.incoming.written += count;
        Ok(count > 0)
    }

    /// Sleeps until the link or the local end may have something.
    async fn rest(&self, link: &Link) {
        let interest = match (self.outgoing.is_empty() && !self.outgoing.ended, !self.incoming.is_empty()) {
            (true, true) => Interest::READABLE | Interest::WRITABLE,
            (true, false) => Interest::READABLE,
            (false, true) => Interest::WRITABLE,
            (false, false) => return link.wait().await,
        };
        tokio::select! {
            () = link.wait() => {}
            _ = self.local.ready(interest) => {}
        }
    }
}

/// "Would block" as nothing.
pub(super) fn some<T>(answer: io::Result<T>) -> io::Result<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
