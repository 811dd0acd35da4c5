//! One client's session with all its namespaces.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use serde_json::{Map, Value, json};

use super::Namespaces;
use super::namespace::{Accepted, Admission, JoinRequest, LeaveReason, Participant};
use super::packet::{self, BadPacket, Content, Decoder, Packet};
use super::socket::{Acknowledgement, Socket};
use crate::engine_io::{CloseReason, Message, Receiver, Session};
use crate::rate::{Bucket, Rate, Taken};

/// How often one client may ask to join: each time may cost as much as thousands of messages.
const JOINS: Bucket = Bucket { a_second: 1, burst: 16 };

/// The receiver of a session.
#[derive(Debug)]
pub(super) struct Connection {
    namespaces: Arc<Namespaces>,
    itself: Weak<Self>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    decoder: Decoder,
    members: Vec<Member>,
    /// How often it asks to join.
    joins: Rate,
    has_asked: bool,
    is_over: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            decoder: Decoder::default(),
            members: Vec::new(),
            joins: Rate::new(JOINS),
            has_asked: false,
            is_over: false,
        }
    }
}

/// A namespace the client is in, or about to be.
#[derive(Debug)]
enum Member {
    Awaited(Arc<str>),
    Joined { socket: Socket, participant: Box<dyn Participant> },
}

impl Member {
    fn namespace(&self) -> &str {
        match self {
            Self::Awaited(namespace) => namespace,
            Self::Joined { socket, .. } => socket.namespace(),
        }
    }
}

/// What a client said that cannot be gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Nonsense;

impl From<BadPacket> for Nonsense {
    fn from(_: BadPacket) -> Self {
        Self
    }
}

impl Connection {
    pub(super) fn new(namespaces: Arc<Namespaces>) -> Arc<Self> {
        Arc::new_cyclic(|itself| Self { namespaces, itself: itself.clone(), state: Mutex::default() })
    }

    /// Takes a client out of a namespace at the server's wish.
    pub(super) fn put_out(&self, socket: &Socket) {
        let mut state = self.lock();
        let found = state
            .members
            .iter()
            .position(|member| matches!(member, Member::Joined { socket: joined, .. } if joined == socket));
        if let Some(place) = found {
            part(state.members.swap_remove(place), LeaveReason::ServerDisconnect);
        }
    }

    fn take(&self, session: &Arc<Session>, message: &Message<'_>) -> Result<(), Nonsense> {
        let mut state = self.lock();
        if state.is_over {
            return Ok(());
        }
        let packet = match message {
            Message::Text(text) => state.decoder.text(text)?,
            Message::Binary(bytes) => state.decoder.binary(bytes)?,
        };
        let Some(Packet { namespace, content }) = packet else {
            return Ok(());
        };
        let place = state.members.iter().position(|member| member.namespace() == namespace);
        match (place, content) {
            (None, Content::Connect(auth)) => {
                self.connect(&mut state, session, &namespace, auth);
                Ok(())
            }
            (Some(place), Content::Disconnect) => {
                part(state.members.swap_remove(place), LeaveReason::ClientDisconnect);
                Ok(())
            }
            (Some(place), Content::Event(id, event)) => {
                let Member::Joined { socket, participant } = &mut state.members[place] else {
                    return Err(Nonsense);
                };
                let acknowledgement = id.map(|id| Acknowledgement::new(socket.clone(), id));
                participant.event(socket, event, acknowledgement);
                Ok(())
            }
            (Some(place), Content::Acknowledgement(id, arguments)) => {
                if let Member::Joined { socket, .. } = &state.members[place]
                    && let Some(question) = socket.answered(id)
                {
                    // Whoever asked may have stopped waiting.
                    question.send(arguments).ok();
                }
                Ok(())
            }
            _ => Err(Nonsense),
        }
    }

    fn connect(
        &self,
        state: &mut State,
        session: &Arc<Session>,
        name: &str,
        auth: Option<Map<String, Value>>,
    ) {
        if state.joins.take() != Taken::Within {
            session.close(CloseReason::RateLimit);
            return;
        }
        let request = JoinRequest { auth, is_repeated: std::mem::replace(&mut state.has_asked, true) };
        let Some((name, namespace)) = self.namespaces.get(name) else {
            session.send(&packet::connect_error(name, "Invalid namespace"));
            return;
        };
        match namespace.connect(session.visitor(), request) {
            Admission::Accepted(accepted) => self.join(state, session, name.clone(), accepted),
            Admission::Refused(message) => {
                session.send(&packet::connect_error(name, &message));
            }
            Admission::Later(admission) => {
                state.members.push(Member::Awaited(name.clone()));
                let (itself, session, name) = (self.itself.clone(), session.clone(), name.clone());
                tokio::spawn(async move {
                    let outcome = admission.await;
                    if let Some(connection) = itself.upgrade() {
                        connection.admit(&session, name, outcome);
                    }
                });
            }
        }
    }

    /// Ends the wait of a client that wants to join, if it still waits.
    fn admit(&self, session: &Arc<Session>, name: Arc<str>, outcome: Result<Accepted, String>) {
        let mut state = self.lock();
        let waiting = state
            .members
            .iter()
            .position(|member| matches!(member, Member::Awaited(awaited) if *awaited == name));
        let Some(place) = waiting else {
            return;
        };
        state.members.swap_remove(place);
        match outcome {
            Ok(accepted) => self.join(&mut state, session, name, accepted),
            Err(message) => {
                session.send(&packet::connect_error(&name, &message));
            }
        }
    }

    fn join(&self, state: &mut State, session: &Arc<Session>, name: Arc<str>, accepted: Accepted) {
        let Accepted { sid, pid, mut participant } = accepted;
        let payload = match pid {
            Some(pid) => json!({ "sid": sid.as_str(), "pid": pid.as_str() }),
            None => json!({ "sid": sid.as_str() }),
        };
        session.joined();
        session.send(&packet::connect(&name, &payload));
        let socket = Socket::new(sid, name, session.clone(), self.itself.clone());
        participant.joined(&socket);
        state.members.push(Member::Joined { socket, participant });
    }

    /// An application that panics has spoilt its own participant at most, whose session ends by it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receiver for Connection {
    fn receive(&self, session: &Arc<Session>, message: Message<'_>) {
        if self.take(session, &message).is_err() {
            session.close(CloseReason::ParseError);
        }
    }

    fn closed(&self, reason: CloseReason) {
        let members = {
            let mut state = self.lock();
            state.is_over = true;
            std::mem::take(&mut state.members)
        };
        for member in members {
            part(member, LeaveReason::Transport(reason));
        }
    }
}

fn part(member: Member, reason: LeaveReason) {
    if let Member::Joined { socket, mut participant } = member {
        socket.forget_questions();
        participant.left(&socket, reason);
    }
}
