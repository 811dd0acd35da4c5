//! Who is connected to this node, and the one place where messages are put into their queues.
//!
//! An entry of the stream is encoded once, at most twice: clients that can have their state recovered read behind each
//! text how far they are. What is said to one of them alone carries the offset of the entry it heard last, because its
//! library takes the last text of every event for one. Entries that were read at once are joined once, and each client is
//! given the same bytes.
//!
//! A client whose queue is full is closed by its session; the others are never held up by it.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde_json::{Value, json};

use crate::bus::{Audience, Entry, Outcome, Position, Presence, Receipt, Session, Stay};
use crate::engine_io::{CloseReason, Encoded, Sent};
use crate::history::{History, Missed};
use crate::metrics::Metrics;
use crate::session_id::SessionId;
use crate::socket_io::{Acknowledgement, Socket, packet};
use crate::wording::{self, Username};

/// The event every text travels under.
const EVENT: &str = "message";
/// Most acknowledgements one client may wait for; a message beyond is refused.
const MOST_RECEIPTS: usize = 256;
/// How full a queue is, in thousandths, from which on its client is waited for where that is possible.
const PRESSED: usize = 500;

/// The number of the next receipt. A client that comes back has the public id it had before: were the numbers of two of
/// its seats alike, what the first one waits for would be told to the second.
static NEXT_RECEIPT: AtomicU64 = AtomicU64::new(0);

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
    stay: Arc<Stay>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    username: Option<Username>,
    /// The entry it heard last, or where it came in.
    offset: Position,
    /// Entries of smaller numbers it has already.
    from: u64,
    /// Answers it waits for, made when the first is: most clients wait for none.
    receipts: Option<Box<Receipts>>,
}

/// Answers a client waits for, by the numbers of their receipts.
#[derive(Debug, Default)]
struct Receipts(HashMap<u64, Acknowledgement>);

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
    pub fn presence(&self) -> Presence {
        let session = Session { sid: self.socket.id(), pid: self.pid, username: self.username() };
        Presence { session, stay: self.stay.clone() }
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
        if receipts.0.len() >= MOST_RECEIPTS {
            return Err(acknowledgement);
        }
        let number = NEXT_RECEIPT.fetch_add(1, Ordering::Relaxed);
        receipts.0.insert(number, acknowledgement);
        Ok(number)
    }

    /// Gives an acknowledgement that was kept.
    pub fn acknowledge(&self, receipt: u64, outcome: Outcome) {
        let acknowledgement = self.lock().receipts.as_mut().and_then(|receipts| receipts.0.remove(&receipt));
        if let Some(acknowledgement) = acknowledgement {
            acknowledgement.send(&vec![answer(outcome)].into());
        }
    }

    /// Puts entries into the queue but for those that are there already, and says how many that were.
    fn deliver(&self, entries: &[Arc<Entry>], joined: &Joined<'_>) -> (Sent, usize) {
        let mut state = self.lock();
        let behind = match entries.first() {
            Some(first) if first.number >= state.from => entries,
            // It has come back while they were read.
            _ => &entries[entries.partition_point(|entry| entry.number < state.from)..],
        };
        let Some(last) = behind.last() else {
            return (Sent::Queued, 0);
        };
        state.offset = last.position;
        let sent = if behind.len() == entries.len() {
            self.socket.send(joined.packets(self.reads_offsets))
        } else {
            self.socket.send(&join(behind, self.reads_offsets))
        };
        (sent, behind.len())
    }

    /// Puts all that was missed into the queue.
    fn catch_up(&self, missed: &[Arc<Entry>]) -> Sent {
        let packets: Vec<Encoded> = missed.iter().map(|entry| with_offset(entry).clone()).collect();
        let mut state = self.lock();
        if let Some(last) = missed.last() {
            state.offset = last.position;
        }
        self.socket.session().send_backlog(&packets)
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

/// Entries for everybody who has none of them, made when the first one of each kind gets them.
struct Joined<'a> {
    entries: &'a [Arc<Entry>],
    plain: OnceCell<Encoded>,
    with_offsets: OnceCell<Encoded>,
}

impl<'a> Joined<'a> {
    fn new(entries: &'a [Arc<Entry>]) -> Self {
        Self { entries, plain: OnceCell::new(), with_offsets: OnceCell::new() }
    }

