//! A client in a namespace, as an application sends to it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::oneshot;

use super::connection::Connection;
use super::packet::{self, Arguments};
use crate::engine_io::{CloseReason, Encoded, Sent, Session};
use crate::session_id::SessionId;

/// A handle on a client; cheap to clone, and of no effect once the client is gone.
#[derive(Clone)]
pub struct Socket(Arc<Inner>);

struct Inner {
    id: SessionId,
    namespace: Arc<str>,
    session: Arc<Session>,
    connection: Weak<Connection>,
    /// Made when the first answer is asked for, which most clients never are.
    questions: Mutex<Option<Box<Questions>>>,
}

/// Events whose answers are awaited.
#[derive(Default)]
struct Questions {
    next: u64,
    waiting: HashMap<u64, oneshot::Sender<Arguments>>,
}

/// A client did not answer: it took too long, or is gone.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("the client did not answer")]
pub struct NoAnswer;

impl Socket {
    pub(super) fn new(
        id: SessionId,
        namespace: Arc<str>,
        session: Arc<Session>,
        connection: Weak<Connection>,
    ) -> Self {
        Self(Arc::new(Inner { id, namespace, session, connection, questions: Mutex::default() }))
    }

    /// Its public id.
    pub fn id(&self) -> SessionId {
        self.0.id
    }

    /// Where it is.
    pub fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// What carries it.
    pub fn session(&self) -> &Session {
        &self.0.session
    }

    /// Sends what is encoded already, as a broadcast is.
    pub fn send(&self, packet: &Encoded) -> Sent {
        self.0.session.send(packet)
    }

    /// Sends an event.
    pub fn emit(&self, name: &str, arguments: &Arguments) -> Sent {
        self.0.session.send_all(&packet::event(self.namespace(), None, name, arguments))
    }

    /// Sends an event and waits for the answer.
    ///
    /// # Errors
    /// When there is none in time, or the client is gone.
    pub async fn ask(
        &self,
        name: &str,
        arguments: &Arguments,
        patience: Duration,
    ) -> Result<Arguments, NoAnswer> {
        let (answer, answered) = oneshot::channel();
        let id = {
            let mut questions = self.questions();
            let questions = questions.get_or_insert_default();
            questions.next += 1;
            questions.waiting.insert(questions.next, answer);
            questions.next
        };
        if self.0.session.send_all(&packet::event(self.namespace(), Some(id), name, arguments))
            != Sent::Queued
        {
            self.answered(id);
            return Err(NoAnswer);
        }
        let answer = tokio::time::timeout(patience, answered).await;
        self.answered(id);
        answer.map_err(|_| NoAnswer)?.map_err(|_| NoAnswer)
    }

    /// Puts the client out of the namespace. It does not come back by itself.
    pub fn disconnect(&self) {
        self.send(&packet::disconnect(self.namespace()));
        // The participant may be the caller.
        if let Some(connection) = self.0.connection.upgrade() {
            let socket = self.clone();
            tokio::spawn(async move { connection.put_out(&socket) });
        }
    }

    /// Ends the client's session. Unless the reason keeps it from doing so, it reconnects by itself.
    pub fn close(&self, reason: CloseReason) {
        self.0.session.close(reason);
    }

    /// Takes the question of an id, if it is still open.
    pub(super) fn answered(&self, id: u64) -> Option<oneshot::Sender<Arguments>> {
        self.questions().as_mut()?.waiting.remove(&id)
    }

    /// Nobody will answer any more.
    pub(super) fn forget_questions(&self) {
        *self.questions() = None;
    }

    fn questions(&self) -> MutexGuard<'_, Option<Box<Questions>>> {
        self.0.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for Socket {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Socket({} in {})", self.id(), self.namespace())
    }
}

/// The answer a client waits for; given once.
#[derive(Debug)]
pub struct Acknowledgement {
    socket: Socket,
    id: u64,
}

impl Acknowledgement {
    pub(super) fn new(socket: Socket, id: u64) -> Self {
        Self { socket, id }
    }

    /// Answers.
    pub fn send(self, arguments: &Arguments) -> Sent {
        self.socket.0.session.send_all(&packet::acknowledgement(self.socket.namespace(), self.id, arguments))
    }
}

#[cfg(test)]
impl Socket {
    /// One in the main namespace of a session that nobody drives.
    pub(crate) fn idle(id: SessionId) -> Self {
        Self::new(id, packet::MAIN.into(), Session::idle(), Weak::new())
    }
}

#[cfg(test)]
impl Acknowledgement {
    /// One that a client of tests waits for.
    pub(crate) fn of(socket: &Socket, id: u64) -> Self {
        Self::new(socket.clone(), id)
    }
}
