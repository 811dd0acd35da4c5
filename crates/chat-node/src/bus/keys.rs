//! What is written about a session, and read back. The keys are told of in [`sessions`](super::sessions).

use std::time::Duration;

use super::resp::{Request, Value};
use super::sessions::Session;
use super::{SessionId, Settings};
use crate::wording::Username;

/// The sorted set of all named clients.
pub(super) const EXPIRING: &str = "chat:expiring";
/// How a refusal names the keys of the tutorial's hashes.
pub(super) const SESSIONS: &str = "session:*";
/// How it names those of private ids.
pub(super) const RECOVERY: &str = "chat:recovery:*";
/// How much longer than the time to come back the name of a client is known, for its farewell.
const KEPT_FOR_FAREWELL: Duration = Duration::from_mins(10);

/// A request, and how a refusal names the key it is about.
pub(super) type About = (Request, &'static str);

/// Whose a session is, as far as Redis knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// This process serves it.
    Ours,
    /// Nobody has written it.
    Nobody,
    /// Another one does, or this node before it was started again.
    Other,
}

/// Makes the requests of one process.
#[derive(Debug)]
pub(super) struct Keys {
    node_id: String,
    epoch: String,
    recovery_window: Duration,
    session_lifetime: Duration,
}

impl Keys {
    /// For the run of a node.
    pub(super) fn new(settings: &Settings, epoch: u64) -> Self {
        Self {
            node_id: settings.node_id.clone(),
            epoch: format!("{epoch:016x}"),
            recovery_window: settings.recovery_window,
            session_lifetime: settings.session_lifetime,
        }
    }

    /// Whose a session is, in the answer to [`owner`].
    pub(super) fn owner(&self, found: &[Value]) -> Owner {
        let text = |index: usize| found.get(index).and_then(Value::as_str);
        match (text(0), text(1)) {
            (Some(node), Some(epoch)) if node == self.node_id && epoch == self.epoch => Owner::Ours,
            (Some(_), Some(_)) => Owner::Other,
            _ => Owner::Nobody,
        }
    }

    /// Every kind of write once, on keys of our own that are gone at the end.
    pub(super) fn probe(&self) -> Vec<About> {
        let mut requests = Vec::new();
        for (folder, key) in [("session", SESSIONS), ("chat:recovery", RECOVERY)] {
            let name = format!("{folder}:probe:{}", self.node_id);
            requests.push((Request::new("HSET").arg(&name).arg("node").arg(&self.node_id), key));
            requests.push((expire(&name, Duration::from_secs(1)), key));
            requests.push((Request::new("HMGET").arg(&name).arg("node"), key));
            requests.push((Request::new("DEL").arg(&name), key));
        }
        requests.push((Request::new("ZADD").arg(EXPIRING).arg("XX").arg("0").arg("probe"), EXPIRING));
        requests.push((Request::new("ZREM").arg(EXPIRING).arg("probe"), EXPIRING));
        requests.push((Request::new("ZRANGEBYSCORE").arg(EXPIRING).arg("0").arg("0"), EXPIRING));
        requests
    }

    /// A session that is here.
    pub(super) fn remember(&self, session: &Session, now: u64) -> Vec<About> {
        let mut requests = Vec::with_capacity(5);
        let mut recovered = Request::new("HSET").arg(recovery(&session.pid)).arg("sid").show(session.sid);
        if let Some(username) = &session.username {
            let name = hash(session);
            let tutorial = Request::new("HSET").arg(&name).arg("username").arg(username.as_str());
            requests.push((tutorial.arg("node").arg(&self.node_id), SESSIONS));
            requests.push((expire(&name, self.session_lifetime), SESSIONS));
            recovered = recovered.arg("username").arg(username.as_str());
            requests.push(self.due(session, now));
        }
        recovered = recovered.arg("node").arg(&self.node_id).arg("epoch").arg(&self.epoch);
        requests.push((recovered, RECOVERY));
        // The farewell reads it, which may be late when Redis is away.
        let lifetime = self.recovery_window + KEPT_FOR_FAREWELL;
        requests.push((expire(&recovery(&session.pid), lifetime), RECOVERY));
        requests
    }

    /// A session whose client has been sent elsewhere. It may have arrived there already, so nothing here says whose it
    /// is.
    pub(super) fn hand_over(&self, session: &Session, now: u64) -> Vec<About> {
        let mut requests = vec![(expire(&hash(session), self.recovery_window), SESSIONS)];
        if session.username.is_some() {
            requests.push(self.due(session, now));
        } else {
            requests.push((expire(&recovery(&session.pid), self.recovery_window), RECOVERY));
        }
        requests
    }

