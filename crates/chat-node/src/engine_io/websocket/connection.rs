//! The task of one WebSocket: reads, writes, heartbeats and the close handshake of a session, or the probe of one
//! that polls and wants to move here.
//!
//! While nothing happens it owns no buffer: bytes are read into memory the thread's tasks share, and frames wait in the
//! session's queue. A client that does not read makes its own queue full, and nobody else wait.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::frame::{self, Opcode, Violation};
use super::reader::{Event, Reader};
use super::writer::Writer;
use crate::engine_io::close::CloseReason;
use crate::engine_io::counts::Counts;
use crate::engine_io::encoded::Encoded;
use crate::engine_io::packet::{Message, Packet};
use crate::engine_io::registry::{Registry, Tenure};
use crate::engine_io::session::{Attempt, Phase, Session, Transport};

/// How long a client may take for its part of a close handshake.
const GOODBYE: Duration = Duration::from_secs(1);
/// Bytes read at once.
const CHUNK: usize = 64 * 1024;
/// Reads of one client before others have their turn.
const READS: usize = 4;
/// What a client sends to try a WebSocket.
const PROBE: &str = "probe";

thread_local! {
    /// What is read stays here only until the same call has looked at it.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; CHUNK]);
}

/// How a connection ends, as far as its client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client is gone.
    Lost,
    /// The client said so first.
    Answered(Option<u16>),
    /// We say so.
    Told { code: u16, text: &'static str },
}

/// What a task waits for.
enum Turn {
    Readable,
    Writable,
    /// The session's queue or phase has changed.
    News,
    Deadline,
}

/// How far a connection is.
enum Stage {
    /// It is tried while the session polls.
    Probing { upgrade_by: Instant },
    /// It carries the session.
    Carrying(Carrying),
}

/// The clocks of a session that is carried.
struct Carrying {
    tenure: Tenure,
    next_ping: Instant,
    pong_by: Option<Instant>,
    join_by: Instant,
}

/// One connection and what it is for.
struct Connection {
    stream: TcpStream,
    session: Arc<Session>,
    registry: Arc<Registry>,
    stage: Stage,
    writer: Writer,
    /// The answer to the latest ping of the WebSocket itself.
    pong: Option<Bytes>,
    /// By when some byte must have been written.
    stalled_at: Option<Instant>,
}

/// Carries a session from its beginning.
pub(in crate::engine_io) async fn carry(stream: TcpStream, first: Bytes, tenure: Tenure) {
    let session = tenure.session().clone();
    let registry = tenure.registry().clone();
    let stage = Stage::Carrying(Carrying::new(tenure));
    let mut connection = Connection::new(stream, session, registry, stage);
    connection.run(first).await;
}

/// Tries a connection for a session that polls, and carries the session once the client says so.
pub(in crate::engine_io) async fn probe(
    stream: TcpStream,
    first: Bytes,
    session: Arc<Session>,
    registry: Arc<Registry>,
) {
    if !session.begin_upgrade() {
        // The session is on its way already: this connection is none of its own.
        let end = End::Told { code: 1008, text: "the session has another connection" };
        let mut reader = Reader::new(session.settings.max_payload);
        return part(&stream, &mut reader, &mut Writer::default(), end).await;
    }
    let upgrade_by = Instant::now() + session.settings.upgrade_timeout;
    let mut connection = Connection::new(stream, session, registry, Stage::Probing { upgrade_by });
    connection.run(first).await;
}

impl Carrying {
    fn new(tenure: Tenure) -> Self {
        let (settings, now) = (&tenure.session().settings, Instant::now());
        let (next_ping, join_by) = (now + settings.ping_interval, now + settings.join_timeout);
        Self { next_ping, pong_by: None, join_by, tenure }
    }
}

impl Connection {
    fn new(stream: TcpStream, session: Arc<Session>, registry: Arc<Registry>, stage: Stage) -> Self {
        Self { stream, session, registry, stage, writer: Writer::default(), pong: None, stalled_at: None }
    }

