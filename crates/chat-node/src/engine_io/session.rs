//! One session: the queue of what waits for the client, its transport, and its end.
//!
//! Anybody may put a packet into the queue or close the session, and never waits for the client by it. One task at a
//! time, the driver, looks after heartbeats and deadlines and tells the layer above of the end, once: [`super::polling`]
//! while the client polls, [`super::websocket::connection`] from the upgrade on or from the beginning.

use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;

use super::close::CloseReason;
use super::encoded::Encoded;
use super::packet::Message;
use crate::session_id::SessionId;

/// What holds for every session of a server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How often a client is pinged.
    pub ping_interval: Duration,
    /// How long it may take to answer.
    pub ping_timeout: Duration,
    /// How long it may stay without having joined anything.
    pub join_timeout: Duration,
    /// How long an upgrade may take, and how long the body of a request.
    pub upgrade_timeout: Duration,
    /// How long a connection may accept no byte while something waits.
    pub write_stall: Duration,
    /// Most bytes of a packet or body of a client.
    pub max_payload: usize,
    /// Most packets that may wait for a client.
    pub queue_packets: usize,
    /// Most bytes that may wait for a client.
    pub queue_bytes: usize,
}

/// What counts a session in, and counts it out when it is dropped.
pub type Permit = Option<Box<dyn Place>>;

/// A place among the sessions there may be; given back when it is dropped.
pub trait Place: fmt::Debug + Send + Sync {}

/// Who opened a session.
#[derive(Debug)]
pub struct Visitor {
    /// The address of the client itself, past proxies.
    pub address: IpAddr,
    /// What the client calls its program, cut to a bearable length.
    pub user_agent: Option<Box<str>>,
}

/// The layer above, for one session.
pub trait Receiver: fmt::Debug + Send + Sync {
    /// Takes a message. Called for one at a time, in the order they were sent.
    fn receive(&self, session: &Arc<Session>, message: Message<'_>);
    /// Takes notice of the end. Called once; nothing is received afterwards.
    fn closed(&self, reason: CloseReason);
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It waits for the client.
    Queued,
    /// The session is over or about to be.
    Closed,
    /// The queue was full, and so the session is about to be over.
    Overflow,
}

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Packets are taken.
    Open,
    /// The client is still to be told.
    Closing(CloseReason),
    /// Nothing is left to do but to tell the layer above, if that is not done yet.
    Closed(CloseReason),
}

/// Over what the client is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Polling {
        /// A GET waits for packets.
        polled: bool,
        /// The body of a POST is being read.
        posting: bool,
        /// How far a WebSocket is that the client tries meanwhile.
        attempt: Attempt,
    },
    WebSocket,
}

/// An upgrade that is being tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// None is.
    None,
    /// A WebSocket is there.
    Connected,
    /// It works, and the client is about to move: polls are answered at once, so that none holds it up.
    Probed,
}

/// Some packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) packets: usize,
    pub(super) bytes: usize,
}

impl Load {
    fn of(packets: &[Encoded]) -> Self {
        Self {
            packets: packets.iter().map(Encoded::count).sum(),
            bytes: packets.iter().map(Encoded::size).sum(),
        }
    }
}

/// What changes.
#[derive(Debug)]
pub(super) struct State {
    pub(super) queue: VecDeque<Encoded>,
    /// Packets that are queued or being written, but for those below.
    pub(super) packets: usize,
    /// Their bytes.
    pub(super) bytes: usize,
    /// Packets of a backlog that are queued or being written, and their bytes.
    pub(super) backlog: Load,
    pub(super) phase: Phase,
    pub(super) transport: Transport,
    pub(super) joined: bool,
    /// A polling client has answered the last ping.
    pub(super) ponged: bool,
}

/// A session, shared by all who send to its client.
pub struct Session {
    id: SessionId,
    visitor: Visitor,
    pub(super) settings: Arc<Settings>,
    state: Mutex<State>,
    /// Wakes the driver.
    pub(super) driver: AtomicWaker,
    /// Wakes the GET that waits.
    pub(super) poller: AtomicWaker,
    receiver: OnceLock<Arc<dyn Receiver>>,
}

impl Session {
    pub(super) fn new(settings: Arc<Settings>, visitor: Visitor, transport: Transport) -> Self {
        let state = State {
            queue: VecDeque::new(),
            packets: 0,
            bytes: 0,
            backlog: Load::default(),
            phase: Phase::Open,
            transport,
            joined: false,
            ponged: false,
        };
        Self {
            id: SessionId::random(),
            visitor,
            settings,
            state: Mutex::new(state),
            driver: AtomicWaker::new(),
            poller: AtomicWaker::new(),
            receiver: OnceLock::new(),
        }
    }

    /// The id by which the client's requests name it. Not for anybody else's eyes.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Who opened it.
    pub fn visitor(&self) -> &Visitor {
        &self.visitor
    }

    /// Puts a packet into the queue. A full queue ends the session: a client that has lost one packet must not go on
    /// as if nothing had happened.
    pub fn send(&self, packet: &Encoded) -> Sent {
        self.send_all(std::slice::from_ref(packet))
    }

