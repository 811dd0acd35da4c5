//! One connection: its way into the room, and what it hears there.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;

use super::frames::{self, CLOSE, PING, PONG, TEXT};
use super::room::Protocol;
use super::stamp::{LENGTH, MARK, Stamp};

/// Longest beginning of an answer to the request.
const LONGEST_HEAD: usize = 16 * 1024;

/// How far a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Connecting,
    /// The request for a WebSocket is sent.
    Upgrading,
    /// The settings of the session are awaited.
    Opening,
    /// The answer of the namespace is.
    Joining,
    /// It has said its name.
    Naming,
    In,
    Gone,
}

/// One client.
#[derive(Debug)]
pub(super) struct Client {
    stream: TcpStream,
    pub(super) stage: Stage,
    host: SocketAddr,
    protocol: Protocol,
    /// The name it gives itself, if it is to speak.
    name: Option<String>,
    /// The beginning of something whose end has not come.
    rest: Vec<u8>,
    /// What the system has not taken yet.
    outgoing: Vec<u8>,
    /// Where in a packet the last text began.
    mark: usize,
}

impl Client {
    /// One whose connection is being made.
    pub(super) fn new(stream: TcpStream, host: SocketAddr, protocol: Protocol, name: Option<String>) -> Self {
        let stage = Stage::Connecting;
        Self { stream, stage, host, protocol, name, rest: Vec::new(), outgoing: Vec::new(), mark: 0 }
    }

    pub(super) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// The system may take more, or has made the connection.
    pub(super) fn writable(&mut self) -> io::Result<()> {
        if self.stage == Stage::Connecting {
            if let Some(error) = self.stream.take_error()? {
                return Err(error);
            }
            if self.stream.peer_addr().is_err() {
                return Ok(());
            }
            self.stream.set_nodelay(true)?;
            self.stage = Stage::Upgrading;
            let path = match self.protocol {
                Protocol::SocketIo { .. } => "/socket.io/?EIO=4&transport=websocket",
                Protocol::Bare => "/",
            };
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                self.host
            );
            self.outgoing.extend_from_slice(request.as_bytes());
        }
        self.flush()
    }

    /// Reads all there is, through `buffer`, and tells each message to `hear`, with the moment at which it was there, as
    /// `clock` has it.
    pub(super) fn readable(
        &mut self,
        buffer: &mut [u8],
        clock: impl Fn() -> u64,
        mut hear: impl FnMut(Stamp, u64),
    ) -> io::Result<()> {
        if self.stage == Stage::Connecting {
            return Ok(());
        }
        loop {
            let kept = self.rest.len();
            buffer[..kept].copy_from_slice(&self.rest);
            let length = match self.stream.read(&mut buffer[kept..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            let end = kept + length;
            let now = clock();
            let used = self.take_in(&buffer[..end], |stamp| hear(stamp, now))?;
            self.rest.clear();
            self.rest.extend_from_slice(&buffer[used..end]);
            // Less than was asked for: there is no more.
            if end < buffer.len() {
                break;
            }
        }
        if self.rest.is_empty() {
            self.rest = Vec::new();
        }
        self.flush()
    }

    /// Reads what is whole, and says how much that was.
    fn take_in(&mut self, bytes: &[u8], mut hear: impl FnMut(Stamp)) -> io::Result<usize> {
        let mut at = 0;
        if self.stage == Stage::Upgrading {
            let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
                return if bytes.len() > LONGEST_HEAD { Err(refused(bytes)) } else { Ok(0) };
            };
            if !bytes.starts_with(b"HTTP/1.1 101 ") {
                return Err(refused(bytes));
            }
            at = end + 4;
            self.stage = match self.protocol {
                Protocol::SocketIo { .. } => Stage::Opening,
                Protocol::Bare => Stage::In,
            };
        }
        while let Some((frame, size)) = frames::first(&bytes[at..]) {
            at += size;
            match frame.opcode {
                TEXT => match self.find(frame.payload) {
                    Some(stamp) => hear(stamp),
                    None => self.heed(frame.payload)?,
                },
                PING => frames::append(&mut self.outgoing, PONG, frame.payload),
                CLOSE => return Err(io::ErrorKind::ConnectionAborted.into()),
                _ => {}
            }
        }
        Ok(at)
    }

    /// The message in a packet. It nearly always begins where the last one did.
    fn find(&mut self, packet: &[u8]) -> Option<Stamp> {
        if packet.len() < LENGTH {
            return None;
        }
        if packet.get(self.mark) != Some(&MARK) {
            self.mark = memchr::memchr(MARK, packet)?;
        }
        Stamp::read(&packet[self.mark..])
    }

    /// Whatever else the server says.
    fn heed(&mut self, packet: &[u8]) -> io::Result<()> {
        if packet == b"2" {
            self.tell(b"3");
            return Ok(());
        }
        let Protocol::SocketIo { auth } = self.protocol else { return Ok(()) };
        match (self.stage, packet) {
            (Stage::Opening, [b'0', ..]) => {
                self.tell(format!("40{auth}").as_bytes());
                self.stage = Stage::Joining;
            }
            (Stage::Joining, [b'4', b'0', ..]) => match self.name.take() {
                Some(name) => {
                    self.tell(format!(r#"42["set_username","{name}"]"#).as_bytes());
                    self.stage = Stage::Naming;
                }
                None => self.stage = Stage::In,
            },
            (Stage::Naming, packet) if memchr::memmem::find(packet, b"is set to").is_some() => {
                self.stage = Stage::In;
            }
            (_, [b'4', b'4' | b'1', ..] | [b'1']) => return Err(refused(packet)),
            _ => {}
        }
        Ok(())
    }

    fn tell(&mut self, packet: &[u8]) {
        frames::append(&mut self.outgoing, TEXT, packet);
    }

    /// Says a message; [`Client::flush`] sends it.
    pub(super) fn say(&mut self, stamp: Stamp) {
        let text = stamp.write();
        match self.protocol {
            Protocol::Bare => self.tell(&text),
            Protocol::SocketIo { .. } => {
                const BEFORE: &[u8] = br#"42["message",""#;
                let mut packet = [0; BEFORE.len() + LENGTH + 2];
                packet[..BEFORE.len()].copy_from_slice(BEFORE);
                packet[BEFORE.len()..BEFORE.len() + LENGTH].copy_from_slice(&text);
                packet[BEFORE.len() + LENGTH..].copy_from_slice(br#""]"#);
                self.tell(&packet);
            }
        }
    }

    /// Gives the system what it takes.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let mut sent = 0;
        while sent < self.outgoing.len() {
            match self.stream.write(&self.outgoing[sent..]) {
                Ok(length) => sent += length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        self.outgoing.drain(..sent);
        Ok(())
    }
}

fn refused(said: &[u8]) -> io::Error {
    let said = String::from_utf8_lossy(&said[..said.len().min(200)]).into_owned();
    io::Error::new(io::ErrorKind::ConnectionRefused, said)
}
