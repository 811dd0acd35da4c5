//! What an application implements: a namespace that clients ask to join, and a participant for each that has.

use std::fmt;
use std::pin::Pin;

use serde_json::{Map, Value};

use super::packet::Event;
use super::socket::{Acknowledgement, Socket};
use crate::engine_io::{CloseReason, Visitor};
use crate::session_id::SessionId;

/// A namespace.
pub trait Namespace: fmt::Debug + Send + Sync {
    /// Whether a client may join.
    fn connect(&self, visitor: &Visitor, request: JoinRequest) -> Admission;
}

/// How a client asks to join.
#[derive(Debug, Default)]
pub struct JoinRequest {
    /// What it says about itself.
    pub auth: Option<Map<String, Value>>,
    /// It has asked before in this session: what it is granted once is not granted anew by leaving and joining.
    pub is_repeated: bool,
}

/// The answer to a client that wants to join.
pub enum Admission {
    /// It may.
    Accepted(Accepted),
    /// It may not, and reads why.
    Refused(String),
    /// That needs a while. Nothing but the end of its connection is heard of the client meanwhile.
    Later(Pin<Box<dyn Future<Output = Result<Accepted, String>> + Send>>),
}

/// A client that may join.
#[derive(Debug)]
pub struct Accepted {
    /// Its public id.
    pub sid: SessionId,
    /// The id by which it may ask for its state after a lost connection.
    pub pid: Option<SessionId>,
    /// What it is to the application.
    pub participant: Box<dyn Participant>,
}

impl Accepted {
    /// Under a new id.
    pub fn new(participant: Box<dyn Participant>) -> Self {
        Self { sid: SessionId::random(), pid: None, participant }
    }
}

/// A client in a namespace. Its calls come one at a time, in the order in which the client sent what they are about;
/// none may wait.
pub trait Participant: fmt::Debug + Send {
    /// It was told that it has joined. What is sent to it here comes next.
    fn joined(&mut self, socket: &Socket);
    /// It sent an event, and wants an answer if there is an acknowledgement.
    fn event(&mut self, socket: &Socket, event: Event, acknowledgement: Option<Acknowledgement>);
    /// It is gone.
    fn left(&mut self, socket: &Socket, reason: LeaveReason);
}

/// Why a client is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaveReason {
    /// Its session ended.
    Transport(CloseReason),
    /// It left the namespace.
    ClientDisconnect,
    /// It was put out of the namespace.
    ServerDisconnect,
}

impl fmt::Display for LeaveReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(reason) => reason.fmt(formatter),
            Self::ClientDisconnect => formatter.write_str("client namespace disconnect"),
            Self::ServerDisconnect => formatter.write_str("server namespace disconnect"),
        }
    }
}
