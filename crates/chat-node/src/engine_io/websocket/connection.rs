//! The task of one WebSocket: reads, writes, heartbeats and the close handshake of a session, or the probe of one
//! that polls and wants to move here.
//!
//! While nothing happens it owns no buffer: bytes are read into memory the thread's tasks share, and frames wait in the
//! session's queue. A client that does not read makes its own queue full, and nobody else wait.

use std::future::poll_fn;
use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::frame::{self, Opcode};
use super::parting::{End, Parting, lost, part, told, violated};
use super::reader::{Event, Reader};
use super::scratch;
use super::writer::Writer;
use crate::engine_io::close::CloseReason;
use crate::engine_io::counts::Counts;
use crate::engine_io::encoded::Encoded;
use crate::engine_io::heartbeat::{Due, Heartbeat};
use crate::engine_io::packet::{Message, Packet};
use crate::engine_io::registry::{Registry, Tenure};
use crate::engine_io::session::{Phase, Session};
use crate::engine_io::upgrade::Upgrading;

/// Reads of one client before others have their turn.
const READS: usize = 4;
/// What a client sends to try a WebSocket.
const PROBE: &str = "probe";

/// What a task waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    Probing { upgrading: Upgrading, upgrade_by: Instant },
    /// It carries the session.
    Carrying(Carrying),
}

/// A session that is carried.
struct Carrying {
    tenure: Tenure,
    heartbeat: Heartbeat,
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
    /// The last thing done was to look after what the session had.
    has_minded_news: bool,
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
    upgrading: Upgrading,
    registry: Arc<Registry>,
) {
    let session = upgrading.session().clone();
    let upgrade_by = Instant::now() + session.settings.upgrade_timeout;
    let stage = Stage::Probing { upgrading, upgrade_by };
    let mut connection = Connection::new(stream, session, registry, stage);
    connection.run(first).await;
}

impl Carrying {
    fn new(tenure: Tenure) -> Self {
        let heartbeat = Heartbeat::begin(tenure.session().settings.clone());
        Self { tenure, heartbeat }
    }
}