    /// The same for packets between which no other may come.
    pub fn send_all(&self, packets: &[Encoded]) -> Sent {
        let state = self.lock();
        if state.phase != Phase::Open {
            return Sent::Closed;
        }
        let load = Load::of(packets);
        if !state.has_room(&self.settings, load) {
            self.begin_close(state, CloseReason::SlowReader);
            return Sent::Overflow;
        }
        self.enqueue(state, packets, load);
        Sent::Queued
    }

    /// Puts what a client has missed into the queue, whatever its bounds: others share the packets, and what may have
    /// been missed is bounded elsewhere. What comes afterwards has as much room as if none of it were there.
    pub fn send_backlog(&self, packets: &[Encoded]) -> Sent {
        let mut state = self.lock();
        if state.phase != Phase::Open {
            return Sent::Closed;
        }
        let load = Load::of(packets);
        state.backlog.packets += load.packets;
        state.backlog.bytes += load.bytes;
        self.put(state, packets);
        Sent::Queued
    }

    /// How full the queue is, in thousandths.
    pub fn fullness(&self) -> usize {
        let state = self.lock();
        let of = |part: usize, whole: usize| part.saturating_mul(1000) / whole.max(1);
        of(state.packets, self.settings.queue_packets).max(of(state.bytes, self.settings.queue_bytes))
    }

    /// Queues what the transport itself has to say, however full the queue is.
    pub(super) fn send_always(&self, packet: Encoded) {
        let state = self.lock();
        if state.phase == Phase::Open {
            let packets = [packet];
            self.enqueue(state, &packets, Load::of(&packets));
        }
    }

    fn enqueue(&self, mut state: MutexGuard<'_, State>, packets: &[Encoded], load: Load) {
        state.count_in(load.packets, load.bytes);
        self.put(state, packets);
    }

    fn put(&self, mut state: MutexGuard<'_, State>, packets: &[Encoded]) {
        // Whoever was woken for earlier packets takes these along.
        let was_empty = state.queue.is_empty();
        let transport = state.transport;
        match transport {
            Transport::WebSocket => state.queue.extend(packets.iter().cloned()),
            // It takes so many packets at once.
            Transport::Polling { .. } => state.queue.extend(packets.iter().flat_map(Encoded::split)),
        }
        drop(state);
        if was_empty {
            match transport {
                Transport::WebSocket => self.driver.wake(),
                Transport::Polling { .. } => self.poller.wake(),
            }
        }
    }

    /// Ends the session; the first reason counts. What was queued before is still written, unless that is the trouble.
    pub fn close(&self, reason: CloseReason) {
        let state = self.lock();
        if state.phase == Phase::Open {
            self.begin_close(state, reason);
        }
    }

    fn begin_close(&self, mut state: MutexGuard<'_, State>, reason: CloseReason) {
        state.phase = Phase::Closing(reason);
        if matches!(reason, CloseReason::SlowReader | CloseReason::WriteStall | CloseReason::TransportError) {
            state.queue = VecDeque::new();
        }
        drop(state);
        self.driver.wake();
        self.poller.wake();
    }

    /// Whether packets are still taken.
    pub fn is_open(&self) -> bool {
        self.lock().phase == Phase::Open
    }

    /// The client has joined something, so that it is not closed for idling.
    pub fn joined(&self) {
        self.lock().joined = true;
    }

    pub(super) fn has_joined(&self) -> bool {
        self.lock().joined
    }

    pub(super) fn attach(&self, receiver: Arc<dyn Receiver>) {
        let attached = self.receiver.set(receiver);
        debug_assert!(attached.is_ok(), "a session has one receiver");
    }

    /// Hands a message to the layer above.
    pub(super) fn receive(self: &Arc<Self>, message: Message<'_>) {
        if let Some(receiver) = self.receiver.get() {
            receiver.receive(self, message);
        }
    }

    /// Nothing here panics while it holds the lock, so what a poisoned one guards is whole.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Completes when the driver of a polling session has something to look at.
    pub(super) fn poll_change(&self, context: &Context<'_>) -> Poll<Change> {
        let mut state = self.lock();
        // The upgrade first: from then on, the end is for the other driver to tell.
        if state.transport == Transport::WebSocket {
            return Poll::Ready(Change::Upgraded);
        }
        // Under the lock, so that it cannot take the place of the other driver, which begins with an upgrade.
        self.driver.register(context.waker());
        let phase = state.phase;
        match phase {
            Phase::Closing(reason) => Poll::Ready(Change::Closing(reason)),
            Phase::Closed(reason) => Poll::Ready(Change::Closed(reason)),
            Phase::Open if std::mem::take(&mut state.ponged) => Poll::Ready(Change::Ponged),
            Phase::Open => Poll::Pending,
        }
    }
}

impl State {
    /// The first that wait for a client that polls, taken out as written.
    pub(super) fn take(&mut self, count: usize) -> VecDeque<Encoded> {
        let rest = self.queue.split_off(count.min(self.queue.len()));
        let taken = std::mem::replace(&mut self.queue, rest);
        self.count_out(taken.len(), taken.iter().map(Encoded::size).sum());
        taken
    }

