//! Long-polling: a GET waits for packets, a POST brings some, and a task without a connection minds the time.
//!
//! At most one GET and one POST are open at once. A second one, or one that its client abandons, ends the session:
//! what was given to the lost one cannot be known.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use super::close::CloseReason;
use super::counts::Counts;
use super::encoded::{Encoded, encode_payload};
use super::heartbeat::{Due, Heartbeat};
use super::packet::{Packet, decode_payload};
use super::registry::Tenure;
use super::session::{Attempt, Change, Phase, Session, Transport};

/// How long a closed session waits for the poll that tells its client.
const FAREWELL: Duration = Duration::from_secs(5);
/// The same when the client itself closed it, and may not ask again.
const ECHO: Duration = Duration::from_secs(1);
/// Most packets in a payload. The Python clients take no more, and give up the session when there are.
const AT_ONCE: usize = 16;

/// What a request of a session is refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misuse {
    /// The session is over.
    Over,
    /// The session goes on elsewhere, or the request is one too many, or says nothing that can be read.
    BadRequest,
}

/// Minds heartbeats, deadlines and the end of a session while its client polls.
pub(super) async fn drive(mut tenure: Tenure) {
    let session = tenure.session().clone();
    let mut heartbeat = Heartbeat::begin(session.settings.clone());
    let reason = loop {
        let deadline = heartbeat.deadline(session.has_joined());
        let Ok(change) = timeout_at(deadline, poll_fn(|context| session.poll_change(context))).await else {
            match heartbeat.look(session.has_joined()) {
                Due::Nothing => {}
                Due::Ping => session.send_always(Encoded::ping()),
                Due::End(reason) => session.close(reason),
            }
            continue;
        };
        match change {
            Change::Ponged => heartbeat.ponged(),
            Change::Upgraded => return tenure.pass_on(),
            // The poll that tells the client may have been quicker.
            Change::Closing(reason) | Change::Closed(reason) => break reason,
        }
    };
    tenure.announce(reason);
    if reason.is_told_later() || session.has_poll() {
        let patience = if reason == CloseReason::TransportClose { ECHO } else { FAREWELL };
        let over = poll_fn(|context| match session.poll_change(context) {
            Poll::Ready(Change::Closed(_)) => Poll::Ready(()),
            Poll::Ready(_) | Poll::Pending => Poll::Pending,
        });
        tokio::select! {
            () = over => {}
            () = sleep_until(Instant::now() + patience) => {}
        }
    }
}

/// Waits for packets and gives them as a payload.
pub(super) async fn poll(session: &Arc<Session>, counts: &Counts) -> Result<String, Misuse> {
    let mut waiting = Waiting::begin(session)?;
    let packets = poll_fn(|context| {
        session.poller.register(context.waker());
        session.take_for_poll().map_or(Poll::Pending, Poll::Ready)
    })
    .await?;
    waiting.answered = true;
    drop(waiting);
    let payload = encode_payload(&packets);
    counts.packets_out.add(packets.len() as u64);
    counts.bytes_out.add(payload.len() as u64);
    Ok(payload)
}

/// A GET that waits. When its client goes away meanwhile, the session is over.
struct Waiting<'a> {
    session: &'a Arc<Session>,
    answered: bool,
}

impl<'a> Waiting<'a> {
    fn begin(session: &'a Arc<Session>) -> Result<Self, Misuse> {
        let mut state = session.lock();
        match &mut state.transport {
            Transport::WebSocket => Err(Misuse::BadRequest),
            Transport::Polling { polled: true, .. } => {
                drop(state);
                session.close(CloseReason::TransportError);
                Err(Misuse::BadRequest)
            }
            Transport::Polling { polled, .. } => {
                *polled = true;
                drop(state);
                Ok(Self { session, answered: false })
            }
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Transport::Polling { polled, .. } = &mut self.session.lock().transport {
            *polled = false;
        }
        if !self.answered {
            self.session.close(CloseReason::TransportError);
        }
    }
}

/// The body of a POST that is being read. When its client goes away meanwhile, the session is over.
#[derive(Debug)]
pub(super) struct Posting {
    session: Arc<Session>,
    /// All of the body is here.
    pub(super) complete: bool,
}

impl Posting {
    pub(super) fn begin(session: &Arc<Session>) -> Result<Self, Misuse> {
        let mut state = session.lock();
        if state.phase != Phase::Open {
            return Err(Misuse::Over);
        }
        match &mut state.transport {
            Transport::WebSocket => Err(Misuse::BadRequest),
            Transport::Polling { posting: true, .. } => {
                drop(state);
                session.close(CloseReason::TransportError);
                Err(Misuse::BadRequest)
            }
            Transport::Polling { posting, .. } => {
                *posting = true;
                Ok(Self { session: session.clone(), complete: false })
            }
        }
    }

    /// Takes in the packets of a whole body.
    pub(super) fn take(&self, body: &[u8], counts: &Counts) -> Result<(), Misuse> {
        let Ok(body) = std::str::from_utf8(body) else {
            self.session.close(CloseReason::ParseError);
            return Err(Misuse::BadRequest);
        };
        for packet in decode_payload(body) {
            counts.packets_in.increment();
            match packet {
                Ok(Packet::Message(message)) => self.session.receive(message),
                Ok(Packet::Pong(_)) => self.session.pong(),
                Ok(Packet::Close) => self.session.close(CloseReason::TransportClose),
                // Only the server asks, while a client polls.
                Ok(Packet::Ping(_)) => {
                    self.session.close(CloseReason::TransportError);
                    return Err(Misuse::BadRequest);
                }
                Ok(Packet::Open(_) | Packet::Upgrade | Packet::Noop) => {}
                Err(_) => {
                    self.session.close(CloseReason::ParseError);
                    return Err(Misuse::BadRequest);
                }
            }
            if !self.session.is_open() {
                break;
            }
        }
        Ok(())
    }
}

impl Drop for Posting {
    fn drop(&mut self) {
        if let Transport::Polling { posting, .. } = &mut self.session.lock().transport {
            *posting = false;
        }
        if !self.complete {
            self.session.close(CloseReason::TransportError);
        }
    }
}

impl Session {
    fn has_poll(&self) -> bool {
        matches!(self.lock().transport, Transport::Polling { polled: true, .. })
    }

    fn pong(&self) {
        self.lock().ponged = true;
        self.driver.wake();
    }

    /// What a poll is answered with now, if it is answered now.
    fn take_for_poll(&self) -> Option<Result<Vec<Encoded>, Misuse>> {
        let mut state = self.lock();
        let Transport::Polling { attempt, .. } = state.transport else {
            return Some(Ok(vec![Encoded::noop()]));
        };
        match state.phase {
            Phase::Open | Phase::Closing(_) if state.queue.len() >= AT_ONCE => {
                Some(Ok(state.take(AT_ONCE).into()))
            }
            Phase::Open if !state.queue.is_empty() => Some(Ok(state.take_queue().into())),
            Phase::Open if attempt == Attempt::Probed => Some(Ok(vec![Encoded::noop()])),
            Phase::Open => None,
            Phase::Closing(reason) => {
                let mut packets: Vec<Encoded> = state.take_queue().into();
                let ended_by_client = reason == CloseReason::TransportClose;
                packets.push(if ended_by_client { Encoded::noop() } else { Encoded::close() });
                state.phase = Phase::Closed(reason);
                drop(state);
                self.driver.wake();
                Some(Ok(packets))
            }
            Phase::Closed(_) => Some(Err(Misuse::Over)),
        }
    }
}