impl Connection {
    fn new(stream: TcpStream, session: Arc<Session>, registry: Arc<Registry>, stage: Stage) -> Self {
        let writer = Writer::default();
        Self {
            stream,
            session,
            registry,
            stage,
            writer,
            pong: None,
            stalled_at: None,
            has_minded_news: false,
        }
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
            Stage::Probing { upgrading, .. } => upgrading.give_up(),
        }
        if in_trouble {
            self.writer.discard();
        }
        part(&self.stream, &mut reader, &mut self.writer, end).await;
    }

    /// Reads and writes until there is a reason to end.
    async fn exchange(&mut self, reader: &mut Reader, first: Bytes) -> Parting {
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
            self.has_minded_news = turn == Turn::News;
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

    fn poll_turn(&mut self, context: &mut Context<'_>, sleep: Pin<&mut Sleep>) -> Poll<Turn> {
        // It is nearly always this that a task is woken for; but not twice in a row before all else.
        if !self.has_minded_news && self.has_news() {
            return Poll::Ready(Turn::News);
        }
        // Time first: neither a client that never stops nor a broadcast that never ends keeps a clock from being seen.
        if sleep.poll(context).is_ready() {
            return Poll::Ready(Turn::Deadline);
        }
        if self.stream.poll_read_ready(context).is_ready() {
            return Poll::Ready(Turn::Readable);
        }
        if self.poll_news(context) || (self.writer.is_empty() && self.pong.is_some()) {
            return Poll::Ready(Turn::News);
        }
        if !self.writer.is_empty() && self.stream.poll_write_ready(context).is_ready() {
            return Poll::Ready(Turn::Writable);
        }
        self.has_minded_news = false;
        Poll::Pending
    }

    /// Whether the session has something for this connection. A probing one minds the deadline and its client only:
    /// the session's own driver is awake.
    fn poll_news(&self, context: &Context<'_>) -> bool {
        if matches!(self.stage, Stage::Probing { .. }) {
            return false;
        }
        self.session.driver.register(context.waker());
        self.has_news()
    }

    fn has_news(&self) -> bool {
        if matches!(self.stage, Stage::Probing { .. }) {
            return false;
        }
        let state = self.session.lock();
        state.phase != Phase::Open || (self.writer.is_empty() && !state.queue.is_empty())
    }

    /// Takes over what waits in the session's queue.
    fn refill(&mut self) -> Result<(), Parting> {
        // Not before the one ahead of it is written: a client that pings and does not read gets no memory by it.
        if self.writer.is_empty()
            && let Some(pong) = self.pong.take()
        {
            self.count_in(&pong);
            self.writer.push(Encoded::whole(pong));
        }
        if matches!(self.stage, Stage::Probing { .. }) {
            return Ok(());
        }
        let mut state = self.session.lock();
        match state.phase {
            Phase::Open if !self.writer.is_empty() || state.queue.is_empty() => {}
            Phase::Open => self.writer.exchange(&mut state.queue),
            Phase::Closing(reason) => return Err(told(reason)),
            Phase::Closed(reason) => return Err((reason, End::Lost)),
        }
        Ok(())
    }

    /// Frames of the WebSocket itself count as what the session has queued, since they are counted out with it.
    fn count_in(&self, frame: &Bytes) {
        if matches!(self.stage, Stage::Carrying(_)) {
            self.session.lock().count_in(1, frame.len());
        }
    }

    fn write(&mut self) -> Result<(), Parting> {
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

    fn read(&mut self, reader: &mut Reader) -> Result<(), Parting> {
        scratch::lend(|scratch| {
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

    fn take_in(&mut self, reader: &mut Reader, chunk: &mut [u8]) -> Result<(), Parting> {
        match reader.read(chunk, |event| self.handle(event)) {
            Ok(ControlFlow::Continue(())) => Ok(()),
            Ok(ControlFlow::Break(end)) => Err(end),
            Err(violation) => Err(violated(violation)),
        }
    }

    fn handle(&mut self, event: Event<'_>) -> ControlFlow<Parting> {
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
        match &self.stage {
            Stage::Probing { upgrading, .. } => match packet {
                Packet::Ping(PROBE) if upgrading.probed() => self.answer_probe(),
                Packet::Upgrade if upgrading.complete() => self.take_over(),
                // Said in another order, or twice, or what is not said here.
                Packet::Open(_)
                | Packet::Close
                | Packet::Ping(_)
                | Packet::Pong(_)
                | Packet::Message(_)
                | Packet::Upgrade
                | Packet::Noop => return ControlFlow::Break(told(CloseReason::ParseError)),
            },
            Stage::Carrying(_) => return self.carried(packet),
        }
        ControlFlow::Continue(())
    }

    fn answer_probe(&mut self) {
        self.writer.push(Encoded::probed());
    }

    /// The client has moved.
    fn take_over(&mut self) {
        self.counts().upgraded.increment();
        self.stage = Stage::Carrying(Carrying::new(self.registry.succeed(&self.session)));
    }

    fn carried(&mut self, packet: Packet<'_>) -> ControlFlow<Parting> {
        match packet {
            Packet::Message(message) => return self.receive(message),
            Packet::Pong(_) => {
                if let Stage::Carrying(carrying) = &mut self.stage {
                    carrying.heartbeat.ponged();
                }
            }
            Packet::Close => return ControlFlow::Break(told(CloseReason::TransportClose)),
            // Only the server asks.
            Packet::Ping(_) => return ControlFlow::Break(told(CloseReason::TransportError)),
            Packet::Open(_) | Packet::Upgrade | Packet::Noop => {}
        }
        ControlFlow::Continue(())
    }

    fn receive(&self, message: Message<'_>) -> ControlFlow<Parting> {
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
            Stage::Probing { upgrade_by, .. } => *upgrade_by,
            Stage::Carrying(carrying) => carrying.heartbeat.deadline(self.session.has_joined()),
        };
        self.stalled_at.map_or(own, |stalled_at| stalled_at.min(own))
    }

    fn look_at_clocks(&mut self) -> Result<(), Parting> {
        let now = Instant::now();
        if self.stalled_at.is_some_and(|stalled_at| stalled_at <= now) {
            return Err(told(CloseReason::WriteStall));
        }
        match &mut self.stage {
            Stage::Probing { upgrade_by, .. } if *upgrade_by <= now => Err(told(CloseReason::TransportError)),
            Stage::Probing { .. } => Ok(()),
            Stage::Carrying(carrying) => match carrying.heartbeat.look(self.session.has_joined()) {
                Due::Nothing => Ok(()),
                Due::Ping => {
                    self.session.send_always(Encoded::ping());
                    Ok(())
                }
                Due::End(reason) => Err(told(reason)),
            },
        }
    }

    fn counts(&self) -> &Counts {
        &self.registry.counts
    }
}