    /// `first` arrived together with the request.
    async fn run(&mut self, first: Bytes) {
        let mut reader = Reader::new(self.session.settings.max_payload);
        let (reason, end) = self.exchange(&mut reader, first).await;
        let in_trouble =
            matches!(reason, CloseReason::SlowReader | CloseReason::WriteStall | CloseReason::TransportError);
        match &mut self.stage {
            Stage::Carrying(carrying) => {
                carrying.tenure.announce(reason);
                let queue = self.session.lock().take_queue();
                self.writer.extend(queue);
            }
            Stage::Probing { .. } => self.session.stop_upgrading(),
        }
        if in_trouble {
            self.writer.discard();
        }
        part(&self.stream, &mut reader, &mut self.writer, end).await;
    }

    /// Reads and writes until there is a reason to end.
    async fn exchange(&mut self, reader: &mut Reader, first: Bytes) -> (CloseReason, End) {
        let mut sleep = std::pin::pin!(sleep_until(self.deadline()));
        if !first.is_empty()
            && let Err(end) = self.take_in(reader, &mut Vec::from(first))
        {
            return end;
        }
        loop {
            if let Err(end) = self.refill().and_then(|()| self.write()) {
                return end;
            }
            let deadline = self.deadline();
            if sleep.deadline() != deadline {
                sleep.as_mut().reset(deadline);
            }
            let turn = poll_fn(|context| self.poll_turn(context, sleep.as_mut())).await;
            let outcome = match turn {
                Turn::Readable => self.read(reader),
                Turn::Deadline => self.look_at_clocks(),
                Turn::Writable | Turn::News => Ok(()),
            };
            if let Err(end) = outcome {
                return end;
            }
        }
    }

    fn poll_turn(&self, context: &mut Context<'_>, sleep: Pin<&mut Sleep>) -> Poll<Turn> {
        // Time first: neither a client that never stops nor a broadcast that never ends keeps a clock from being seen.
        if sleep.poll(context).is_ready() {
            return Poll::Ready(Turn::Deadline);
        }
        if self.stream.poll_read_ready(context).is_ready() {
            return Poll::Ready(Turn::Readable);
        }
        if self.poll_news(context) {
            return Poll::Ready(Turn::News);
        }
        if !self.writer.is_empty() && self.stream.poll_write_ready(context).is_ready() {
            return Poll::Ready(Turn::Writable);
        }
        Poll::Pending
    }

    /// Whether the session has something for this connection. A probing one minds the deadline and its client only:
    /// the session's own driver is awake.
    fn poll_news(&self, context: &Context<'_>) -> bool {
        if matches!(self.stage, Stage::Probing { .. }) {
            return false;
        }
        self.session.driver.register(context.waker());
        let state = self.session.lock();
        state.phase != Phase::Open || (self.writer.is_empty() && !state.queue.is_empty())
    }

    /// Takes over what waits in the session's queue.
    fn refill(&mut self) -> Result<(), (CloseReason, End)> {
        if let Some(pong) = self.pong.take() {
            self.writer.push(pong);
        }
        if matches!(self.stage, Stage::Probing { .. }) {
            return Ok(());
        }
        let queue = {
            let mut state = self.session.lock();
            match state.phase {
                Phase::Open if !self.writer.is_empty() || state.queue.is_empty() => return Ok(()),
                Phase::Open => std::mem::take(&mut state.queue),
                Phase::Closing(reason) => return Err(told(reason)),
                Phase::Closed(reason) => return Err((reason, End::Lost)),
            }
        };
        self.writer.extend(queue);
        Ok(())
    }

    fn write(&mut self) -> Result<(), (CloseReason, End)> {
        if self.writer.is_empty() {
            self.stalled_at = None;
            return Ok(());
        }
        let written = self.writer.write(&self.stream).map_err(|error| lost(&error))?;
        if matches!(self.stage, Stage::Carrying(_)) {
            let mut state = self.session.lock();
            state.count_out(written.frames, written.bytes);
            if self.writer.is_empty() && state.queue.is_empty() {
                state.count_all_out();
            }
        }
        self.counts().packets_out.add(written.frames as u64);
        self.counts().bytes_out.add(written.bytes as u64);
        if self.writer.is_empty() {
            self.stalled_at = None;
        } else if written.bytes > 0 || self.stalled_at.is_none() {
            self.stalled_at = Some(Instant::now() + self.session.settings.write_stall);
        }
        Ok(())
    }

