//! What a program says of itself to the service manager, through the socket that `NOTIFY_SOCKET` names.
//!
//! The socket is drawn anew for each start and has a name that is in no file system and cannot be guessed: only what
//! was started there can speak, as with `NotifyAccess=main` on a real host, and nothing is left behind by a crash.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram as Blocking};

use tokio::net::UnixDatagram;

/// The longest datagram that is read whole.
const LONGEST: usize = 4096;

/// One datagram, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Said {
    /// `READY=1`
    pub(super) is_ready: bool,
    /// `WATCHDOG=1`
    pub(super) is_alive: bool,
}

/// The receiving end.
#[derive(Debug)]
pub(super) struct Listener {
    socket: UnixDatagram,
    name: String,
}

impl Listener {
    /// Opens a socket of its own.
    pub(super) fn open() -> io::Result<Self> {
        let name = format!("mock-host/notify/{:032x}", rand::random::<u128>());
        let socket = Blocking::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket: UnixDatagram::from_std(socket)?, name })
    }

    /// The value of `NOTIFY_SOCKET`.
    pub(super) fn address(&self) -> String {
        format!("@{}", self.name)
    }

    /// The next thing that is said. May be dropped and called again.
    pub(super) async fn next(&self) -> Said {
        let mut datagram = [0; LONGEST];
        match self.socket.recv(&mut datagram).await {
            Ok(length) => Said::parse(&datagram[..length]),
            // A socket of our own does not fail; if it ever did, nobody would speak through it any more.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Said {
    fn parse(datagram: &[u8]) -> Self {
        let says = |word: &[u8]| datagram.split(|byte| *byte == b'\n').any(|line| line == word);
        Self { is_ready: says(b"READY=1"), is_alive: says(b"WATCHDOG=1") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_said_is_heard_line_by_line() {
        let listener = Listener::open().unwrap();
        let name = listener.address();
        let address = SocketAddr::from_abstract_name(name.strip_prefix('@').unwrap()).unwrap();
        let program = Blocking::unbound().unwrap();
        for (text, is_ready, is_alive) in [
            ("READY=1\nSTATUS=serving", true, false),
            ("WATCHDOG=1", false, true),
            ("STATUS=READY=1", false, false),
        ] {
            program.send_to_addr(text.as_bytes(), &address).unwrap();
            assert_eq!(listener.next().await, Said { is_ready, is_alive }, "{text}");
        }
    }
}
