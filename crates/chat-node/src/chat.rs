//! The rules of the chatroom, as an application of [`crate::socket_io`]: the tutorial's events `connect`,
//! `set_username`, `message` and `disconnect`, and `node` for our own page.
//!
//! Everything here happens in the order in which a client sent it, and nothing waits: what must wait is queued in
//! [`Bus`]. Only a client that comes back waits, before it is let in, until Redis has said who it is.
//!
//! A `message` may carry behind its text an id that its client gave it, and ask for an acknowledgement. Then the client
//! knows what became of it, and may say it again after it lost its node: the same id is said once only.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::bus::{Accepted as Queued, Bus, Outcome, Position, Say, Session};
use crate::config::{ChatLimits, NodeId, Recovery};
use crate::engine_io::{CloseReason, Visitor};
use crate::history::Missed;
use crate::metrics::{Metrics, Unrecovered};
use crate::rate::{Bucket, Rate, Taken};
use crate::room::{Arrival, Room, Seat, refusal};
use crate::session_id::SessionId;
use crate::socket_io::{
    Accepted, Acknowledgement, Admission, Event, JoinRequest, LeaveReason, Namespace, Participant, Socket,
};
use crate::wording::{self, Username};

/// How long Redis may take to say who somebody is. A Redis that is started again is back by then, and clients wait for
/// a little longer to be let in.
const RECALLING: Duration = Duration::from_secs(7);
/// How long this node may take to read what another has read already.
const REACHING: Duration = Duration::from_secs(2);
/// Longest id of a message, in bytes.
const LONGEST_ID: usize = 64;

/// The chatroom of one node.
#[derive(Debug)]
pub struct Chat {
    /// Who is here.
    pub room: Arc<Room>,
    /// The way to everybody.
    pub bus: Bus,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Told to whoever asks with a `node` event.
    pub node_id: NodeId,
    /// What one client may do.
    pub limits: ChatLimits,
    /// Who gets offsets.
    pub recovery: Recovery,
}

/// The namespace `/`.
#[derive(Debug)]
pub struct Lobby(pub Arc<Chat>);

impl Namespace for Lobby {
    fn connect(&self, visitor: &Visitor, request: JoinRequest) -> Admission {
        let JoinRequest { auth, is_repeated } = request;
        let chat = self.0.clone();
        let reads_offsets = chat.recovery.applies(visitor.user_agent.as_deref(), auth.as_ref());
        let claim = auth.filter(|_| reads_offsets).and_then(|auth| Claim::of(&auth));
        let rate = chat.rate(is_repeated);
        match claim {
            None => Admission::Accepted(Guest::new(chat, reads_offsets, rate).admitted()),
            Some(claim) => Admission::Later(Box::pin(async move { Ok(chat.readmit(claim, rate).await) })),
        }
    }
}

/// What a client says it was before its connection was lost.
#[derive(Debug, Clone, Copy)]
struct Claim {
    pid: SessionId,
    offset: Position,
}

impl Claim {
    fn of(auth: &Map<String, Value>) -> Option<Self> {
        let text = |name| auth.get(name).and_then(Value::as_str);
        Some(Self { pid: text("pid")?.parse().ok()?, offset: text("offset")?.parse().ok()? })
    }
}

impl Chat {
    /// Lets a client in as who it was, or as somebody new when that is not known any more.
    async fn readmit(self: Arc<Self>, claim: Claim, rate: Rate) -> Accepted {
        let recovered = match self.recognise(claim).await {
            Ok(session) => {
                self.metrics.recovered.increment();
                Some((session, claim.offset))
            }
            Err(reason) => {
                self.metrics.unrecovered[reason as usize].increment();
                None
            }
        };
        Guest { recovered, ..Guest::new(self, true, rate) }.admitted()
    }

