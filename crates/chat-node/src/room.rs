//! Who is connected to this node, and the one place where messages are put into their queues.
//!
//! An entry of the stream is encoded once, at most twice: clients that can have their state recovered read behind each
//! text how far they are. What is said to one of them alone carries the offset of the entry it heard last, because its
//! library takes the last text of every event for one.
//!
//! A client whose queue is full is closed by its session; the others are never held up by it.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde_json::{Value, json};

use crate::bus::{Audience, Entry, Outcome, Position, Receipt, Session};
use crate::engine_io::{CloseReason, Encoded, Sent};
use crate::history::{History, Missed};
use crate::metrics::Metrics;
use crate::session_id::SessionId;
use crate::socket_io::{Acknowledgement, Socket, packet};
use crate::wording::{self, Username};

/// The event every text travels under.
const EVENT: &str = "message";
/// Most acknowledgements one client may wait for; what is beyond gets its sentence as if it had asked for none.
const MOST_RECEIPTS: usize = 256;

/// The clients of this node.
#[derive(Debug)]
pub struct Room {
    seats: RwLock<Seats>,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Seats {
    by_sid: HashMap<SessionId, Arc<Seat>>,
    /// The last entry that was given to everybody. It changes together with their queues: who comes in meanwhile is
    /// either behind the entry or before it.
    delivered: Mutex<Option<Position>>,
}

/// One client.
#[derive(Debug)]
pub struct Seat {
    socket: Socket,
    pid: SessionId,
    /// Whether it reads how far it is.
    reads_offsets: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    username: Option<Username>,
    /// The entry it heard last, or where it came in.
    offset: Position,
    /// Entries of smaller numbers it has already.
    from: u64,
    /// Answers it waits for, made when the first is.
    receipts: Option<Box<Receipts>>,
}

#[derive(Debug, Default)]
struct Receipts {
    next: u64,
    waiting: HashMap<u64, Acknowledgement>,
}

/// A client that comes in.
#[derive(Debug)]
pub struct Arrival {
    /// What is sent to.
    pub socket: Socket,
    /// The id by which it asks for its state.
    pub pid: SessionId,
    /// Whether it reads how far it is.
    pub reads_offsets: bool,
    /// The name it has already.
    pub username: Option<Username>,
}

impl Seat {
    /// The name it gave itself, if any.
    pub fn username(&self) -> Option<Username> {
        self.lock().username.clone()
    }

    /// Sets or changes the name.
    pub fn name(&self, username: Username) {
        self.lock().username = Some(username);
    }

    /// Whether it can come back to what it missed.
    pub fn reads_offsets(&self) -> bool {
        self.reads_offsets
    }

    /// What other nodes may know of it.
    pub fn session(&self) -> Session {
        Session { sid: self.socket.id(), pid: self.pid, username: self.username() }
    }

    /// Says something to this client only.
    pub fn tell(&self, text: &str) -> Sent {
        let state = self.lock();
        if self.reads_offsets {
            self.socket.send(&packet::texts(EVENT, &[text, &state.offset.to_string()]))
        } else {
            self.socket.send(&packet::texts(EVENT, &[text]))
        }
    }

    /// Keeps an acknowledgement until it can be given. Gives it back when there are too many.
    pub fn await_receipt(&self, acknowledgement: Acknowledgement) -> Result<u64, Acknowledgement> {
        let mut state = self.lock();
        let receipts = state.receipts.get_or_insert_default();
        if receipts.waiting.len() >= MOST_RECEIPTS {
            return Err(acknowledgement);
        }
        receipts.next += 1;
        receipts.waiting.insert(receipts.next, acknowledgement);
        Ok(receipts.next)
    }

    /// Gives an acknowledgement that was kept.
    pub fn acknowledge(&self, receipt: u64, outcome: Outcome) {
        let acknowledgement =
            self.lock().receipts.as_mut().and_then(|receipts| receipts.waiting.remove(&receipt));
        if let Some(acknowledgement) = acknowledgement {
            acknowledgement.send(&vec![answer(outcome)].into());
        }
    }

    /// Puts an entry into the queue, unless it is there already.
    fn deliver(&self, entry: &Entry, frames: &Frames<'_>) -> Sent {
        let mut state = self.lock();
        if entry.number < state.from {
            return Sent::Closed;
        }
        state.offset = entry.position;
        self.socket.send(if self.reads_offsets { frames.with_offset() } else { frames.plain() })
    }