    /// What is left of a session that its client has left.
    pub(super) fn tidy(&self, session: &Session) -> Vec<About> {
        vec![
            (Request::new("DEL").arg(hash(session)), SESSIONS),
            (expire(&recovery(&session.pid), self.recovery_window), RECOVERY),
            (Request::new("ZREM").arg(EXPIRING).show(session.pid), EXPIRING),
        ]
    }

    /// When its farewell is due, unless somebody puts that off.
    fn due(&self, session: &Session, now: u64) -> About {
        let due = now + millis(self.recovery_window);
        (Request::new("ZADD").arg(EXPIRING).show(due).show(session.pid), EXPIRING)
    }
}

/// Nothing is left of a session that nobody came back to.
pub(super) fn bury(session: &Session) -> Vec<About> {
    vec![
        (Request::new("DEL").arg(hash(session)), SESSIONS),
        (Request::new("DEL").arg(recovery(&session.pid)), RECOVERY),
        (Request::new("ZREM").arg(EXPIRING).show(session.pid), EXPIRING),
    ]
}

/// Asks which process serves a session.
pub(super) fn owner(session: &Session) -> Request {
    Request::new("HMGET").arg(recovery(&session.pid)).arg("node").arg("epoch")
}

/// Asks whose a private id is.
pub(super) fn identity(pid: &SessionId) -> Request {
    Request::new("HMGET").arg(recovery(pid)).arg("sid").arg("username")
}

/// Asks whose farewell is due, at most so many.
pub(super) fn overdue(now: u64, most: usize) -> Request {
    let request = Request::new("ZRANGEBYSCORE").arg(EXPIRING).arg("-inf").show(now).arg("WITHSCORES");
    request.arg("LIMIT").arg("0").show(most)
}

fn hash(session: &Session) -> String {
    format!("session:{}", session.sid)
}

fn recovery(pid: &SessionId) -> String {
    format!("chat:recovery:{pid}")
}

fn expire(key: &str, lifetime: Duration) -> Request {
    Request::new("PEXPIRE").arg(key).show(millis(lifetime).max(1))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The session in a hash's `sid` and `username`.
pub(super) fn recalled(pid: SessionId, found: &[Value]) -> Option<Session> {
    let sid = found.first()?.as_str()?.parse().ok()?;
    let username = found.get(1).and_then(Value::as_str).and_then(|name| Username::parse(name).ok());
    Some(Session { sid, pid, username })
}

/// Members and scores; in RESP2 one after the other, in RESP3 as pairs.
pub(super) fn orphans(reply: Value) -> Vec<(SessionId, u64)> {
    let mut flat = Vec::new();
    for value in reply.into_array() {
        if matches!(value, Value::Array(_)) {
            flat.extend(value.into_array());
        } else {
            flat.push(value);
        }
    }
    let mut due = Vec::with_capacity(flat.len() / 2);
    for pair in flat.chunks_exact(2) {
        let pid = pair[0].as_str().and_then(|pid| pid.parse().ok());
        // A score is a double: 1.7e12 as such, or written out.
        let score = pair[1].as_str().and_then(|score| score.parse::<f64>().ok());
        if let (Some(pid), Some(score)) = (pid, score) {
            due.push((pid, whole(score)));
        }
    }
    due
}

/// A score of ours, which is a number of milliseconds.
fn whole(score: f64) -> u64 {
    format!("{score:.0}").parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn due_sessions_are_read_in_both_versions_of_the_protocol() {
        let pid = super::super::some_id();
        let name = text(&pid.to_string());
        let flat = Value::Array(vec![name.clone(), text("1764417600123")]);
        let pairs = Value::Array(vec![Value::Array(vec![name, text("1764417600123")])]);
        assert_eq!(orphans(flat), [(pid, 1_764_417_600_123)]);
        assert_eq!(orphans(pairs), [(pid, 1_764_417_600_123)]);
        assert_eq!(orphans(Value::Array(vec![text("probe"), text("5")])), []);
    }

    #[test]
    fn a_hash_without_a_name_is_a_session_without_one() {
        let pid = super::super::some_id();
        let sid = super::super::some_id();
        let found = [text(&sid.to_string()), Value::Nil];
        assert_eq!(recalled(pid, &found), Some(Session { sid, pid, username: None }));
        assert_eq!(recalled(pid, &[Value::Nil, text("Ada")]), None);
    }
}
