//! How a connection ends: what its client is told, and that it hears it.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;

use super::frame::{self, Opcode, Violation};
use super::reader::{Event, Reader};
use super::scratch;
use super::writer::Writer;
use crate::engine_io::close::CloseReason;
use crate::engine_io::encoded::Encoded;

/// How long a client may take for its part of a close handshake.
const GOODBYE: Duration = Duration::from_secs(1);

/// How a connection ends, as far as its client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The client is gone.
    Lost,
    /// The client said so first.
    Answered(Option<u16>),
    /// We say so.
    Told { code: u16, text: &'static str },
}

/// Why, and how.
pub(super) type Parting = (CloseReason, End);

/// The client is told the reason.
pub(super) fn told(reason: CloseReason) -> Parting {
    (reason, End::Told { code: reason.websocket_code(), text: reason.as_str() })
}

/// The client does not keep to the protocol.
pub(super) fn violated(violation: Violation) -> Parting {
    let (reason, text) = if violation == Violation::TooLarge {
        (CloseReason::TooLarge, CloseReason::TooLarge.as_str())
    } else {
        (CloseReason::TransportError, "not a frame of this protocol")
    };
    (reason, End::Told { code: violation.code(), text })
}

/// The connection broke.
pub(super) fn lost(error: &io::Error) -> Parting {
    // A client that is gone may be noticed by either.
    let is_gone = matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe);
    let reason = if is_gone { CloseReason::TransportClose } else { CloseReason::TransportError };
    (reason, End::Lost)
}

/// Writes what is left and the close frame, and waits a moment for the client's: closing a socket that holds unread
/// bytes would make the system throw away what the client has not read yet.
pub(super) async fn part(stream: &TcpStream, reader: &mut Reader, writer: &mut Writer, end: End) {
    match end {
        End::Lost => return,
        End::Answered(code) => {
            let payload = code.map(u16::to_be_bytes);
            let payload = payload.as_ref().map_or(&[][..], |code| code);
            writer.push(control(frame::control(Opcode::Close, payload)));
        }
        End::Told { code, text } => writer.push(control(frame::close(code, text))),
    }
    let saying = async {
        writer.write(stream)?;
        while !writer.is_empty() {
            stream.writable().await?;
            writer.write(stream)?;
        }
        if matches!(end, End::Told { .. }) {
            hear_out(stream, reader).await?;
        }
        io::Result::Ok(())
    };
    // Whether it was heard or not: the connection is over.
    tokio::time::timeout(GOODBYE, saying).await.ok();
}

fn control(frame: Vec<u8>) -> Encoded {
    Encoded::whole(Bytes::from(frame))
}

/// Reads until the client has closed, or what it sends cannot be read.
async fn hear_out(stream: &TcpStream, reader: &mut Reader) -> io::Result<()> {
    loop {
        stream.readable().await?;
        let heard = scratch::lend(|scratch| {
            let length = stream.try_read(scratch)?;
            let flow = reader.read(&mut scratch[..length], |event| match event {
                Event::Close(_) => ControlFlow::Break(()),
                Event::Text(_) | Event::Binary(_) | Event::Ping(_) | Event::Pong => ControlFlow::Continue(()),
            });
            let is_over = length == 0 || !matches!(flow, Ok(ControlFlow::Continue(())));
            io::Result::Ok(is_over)
        });
        match heard {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