    /// Everything that waits, taken out as written.
    pub(super) fn take_queue(&mut self) -> VecDeque<Encoded> {
        self.count_all_out();
        std::mem::take(&mut self.queue)
    }

    /// Whether so much more fits into the queue.
    fn has_room(&self, settings: &Settings, load: Load) -> bool {
        self.packets + load.packets <= settings.queue_packets
            && self.bytes + load.bytes <= settings.queue_bytes
    }

    /// What waits in all.
    pub(super) fn waiting(&self) -> Load {
        Load { packets: self.packets + self.backlog.packets, bytes: self.bytes + self.backlog.bytes }
    }

    /// Counts what is to be written.
    pub(super) fn count_in(&mut self, packets: usize, bytes: usize) {
        self.packets += packets;
        self.bytes += bytes;
    }

    /// Counts what is written: a backlog first, since that came before nearly everything else.
    pub(super) fn count_out(&mut self, packets: usize, bytes: usize) {
        let missed =
            Load { packets: packets.min(self.backlog.packets), bytes: bytes.min(self.backlog.bytes) };
        self.backlog.packets -= missed.packets;
        self.backlog.bytes -= missed.bytes;
        // What was written while a WebSocket was tried was never counted in.
        self.packets = self.packets.saturating_sub(packets - missed.packets);
        self.bytes = self.bytes.saturating_sub(bytes - missed.bytes);
    }

    /// Everything is written.
    pub(super) fn count_all_out(&mut self) {
        (self.packets, self.bytes, self.backlog) = (0, 0, Load::default());
    }
}

/// What a driver learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Ponged,
    Upgraded,
    Closing(CloseReason),
    Closed(CloseReason),
}

impl fmt::Debug for Session {
    /// Without the id, which lets whoever knows it speak for the client.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Session").field("visitor", &self.visitor).finish_non_exhaustive()
    }
}

impl Session {
    /// Tells the layer above of the end.
    pub(super) fn announce_end(&self, reason: CloseReason) {
        if let Some(receiver) = self.receiver.get() {
            receiver.closed(reason);
        }
    }
}

#[cfg(test)]
impl Session {
    /// One that nobody drives, for tests of the layers above.
    pub(crate) fn idle() -> Arc<Self> {
        let settings = Settings {
            ping_interval: Duration::from_secs(10),
            ping_timeout: Duration::from_secs(10),
            join_timeout: Duration::from_secs(10),
            upgrade_timeout: Duration::from_secs(10),
            write_stall: Duration::from_secs(10),
            max_payload: 1000,
            queue_packets: 100,
            queue_bytes: 10_000,
        };
        let visitor = Visitor { address: IpAddr::from([127, 0, 0, 1]), user_agent: None };
        Arc::new(Self::new(Arc::new(settings), visitor, Transport::WebSocket))
    }

    /// The packets that wait, as text.
    pub(crate) fn waiting(&self) -> Vec<String> {
        let state = self.lock();
        let packets = state.queue.iter().flat_map(Encoded::split);
        packets.map(|packet| String::from_utf8_lossy(packet.packet()).into_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(count: usize) -> Vec<Encoded> {
        vec![Encoded::text("missed"); count]
    }

    #[test]
    fn a_backlog_takes_no_room_from_what_comes_later() {
        let session = Session::idle();
        session.send(&Encoded::text("first"));
        assert_eq!(session.send_backlog(&packets(5000)), Sent::Queued);
        for _ in 1..100 {
            assert_eq!(session.send(&Encoded::text("later")), Sent::Queued);
        }
        assert_eq!(session.lock().waiting().packets, 5100);
        // One more does not fit, before the backlog is written and while it is.
        assert!(!session.lock().has_room(&session.settings, Load { packets: 1, bytes: 1 }));
        session.lock().take(5000);
        assert_eq!(session.lock().waiting().packets, 100);
        assert_eq!(session.fullness(), 1000);
        session.lock().take(10);
        assert!(session.lock().has_room(&session.settings, Load { packets: 10, bytes: 10 }));
        assert!(!session.lock().has_room(&session.settings, Load { packets: 11, bytes: 11 }));
        assert_eq!(session.send_all(&packets(11)), Sent::Overflow);
        assert_eq!(session.send_backlog(&packets(1)), Sent::Closed);
    }

    #[test]
    fn what_is_written_is_counted_out_byte_by_byte() {
        let session = Session::idle();
        session.send_backlog(&packets(2));
        let size = Encoded::text("missed").size();
        session.send_all(&packets(1));
        let mut state = session.lock();
        state.count_out(1, size + 3);
        assert_eq!(state.waiting(), Load { packets: 2, bytes: 2 * size - 3 });
        assert_eq!((state.packets, state.bytes), (1, size));
        state.count_out(2, 2 * size - 3);
        assert_eq!(state.waiting(), Load::default());
        // Something that was not counted in.
        state.count_out(1, 2);
        assert_eq!(state.waiting(), Load::default());
    }
}
