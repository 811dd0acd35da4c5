//! Who is connected to this node, and the one place where messages are put into their queues.
//!
//! The Socket.IO engine holds a bounded queue for each client and answers `emit` with an error when it is full.
//! A client that lost one message must not go on as if nothing had happened, so its connection is cut; it
//! reconnects like after any network failure. The others are never held up by it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use axum::extract::ConnectInfo;
use socketioxide::extract::SocketRef;
use socketioxide::socket::Sid;
use socketioxide::{SendError, SocketError};

use crate::bus::{Audience, Entry, Outcome, Receipt, Session};
use crate::link::{Link, WeakLink};
use crate::metrics::Metrics;
use crate::wording::Username;

/// The event every text travels under.
const EVENT: &str = "message";

/// The clients of this node.
#[derive(Debug)]
pub struct Room {
    seats: RwLock<HashMap<Sid, Arc<Seat>>>,
    /// TCP connections of sessions that began with polling and were upgraded, by session id.
    upgrades: Mutex<HashMap<String, WeakLink>>,
    metrics: Arc<Metrics>,
}

/// One client.
#[derive(Debug)]
pub struct Seat {
    socket: SocketRef,
    /// By which it would ask for its state again.
    pid: Sid,
    username: Mutex<Option<Username>>,
    /// Cut off or lost; gets nothing any more and waits for its disconnect event.
    lost: AtomicBool,
    /// Already lost when the last sweep came by.
    swept: AtomicBool,
}

impl Seat {
    fn new(socket: SocketRef) -> Self {
        Self {
            socket,
            pid: Sid::new(),
            username: Mutex::default(),
            lost: AtomicBool::new(false),
            swept: AtomicBool::new(false),
        }
    }

    /// The name it gave itself, if any.
    pub fn username(&self) -> Option<Username> {
        lock(&self.username).clone()
    }

    /// What other nodes may know of it.
    pub fn session(&self) -> Session {
        Session { sid: self.socket.id, pid: self.pid, username: self.username() }
    }

    /// Sets or changes the name.
    pub fn name(&self, username: Username) {
        *lock(&self.username) = Some(username);
    }
}

/// What became of one emit.
enum Emitted {
    Queued,
    Closed,
    Full,
}