    fn read(&mut self, reader: &mut Reader) -> Result<(), (CloseReason, End)> {
        SCRATCH.with_borrow_mut(|scratch| {
            for _ in 0..READS {
                match self.stream.try_read(scratch) {
                    Ok(0) => return Err((CloseReason::TransportClose, End::Lost)),
                    Ok(length) => {
                        self.take_in(reader, &mut scratch[..length])?;
                        if length < scratch.len() {
                            break;
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(lost(&error)),
                }
            }
            Ok(())
        })
    }

    fn take_in(&mut self, reader: &mut Reader, chunk: &mut [u8]) -> Result<(), (CloseReason, End)> {
        match reader.read(chunk, |event| self.handle(event)) {
            Ok(ControlFlow::Continue(())) => Ok(()),
            Ok(ControlFlow::Break(end)) => Err(end),
            Err(violation) => Err(violated(violation)),
        }
    }

    fn handle(&mut self, event: Event<'_>) -> ControlFlow<(CloseReason, End)> {
        let packet = match event {
            Event::Ping(payload) => {
                // One answer is enough for several, as the protocol says.
                self.pong = Some(Bytes::from(frame::control(Opcode::Pong, payload)));
                return ControlFlow::Continue(());
            }
            Event::Pong => return ControlFlow::Continue(()),
            Event::Close(code) => {
                return ControlFlow::Break((CloseReason::TransportClose, End::Answered(code)));
            }
            Event::Text(text) => Packet::from_text(text),
            Event::Binary(bytes) => Ok(Packet::from_bytes(bytes)),
        };
        self.counts().packets_in.increment();
        let Ok(packet) = packet else {
            return ControlFlow::Break(told(CloseReason::ParseError));
        };
        match self.stage {
            Stage::Probing { .. } => self.probed(packet),
            Stage::Carrying(_) => self.carried(packet),
        }
    }

    /// A packet while the session polls: the probe, or the word to move.
    fn probed(&mut self, packet: Packet<'_>) -> ControlFlow<(CloseReason, End)> {
        match packet {
            Packet::Ping(PROBE) => {
                self.writer.push(Encoded::probed().into_frame());
                self.session.answer_polls();
                ControlFlow::Continue(())
            }
            Packet::Upgrade if self.session.upgrade() => {
                self.counts().upgraded.increment();
                self.stage = Stage::Carrying(Carrying::new(self.registry.succeed(&self.session)));
                ControlFlow::Continue(())
            }
            Packet::Open(_)
            | Packet::Close
            | Packet::Ping(_)
            | Packet::Pong(_)
            | Packet::Message(_)
            | Packet::Upgrade
            | Packet::Noop => ControlFlow::Break(told(CloseReason::ParseError)),
        }
    }

    fn carried(&mut self, packet: Packet<'_>) -> ControlFlow<(CloseReason, End)> {
        match packet {
            Packet::Message(message) => return self.receive(message),
            Packet::Pong(_) => {
                if let Stage::Carrying(carrying) = &mut self.stage {
                    carrying.pong_by = None;
                    carrying.next_ping = Instant::now() + self.session.settings.ping_interval;
                }
            }
            Packet::Close => return ControlFlow::Break(told(CloseReason::TransportClose)),
            // Only the server asks.
            Packet::Ping(_) => return ControlFlow::Break(told(CloseReason::TransportError)),
            Packet::Open(_) | Packet::Upgrade | Packet::Noop => {}
        }
        ControlFlow::Continue(())
    }

    fn receive(&self, message: Message<'_>) -> ControlFlow<(CloseReason, End)> {
        self.session.receive(message);
        // The layer above may have had enough; what follows is not for it any more.
        match self.session.lock().phase {
            Phase::Open => ControlFlow::Continue(()),
            Phase::Closing(reason) => ControlFlow::Break(told(reason)),
            Phase::Closed(reason) => ControlFlow::Break((reason, End::Lost)),
        }
    }

    fn deadline(&self) -> Instant {
        let own = match &self.stage {
            Stage::Probing { upgrade_by } => *upgrade_by,
            Stage::Carrying(carrying) => {
                let heartbeat = carrying.pong_by.unwrap_or(carrying.next_ping);
                if self.session.lock().joined { heartbeat } else { heartbeat.min(carrying.join_by) }
            }
        };
        self.stalled_at.map_or(own, |stalled_at| stalled_at.min(own))
    }

    fn look_at_clocks(&mut self) -> Result<(), (CloseReason, End)> {
        let now = Instant::now();
        if self.stalled_at.is_some_and(|stalled_at| stalled_at <= now) {
            return Err(told(CloseReason::WriteStall));
        }
        let settings = &self.session.settings;
        match &mut self.stage {
            Stage::Probing { upgrade_by } if *upgrade_by <= now => Err(told(CloseReason::TransportError)),
            Stage::Probing { .. } => Ok(()),
            Stage::Carrying(carrying) => {
                if carrying.join_by <= now && !self.session.lock().joined {
                    return Err(told(CloseReason::NotJoined));
                }
                match carrying.pong_by {
                    Some(pong_by) if pong_by <= now => return Err(told(CloseReason::PingTimeout)),
                    None if carrying.next_ping <= now => {
                        carrying.pong_by = Some(settings.pong_by(carrying.next_ping, now));
                        self.session.send_always(Encoded::ping());
                    }
                    _ => {}
                }
                Ok(())
            }
        }
    }

    fn counts(&self) -> &Counts {
        &self.registry.counts
    }
}

impl Session {
    /// Begins to try a WebSocket, unless another is tried or used.
    fn begin_upgrade(&self) -> bool {
        match &mut self.lock().transport {
            Transport::Polling { attempt: attempt @ Attempt::None, .. } => {
                *attempt = Attempt::Connected;
                true
            }
            Transport::Polling { .. } | Transport::WebSocket => false,
        }
    }

    /// The client stops polling before it moves, and a poll that waits would hold it up.
    fn answer_polls(&self) {
        if let Transport::Polling { attempt, .. } = &mut self.lock().transport {
            *attempt = Attempt::Probed;
        }
        self.poller.wake();
    }

    /// From here on the WebSocket carries the session. Not when it is over, or the WebSocket was not tried before.
    fn upgrade(&self) -> bool {
        let mut state = self.lock();
        let probed = matches!(state.transport, Transport::Polling { attempt: Attempt::Probed, .. });
        if state.phase != Phase::Open || !probed {
            return false;
        }
        state.transport = Transport::WebSocket;
        drop(state);
        self.driver.wake();
        self.poller.wake();
        true
    }

    /// The WebSocket came to nothing; polling goes on.
    fn stop_upgrading(&self) {
        if let Transport::Polling { attempt, .. } = &mut self.lock().transport {
            *attempt = Attempt::None;
        }
    }
}

fn told(reason: CloseReason) -> (CloseReason, End) {
    (reason, End::Told { code: reason.websocket_code(), text: reason.as_str() })
}

fn violated(violation: Violation) -> (CloseReason, End) {
    let (reason, text) = if violation == Violation::TooLarge {
        (CloseReason::TooLarge, CloseReason::TooLarge.as_str())
    } else {
        (CloseReason::TransportError, "not a frame of this protocol")
    };
    (reason, End::Told { code: violation.code(), text })
}

fn lost(error: &io::Error) -> (CloseReason, End) {
    // A client that is gone may be noticed by either.
    let is_gone = matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe);
    let reason = if is_gone { CloseReason::TransportClose } else { CloseReason::TransportError };
    (reason, End::Lost)
}

/// Writes what is left and the close frame, and waits a moment for the client's: closing a socket that holds unread
/// bytes would make the system throw away what the client has not read yet.
async fn part(stream: &TcpStream, reader: &mut Reader, writer: &mut Writer, end: End) {
    match end {
        End::Lost => return,
        End::Answered(code) => {
            let payload = code.map(u16::to_be_bytes);
            let payload = payload.as_ref().map_or(&[][..], |code| code);
            writer.push(Bytes::from(frame::control(Opcode::Close, payload)));
        }
        End::Told { code, text } => writer.push(Bytes::from(frame::close(code, text))),
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

/// Reads until the client has closed, or what it sends cannot be read.
async fn hear_out(stream: &TcpStream, reader: &mut Reader) -> io::Result<()> {
    loop {
        stream.readable().await?;
        let heard = SCRATCH.with_borrow_mut(|scratch| {
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