    /// Who a client was, if all it has missed since is known as well.
    async fn recognise(&self, claim: Claim) -> Result<Session, Unrecovered> {
        let recalled = self.bus.recall(claim.pid, RECALLING).await.map_err(|_| Unrecovered::Redis)?;
        let session = recalled.ok_or(Unrecovered::UnknownSession)?;
        // It may have heard more elsewhere than this node has read so far.
        let history = self.bus.history();
        if !history.reach(claim.offset, REACHING).await {
            return Err(Unrecovered::Ahead);
        }
        match history.after(claim.offset) {
            Missed::Entries { .. } => Ok(session),
            Missed::NotYet | Missed::Unknown => Err(Unrecovered::TooLate),
        }
    }

    /// How often a client may speak that has joined just now.
    fn rate(&self, is_repeated: bool) -> Rate {
        let bucket = Bucket { a_second: self.limits.rate, burst: self.limits.burst };
        if is_repeated { Rate::begun_anew(bucket) } else { Rate::new(bucket) }
    }

    fn leave(&self, seat: &Arc<Seat>, reason: LeaveReason) {
        if !self.room.leave(seat) {
            return;
        }
        let presence = seat.presence();
        // Of the others nothing is kept anywhere.
        if presence.session.username.is_none() && !seat.reads_offsets() {
            return;
        }
        // Who has no id to come back by leaves for good.
        if reason == LeaveReason::Transport(CloseReason::ShuttingDown) && seat.reads_offsets() {
            self.bus.hand_over(presence);
        } else {
            self.bus.leave(presence);
        }
    }
}

/// One client.
#[derive(Debug)]
struct Guest {
    chat: Arc<Chat>,
    pid: SessionId,
    reads_offsets: bool,
    /// Who it was, and what it heard last then.
    recovered: Option<(Session, Position)>,
    seat: Option<Arc<Seat>>,
    rate: Rate,
}

impl Guest {
    fn new(chat: Arc<Chat>, reads_offsets: bool, rate: Rate) -> Self {
        Self { chat, pid: SessionId::random(), reads_offsets, recovered: None, seat: None, rate }
    }

    fn admitted(mut self) -> Accepted {
        let (sid, pid) = match &self.recovered {
            Some((session, _)) => (session.sid, session.pid),
            None => (SessionId::random(), self.pid),
        };
        self.pid = pid;
        // Whoever has the id, but reads no offsets, would take its texts for some.
        let pid = self.reads_offsets.then_some(pid);
        Accepted { sid, pid, participant: Box::new(self) }
    }

    fn come_back(&mut self, socket: &Socket, session: Session, offset: Position) {
        let arrival = Arrival {
            socket: socket.clone(),
            pid: self.pid,
            reads_offsets: true,
            username: session.username,
        };
        match self.chat.room.rejoin(arrival, offset, self.chat.bus.history()) {
            Some(seat) => {
                self.chat.bus.remember(seat.presence());
                self.seat = Some(seat);
            }
            // It was told that it misses nothing. Let it ask again.
            None => socket.close(CloseReason::ForcedClose),
        }
    }

    fn come_in(&mut self, socket: &Socket) {
        let arrival = Arrival {
            socket: socket.clone(),
            pid: self.pid,
            reads_offsets: self.reads_offsets,
            username: None,
        };
        let seat = self.chat.room.join(arrival, self.chat.bus.history());
        seat.tell(wording::WELCOME);
        if self.reads_offsets {
            self.chat.bus.remember(seat.presence());
        }
        self.seat = Some(seat);
    }

    fn set_username(&self, seat: &Seat, arguments: &[Value]) {
        let limit = self.chat.limits.name_characters;
        let name = arguments.first().and_then(Value::as_str).map(|name| Username::parse_within(name, limit));
        let Some(Ok(username)) = name else {
            self.chat.metrics.refused_names.increment();
            seat.tell(&wording::bad_username(limit));
            return;
        };
        seat.name(username.clone());
        seat.tell(&wording::username_set(&username));
        self.chat.bus.remember(seat.presence());
    }