impl Room {
    /// An empty room.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { seats: RwLock::default(), upgrades: Mutex::default(), metrics }
    }

    /// The seat of a client, made when it is first seen.
    pub fn seat(&self, socket: &SocketRef) -> Arc<Seat> {
        let mut seats = self.seats.write().unwrap_or_else(PoisonError::into_inner);
        let seat = seats.entry(socket.id).or_insert_with(|| Arc::new(Seat::new(socket.clone())));
        seat.clone()
    }

    /// Takes a client out. `None` when it is out already.
    pub fn leave(&self, sid: Sid) -> Option<Arc<Seat>> {
        let seat = self.seats.write().unwrap_or_else(PoisonError::into_inner).remove(&sid);
        lock(&self.upgrades).remove(&sid.to_string());
        seat
    }

    /// How many clients are connected.
    pub fn occupied(&self) -> usize {
        self.seats.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Everybody who is connected, in no particular order.
    pub fn everybody(&self) -> Vec<Sid> {
        self.seats.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// Clients that were lost at this sweep and at the one before, and still had no disconnect event.
    pub fn forgotten(&self) -> Vec<Sid> {
        let seats = self.seats.read().unwrap_or_else(PoisonError::into_inner);
        let lost =
            seats.iter().filter(|(_, seat)| seat.lost.load(Ordering::Relaxed) || !seat.socket.connected());
        lost.filter(|(_, seat)| seat.swept.swap(true, Ordering::Relaxed)).map(|(sid, _)| *sid).collect()
    }

    /// Remembers over which TCP connection a polling session continues as WebSocket.
    pub fn upgraded(&self, sid: &str, link: &Link) {
        let mut upgrades = lock(&self.upgrades);
        // Only ids this server gave out are looked up, but anybody can send one; so the dead are cleared as
        // the map grows beyond the clients there are.
        if upgrades.len() > 64 + 2 * self.occupied() {
            upgrades.retain(|_, link| link.upgrade().is_some());
        }
        upgrades.insert(sid.to_owned(), link.downgrade());
    }

    /// Cuts every connection, for clients that do not let themselves be closed.
    pub fn cut_all(&self) {
        let seats = self.seats.read().unwrap_or_else(PoisonError::into_inner);
        seats.values().for_each(|seat| self.cut(seat));
    }

    /// Whether the text was queued.
    fn emit(&self, seat: &Seat, text: &str) -> bool {
        if seat.lost.load(Ordering::Relaxed) {
            return false;
        }
        match emit(&seat.socket, text) {
            Emitted::Queued => return true,
            // Its disconnect event is under way.
            Emitted::Closed => seat.lost.store(true, Ordering::Relaxed),
            Emitted::Full => {
                if !seat.lost.swap(true, Ordering::Relaxed) {
                    self.metrics.slow_readers.increment();
                    tracing::warn!(sid = %seat.socket.id, "a client does not keep up and is cut off");
                    self.cut(seat);
                }
            }
        }
        false
    }

    /// A polling client has no connection of its own; the engine closes it at the next ping, which finds the queue full.
    fn cut(&self, seat: &Seat) {
        if let Some(link) = self.link(seat) {
            link.cut();
        }
    }

    fn link(&self, seat: &Seat) -> Option<Link> {
        let request = seat.socket.req_parts();
        let opened_as_websocket =
            request.uri.query().is_some_and(|query| query.contains("transport=websocket"));
        if opened_as_websocket {
            let ConnectInfo(link) = request.extensions.get::<ConnectInfo<Link>>()?;
            return Some(link.clone());
        }
        lock(&self.upgrades).get(&seat.socket.id.to_string())?.upgrade()
    }
}

impl Audience for Room {
    /// Puts a text into the queue of every client.
    fn deliver(&self, entry: &Arc<Entry>) {
        let seats = self.seats.read().unwrap_or_else(PoisonError::into_inner);
        let queued = seats.values().filter(|seat| self.emit(seat, &entry.text)).count();
        self.metrics.delivered.add(queued as u64);
    }

    /// Puts a text into the queue of one client, if it is still there.
    fn tell(&self, sid: Sid, text: &str) {
        let seat = self.seats.read().unwrap_or_else(PoisonError::into_inner).get(&sid).cloned();
        if let Some(seat) = seat {
            self.emit(&seat, text);
        }
    }

    /// Nobody here asks for one yet.
    fn acknowledge(&self, receipt: Receipt, outcome: Outcome) {
        if let Some(sentence) = outcome.sentence() {
            self.tell(receipt.session, sentence);
        }
    }

    /// Nobody comes back yet.
    fn moved(&self, _: Sid) {}

    /// The named clients, in no particular order.
    fn sessions(&self) -> Vec<Session> {
        let seats = self.seats.read().unwrap_or_else(PoisonError::into_inner);
        seats.values().map(|seat| seat.session()).filter(|session| session.username.is_some()).collect()
    }
}

fn emit(socket: &SocketRef, text: &str) -> Emitted {
    match socket.emit(EVENT, text) {
        Ok(()) => Emitted::Queued,
        Err(SendError::Socket(SocketError::InternalChannelFull)) => Emitted::Full,
        Err(SendError::Socket(SocketError::Closed)) => Emitted::Closed,
        Err(SendError::Serialize(error)) => {
            // A string always serialises; were it not so, the client would have a gap.
            tracing::error!(%error, "a text could not be encoded");
            Emitted::Full
        }
    }
}

/// Nothing here panics while it holds a lock, so what a poisoned one guards is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