    fn packets(&self, reads_offsets: bool) -> &Encoded {
        let made = if reads_offsets { &self.with_offsets } else { &self.plain };
        made.get_or_init(|| join(self.entries, reads_offsets))
    }
}

fn join(entries: &[Arc<Entry>], reads_offsets: bool) -> Encoded {
    let packet = |entry: &Arc<Entry>| if reads_offsets { with_offset(entry).clone() } else { plain(entry) };
    Encoded::joined(&entries.iter().map(packet).collect::<Vec<_>>())
}

/// An entry for those who read its text only.
fn plain(entry: &Entry) -> Encoded {
    packet::texts(EVENT, &[&entry.text])
}

/// An entry for those who read how far they are.
fn with_offset(entry: &Entry) -> &Encoded {
    entry.packet.get_or_init(|| packet::texts(EVENT, &[&entry.text, &entry.position.to_string()]))
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
        let seat = seats.place(arrival, offset, read);
        if seat.catch_up(&entries) == Sent::Queued {
            self.metrics.delivered.add(entries.len() as u64);
        }
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
        let seat = Arc::new(Seat { socket, pid, reads_offsets, stay: Stay::begin(), state });
        // The connection it had before is dead, only nobody has noticed yet.
        if let Some(ghost) = self.by_sid.insert(seat.socket.id(), seat.clone()) {
            ghost.socket.close(CloseReason::TransportClose);
        }
        seat
    }
}