    fn say(
        &self,
        socket: &Socket,
        seat: &Seat,
        arguments: &[Value],
        acknowledgement: Option<Acknowledgement>,
    ) {
        self.chat.metrics.received.increment();
        let (text, id) = match self.sayable(seat, arguments) {
            Ok(sayable) => sayable,
            Err(sentence) => {
                self.chat.metrics.refused.increment();
                return refuse(seat, acknowledgement, &sentence);
            }
        };
        let once = id.map(|id| (self.pid, id.to_owned()));
        let receipt = match acknowledgement.map(|acknowledgement| seat.await_receipt(acknowledgement)) {
            None => None,
            Some(Ok(receipt)) => Some(receipt),
            Some(Err(acknowledgement)) => {
                self.chat.metrics.refused.increment();
                return refuse(seat, Some(acknowledgement), wording::TOO_FAST);
            }
        };
        let outcome = match self.chat.bus.say(Say { session: socket.id(), text, once, receipt }) {
            Ok(Queued::Queued) => return,
            Ok(Queued::Known(position)) => Outcome::Said(position),
            Err(reason) => Outcome::Refused(reason),
        };
        match receipt {
            Some(receipt) => seat.acknowledge(receipt, outcome),
            None => {
                if let Some(sentence) = outcome.sentence() {
                    seat.tell(sentence);
                }
            }
        }
    }

    /// The line everybody will see and the client's id for it, or the sentence that says why there is none.
    fn sayable<'a>(&self, seat: &Seat, arguments: &'a [Value]) -> Result<(String, Option<&'a str>), String> {
        let username = seat.username().ok_or(wording::USERNAME_FIRST)?;
        let text = arguments.first().and_then(Value::as_str).ok_or(wording::NOT_TEXT)?;
        let longest = self.chat.limits.text_characters;
        if text.chars().count() > longest {
            return Err(wording::too_long(longest));
        }
        let id = match arguments.get(1) {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) if (1..=LONGEST_ID).contains(&id.len()) => Some(id.as_str()),
            Some(_) => return Err(wording::BAD_ID.to_owned()),
        };
        Ok((wording::said(&username, text), id))
    }

    /// Whether an event may be heard. Who sends too many is told, and who goes on regardless is closed.
    fn may_speak(
        &mut self,
        socket: &Socket,
        seat: &Seat,
        acknowledgement: &mut Option<Acknowledgement>,
    ) -> bool {
        match self.rate.take() {
            Taken::Within => return true,
            Taken::Beyond => refuse(seat, acknowledgement.take(), wording::TOO_FAST),
            Taken::Repeatedly => {
                refuse(seat, acknowledgement.take(), wording::FAR_TOO_FAST);
                self.chat.metrics.flooders.increment();
                socket.close(CloseReason::RateLimit);
            }
        }
        self.chat.metrics.rate_limited.increment();
        false
    }
}

fn refuse(seat: &Seat, acknowledgement: Option<Acknowledgement>, sentence: &str) {
    match acknowledgement {
        Some(acknowledgement) => drop(acknowledgement.send(&vec![refusal(sentence)].into())),
        None => drop(seat.tell(sentence)),
    }
}

impl Participant for Guest {
    fn joined(&mut self, socket: &Socket) {
        self.chat.metrics.connections.increment();
        match self.recovered.take() {
            Some((session, offset)) => self.come_back(socket, session, offset),
            None => self.come_in(socket),
        }
    }

    fn event(&mut self, socket: &Socket, event: Event, mut acknowledgement: Option<Acknowledgement>) {
        let Some(seat) = self.seat.clone() else {
            return;
        };
        if !self.may_speak(socket, &seat, &mut acknowledgement) {
            return;
        }
        let arguments = &event.arguments.values[..];
        match event.name.as_str() {
            "message" => self.say(socket, &seat, arguments, acknowledgement),
            "set_username" => self.set_username(&seat, arguments),
            "node" => {
                if let Some(acknowledgement) = acknowledgement {
                    acknowledgement.send(&vec![self.chat.node_id.as_str()].into());
                }
            }
            // What the tutorial does not know is nothing to it either.
            _ => {}
        }
    }

    fn left(&mut self, _: &Socket, reason: LeaveReason) {
        if let Some(seat) = self.seat.take() {
            self.chat.leave(&seat, reason);
        }
    }
}