    /// Nothing here panics while it holds the lock, so what a poisoned one guards is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the sender of a message reads in the acknowledgement.
fn answer(outcome: Outcome) -> Value {
    match outcome {
        Outcome::Said(position) => json!({ "offset": position.to_string() }),
        Outcome::Refused(_) => refusal(wording::NOT_SENT),
        Outcome::Unknown => refusal(wording::MAYBE_NOT_SENT),
    }
}

/// The acknowledgement of a message that was not sent.
pub fn refusal(sentence: &str) -> Value {
    json!({ "error": sentence })
}

/// The encodings of one entry, made when they are first needed.
struct Frames<'a> {
    entry: &'a Entry,
    plain: OnceCell<Encoded>,
    with_offset: OnceCell<Encoded>,
}

impl<'a> Frames<'a> {
    fn new(entry: &'a Entry) -> Self {
        Self { entry, plain: OnceCell::new(), with_offset: OnceCell::new() }
    }

    fn plain(&self) -> &Encoded {
        self.plain.get_or_init(|| packet::texts(EVENT, &[&self.entry.text]))
    }

    fn with_offset(&self) -> &Encoded {
        self.with_offset
            .get_or_init(|| packet::texts(EVENT, &[&self.entry.text, &self.entry.position.to_string()]))
    }
}

impl Room {
    /// An empty room.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { seats: RwLock::default(), metrics }
    }

    /// Seats a new client. It hears everything from here on.
    pub fn join(&self, arrival: Arrival, history: &History) -> Arc<Seat> {
        let mut seats = self.write();
        let delivered = *seats.delivered.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = delivered.unwrap_or_else(|| history.newest());
        seats.place(arrival, offset, 0)
    }

    /// Seats a client that comes back, behind what it has missed since `offset`. `None` when that is not known any
    /// more.
    pub fn rejoin(&self, arrival: Arrival, offset: Position, history: &History) -> Option<Arc<Seat>> {
        // Under the lock: what is delivered meanwhile comes either here or afterwards, and not twice.
        let mut seats = self.write();
        let Missed::Entries { entries, read } = history.after(offset) else {
            return None;
        };
        let seat = seats.place(arrival, offset, 0);
        for entry in &entries {
            seat.deliver(entry, &Frames::new(entry));
        }
        seat.lock().from = read;
        self.metrics.delivered.add(entries.len() as u64);
        Some(seat)
    }

    /// Takes a client out. False when another has its place already, because it came back.
    pub fn leave(&self, seat: &Arc<Seat>) -> bool {
        seat.lock().receipts = None;
        let mut seats = self.write();
        let sid = seat.socket.id();
        let is_here = seats.by_sid.get(&sid).is_some_and(|seated| Arc::ptr_eq(seated, seat));
        if is_here {
            seats.by_sid.remove(&sid);
        }
        is_here
    }

    /// How many clients are connected.
    pub fn occupied(&self) -> usize {
        self.read().by_sid.len()
    }

    fn get(&self, sid: SessionId) -> Option<Arc<Seat>> {
        self.read().by_sid.get(&sid).cloned()
    }