impl Audience for Room {
    fn deliver(&self, entries: &[Arc<Entry>]) {
        let Some(last) = entries.last() else { return };
        let joined = Joined::new(entries);
        let mut queued = 0;
        {
            let seats = self.read();
            *seats.delivered.lock().unwrap_or_else(PoisonError::into_inner) = Some(last.position);
            for seat in seats.by_sid.values() {
                match seat.deliver(entries, &joined) {
                    (Sent::Queued, count) => queued += count as u64,
                    (Sent::Overflow, _) => self.metrics.slow_readers.increment(),
                    (Sent::Closed, _) => {}
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
    fn presences(&self) -> Vec<Presence> {
        let seats = self.read();
        let kept = seats.by_sid.values().filter(|seat| seat.reads_offsets || seat.username().is_some());
        kept.map(|seat| seat.presence()).collect()
    }

    fn moved(&self, presence: &Presence) {
        let seat = self.get(presence.session.sid);
        // It may be back here as well, on a connection that lives.
        if let Some(seat) = seat.filter(|seat| Arc::ptr_eq(&seat.stay, &presence.stay)) {
            seat.socket.close(CloseReason::TransportClose);
        }
    }

    fn pressure(&self) -> usize {
        let seats = self.read();
        let beyond = |seat: &Arc<Seat>| seat.socket.session().fullness().saturating_sub(PRESSED);
        seats.by_sid.values().map(beyond).sum()
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
        room.deliver(&late);
        room.deliver(&[take(&history, 5), take(&history, 6)]);
        let expected = [3, 4, 5, 6].map(|number| format!(r#"42["message","text {number}","{number}-0"]"#));
        assert_eq!(seat.socket.session().waiting(), expected);
    }

    #[tokio::test]
    async fn what_is_said_to_one_carries_what_it_heard_last() {
        let (room, history) = (room(), history(1..3));
        let seat = room.join(arrival(SessionId::random(), true), &history);
        seat.tell("welcome");
        room.deliver(&[take(&history, 3)]);
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
        room.deliver(&[take(&history, 2)]);
        for seat in [&one, &two] {
            assert_eq!(seat.socket.session().waiting(), [r#"42["message","text 2"]"#]);
        }
    }

    #[tokio::test]
    async fn what_was_read_at_once_comes_to_each_as_he_reads_it() {
        let (room, history) = (room(), history(1..2));
        let [plain, other] =
            [false, true].map(|offsets| room.join(arrival(SessionId::random(), offsets), &history));
        let entries: Vec<Arc<Entry>> = (2..200).map(|position| take(&history, position)).collect();
        room.deliver(&entries);
        let texts = |after: fn(u64) -> String| -> Vec<String> {
            (2..200).map(|number| format!(r#"42["message","text {number}"{}]"#, after(number))).collect()
        };
        // It is more than a queue takes here, and nothing of it is kept for who is cut.
        assert_eq!((plain.socket.session().is_open(), room.metrics.slow_readers.get()), (false, 2));
        let [plain, late] =
            [false, true].map(|offsets| room.join(arrival(SessionId::random(), offsets), &history));
        drop(other);
        room.deliver(&entries[..90]);
        assert_eq!(plain.socket.session().waiting(), texts(|_| String::new())[..90]);
        assert_eq!(late.socket.session().waiting(), texts(|number| format!(r#","{number}-0""#))[..90]);
        assert_eq!((late.lock().offset, room.metrics.delivered.get()), (at(91), 180));
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

    #[tokio::test]
    async fn what_was_missed_is_given_back_whatever_the_queue_holds_and_shared() {
        let (room, history) = (room(), history(1..5));
        // A hundred packets fill a queue here.
        let large = History::new(Bounds { age: Duration::from_mins(1), entries: 1000, bytes: 1_000_000 });
        large.begin(at(0));
        for position in 1..=500 {
            take(&large, position);
        }
        let [one, two] =
            [(); 2].map(|()| room.rejoin(arrival(SessionId::random(), true), at(0), &large).unwrap());
        for seat in [&one, &two] {
            assert!(seat.socket.session().is_open());
            assert_eq!(seat.socket.session().waiting().len(), 500);
            assert_eq!(seat.lock().offset, at(500));
        }
        assert_eq!(room.metrics.delivered.get(), 1000);
        assert_eq!(room.pressure(), 0);
        let missed = |offset| {
            let Missed::Entries { entries, .. } = large.after(at(offset)) else { panic!("not kept") };
            entries
        };
        let pointers = [0, 499].map(|offset| with_offset(missed(offset).last().unwrap()).packet().as_ptr());
        assert_eq!(pointers[0], pointers[1]);
        // A connection that is gone already gets nothing, and is not counted.
        let gone = arrival(SessionId::random(), true);
        gone.socket.close(CloseReason::TransportClose);
        room.rejoin(gone, at(1), &history).unwrap();
        assert_eq!(room.metrics.delivered.get(), 1000);
    }

    #[tokio::test]
    async fn what_the_connection_before_waits_for_is_not_told_to_the_next_one() {
        let (room, history) = (room(), history(1..2));
        let sid = SessionId::random();
        let ghost = room.join(arrival(sid, true), &history);
        let old = ghost.await_receipt(Acknowledgement::of(&ghost.socket, 7)).unwrap();
        let seat = room.rejoin(arrival(sid, true), at(1), &history).unwrap();
        let new = seat.await_receipt(Acknowledgement::of(&seat.socket, 9)).unwrap();
        room.acknowledge(Receipt { session: sid, number: old }, Outcome::Unknown);
        assert_eq!(seat.socket.session().waiting(), [""; 0]);
        room.acknowledge(Receipt { session: sid, number: new }, Outcome::Said(at(3)));
        assert_eq!(seat.socket.session().waiting(), [r#"439[{"offset":"3-0"}]"#]);
    }

    #[tokio::test]
    async fn who_has_moved_away_and_is_back_stays() {
        let (room, history) = (room(), history(1..2));
        let sid = SessionId::random();
        let ghost = room.join(arrival(sid, true), &history).presence();
        let seat = room.rejoin(arrival(sid, true), at(1), &history).unwrap();
        room.moved(&ghost);
        assert!(seat.socket.session().is_open());
        room.moved(&seat.presence());
        assert!(!seat.socket.session().is_open());
    }

    #[tokio::test]
    async fn pressure_is_what_lies_above_half_of_the_queues() {
        let (room, history) = (room(), history(1..2));
        let seat = room.join(arrival(SessionId::random(), false), &history);
        for position in 2..=51 {
            room.deliver(&[take(&history, position)]);
        }
        assert_eq!(room.pressure(), 0);
        for position in 52..=81 {
            room.deliver(&[take(&history, position)]);
        }
        assert_eq!((room.pressure(), seat.socket.session().fullness()), (300, 800));
    }
}