    fn read(&self) -> RwLockReadGuard<'_, Seats> {
        self.seats.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Seats> {
        self.seats.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seats {
    fn place(&mut self, arrival: Arrival, offset: Position, from: u64) -> Arc<Seat> {
        let Arrival { socket, pid, reads_offsets, username } = arrival;
        let state = Mutex::new(State { username, offset, from, receipts: None });
        let seat = Arc::new(Seat { socket, pid, reads_offsets, state });
        // The connection it had before is dead, only nobody has noticed yet.
        if let Some(ghost) = self.by_sid.insert(seat.socket.id(), seat.clone()) {
            ghost.socket.close(CloseReason::TransportClose);
        }
        seat
    }
}

impl Audience for Room {
    fn deliver(&self, entry: &Arc<Entry>) {
        let frames = Frames::new(entry);
        let mut queued = 0;
        {
            let seats = self.read();
            *seats.delivered.lock().unwrap_or_else(PoisonError::into_inner) = Some(entry.position);
            for seat in seats.by_sid.values() {
                match seat.deliver(entry, &frames) {
                    Sent::Queued => queued += 1,
                    Sent::Overflow => self.metrics.slow_readers.increment(),
                    Sent::Closed => {}
                }
            }
        }
        self.metrics.delivered.add(queued);
    }

    fn tell(&self, sid: SessionId, sentence: &str) {
        if let Some(seat) = self.get(sid) {
            seat.tell(sentence);
        }
    }

    fn acknowledge(&self, receipt: Receipt, outcome: Outcome) {
        if let Some(seat) = self.get(receipt.session) {
            seat.acknowledge(receipt.number, outcome);
        }
    }

    /// Whoever can come back, and whoever has a name that a farewell is due to.
    fn sessions(&self) -> Vec<Session> {
        let seats = self.read();
        let kept = seats.by_sid.values().filter(|seat| seat.reads_offsets || seat.username().is_some());
        kept.map(|seat| seat.session()).collect()
    }

    fn moved(&self, sid: SessionId) {
        if let Some(seat) = self.get(sid) {
            seat.socket.close(CloseReason::TransportClose);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::entry::Record;
    use crate::history::Bounds;
    use std::time::Duration;
    use tokio::time::Instant;

    fn at(milliseconds: u64) -> Position {
        Position { milliseconds, sequence: 0 }
    }

    /// A history with entries at these positions.
    fn history(positions: std::ops::Range<u64>) -> History {
        let history = History::new(Bounds { age: Duration::from_mins(1), entries: 100, bytes: 100_000 });
        history.begin(at(0));
        for position in positions {
            take(&history, position);
        }
        history
    }

    fn take(history: &History, position: u64) -> Arc<Entry> {
        let text = Some(format!("text {position}"));
        let record = Record { position: at(position), text, origin: None, once: None };
        history.take(record, Instant::now());
        let Missed::Entries { mut entries, .. } = history.after(at(position - 1)) else { panic!("not kept") };
        entries.remove(0)
    }

    fn arrival(sid: SessionId, reads_offsets: bool) -> Arrival {
        Arrival { socket: Socket::idle(sid), pid: SessionId::random(), reads_offsets, username: None }
    }

    fn room() -> Room {
        Room::new(Arc::new(Metrics::default()))
    }

    #[tokio::test]
    async fn what_was_read_but_not_delivered_yet_comes_once_to_who_comes_back() {
        let (room, history) = (room(), history(1..2));
        let late: Vec<Arc<Entry>> = (2..5).map(|position| take(&history, position)).collect();
        let seat = room.rejoin(arrival(SessionId::random(), true), at(2), &history).unwrap();
        for entry in &late {
            room.deliver(entry);
        }
        room.deliver(&take(&history, 5));
        let expected = [3, 4, 5].map(|number| format!(r#"42["message","text {number}","{number}-0"]"#));
        assert_eq!(seat.socket.session().waiting(), expected);
    }

    #[tokio::test]
    async fn what_is_said_to_one_carries_what_it_heard_last() {
        let (room, history) = (room(), history(1..3));
        let seat = room.join(arrival(SessionId::random(), true), &history);
        seat.tell("welcome");
        room.deliver(&take(&history, 3));
        seat.tell("one");
        let expected = [
            r#"42["message","welcome","2-0"]"#,
            r#"42["message","text 3","3-0"]"#,
            r#"42["message","one","3-0"]"#,
        ];
        assert_eq!(seat.socket.session().waiting(), expected);
        // Whoever comes in now has not heard it, but would hear all that follows.
        let other = room.join(arrival(SessionId::random(), true), &history);
        other.tell("welcome");
        assert_eq!(other.socket.session().waiting(), [r#"42["message","welcome","3-0"]"#]);
    }

    #[tokio::test]
    async fn plain_clients_read_texts_only_and_share_the_bytes() {
        let (room, history) = (room(), history(1..2));
        let [one, two] = [(); 2].map(|()| room.join(arrival(SessionId::random(), false), &history));
        room.deliver(&take(&history, 2));
        for seat in [&one, &two] {
            assert_eq!(seat.socket.session().waiting(), [r#"42["message","text 2"]"#]);
        }
    }

    #[tokio::test]
    async fn a_ghost_is_closed_and_does_not_take_the_place_along() {
        let (room, history) = (room(), history(1..2));
        let sid = SessionId::random();
        let ghost = room.join(arrival(sid, true), &history);
        let seat = room.rejoin(arrival(sid, true), at(1), &history).unwrap();
        assert!(!ghost.socket.session().is_open());
        assert!(!room.leave(&ghost));
        assert_eq!(room.occupied(), 1);
        assert!(room.leave(&seat));
        assert!(room.rejoin(arrival(sid, true), at(99), &history).is_none());
    }
}
