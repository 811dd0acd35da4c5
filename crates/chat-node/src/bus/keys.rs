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
/// After which time the farewell of a client that was sent elsewhere is due: longer than the way takes. It may still come
/// back afterwards.
const SENT_AWAY: Duration = Duration::from_secs(15);

/// A request, and how a refusal names the key it is about.
pub(super) type About = (Request, &'static str);

/// Makes the requests of one process.
#[derive(Debug)]
pub(super) struct Keys {
    node_id: String,
    recovery_window: Duration,
    session_lifetime: Duration,
}

impl Keys {
    /// For a node.
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            node_id: settings.node_id.clone(),
            recovery_window: settings.recovery_window,
            session_lifetime: settings.session_lifetime,
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

    /// When the farewell of a session that is here is due, unless somebody puts that off.
    pub(super) fn due(&self, now: u64) -> u64 {
        now + millis(self.recovery_window)
    }

    /// When that of one whose client was sent elsewhere is.
    pub(super) fn due_elsewhere(&self, now: u64) -> u64 {
        now + millis(self.recovery_window.min(SENT_AWAY))
    }

    /// A session that is here, in a stay that began at `began`.
    pub(super) fn remember(&self, session: &Session, began: u64, due: u64) -> Vec<About> {
        let mut requests = Vec::with_capacity(5);
        let mut recovered = Request::new("HSET").arg(recovery(&session.pid)).arg("sid").show(session.sid);
        if let Some(username) = &session.username {
            let name = hash(session);
            let tutorial = Request::new("HSET").arg(&name).arg("username").arg(username.as_str());
            requests.push((tutorial.arg("node").arg(&self.node_id), SESSIONS));
            requests.push((expire(&name, self.session_lifetime), SESSIONS));
            recovered = recovered.arg("username").arg(username.as_str());
            requests.push(expect(session, due));
        }
        recovered = recovered.arg("node").arg(&self.node_id).arg("at").show(began);
        requests.push((recovered, RECOVERY));
        // The farewell reads it, which may be late when Redis is away.
        let lifetime = self.recovery_window + KEPT_FOR_FAREWELL;
        requests.push((expire(&recovery(&session.pid), lifetime), RECOVERY));
        requests
    }

    /// A session whose client has been sent elsewhere. It may have arrived there already, so nothing here says whose it
    /// is.
    pub(super) fn hand_over(&self, session: &Session, due: u64) -> Vec<About> {
        let mut requests = vec![(expire(&hash(session), self.recovery_window), SESSIONS)];
        if session.username.is_some() {
            requests.push(expect(session, due));
        } else {
            requests.push((expire(&recovery(&session.pid), self.recovery_window), RECOVERY));
        }
        requests
    }

    /// What is left of a session whose farewell was said: its client may still come back for a while.
    pub(super) fn tidy(&self, session: &Session) -> Vec<About> {
        vec![
            (Request::new("DEL").arg(hash(session)), SESSIONS),
            (expire(&recovery(&session.pid), self.recovery_window), RECOVERY),
            forget(&session.pid),
        ]
    }
}

/// The farewell of a session is due at that time.
fn expect(session: &Session, due: u64) -> About {
    (Request::new("ZADD").arg(EXPIRING).show(due).show(session.pid), EXPIRING)
}

/// No farewell is due any more.
pub(super) fn forget(pid: &SessionId) -> About {
    (Request::new("ZREM").arg(EXPIRING).show(pid), EXPIRING)
}

/// Asks whose a private id is, and since when.
pub(super) fn identity(pid: &SessionId) -> Request {
    Request::new("HMGET").arg(recovery(pid)).arg("sid").arg("username").arg("at")
}

/// Asks whose farewell is due, at most so many.
pub(super) fn overdue(now: u64, most: usize) -> Request {
    let request = Request::new("ZRANGEBYSCORE").arg(EXPIRING).arg("-inf").show(now);
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

/// The session in the answer to [`identity`].
pub(super) fn recalled(pid: SessionId, found: &[Value]) -> Option<Session> {
    let sid = found.first()?.as_str()?.parse().ok()?;
    let username = found.get(1).and_then(Value::as_str).and_then(|name| Username::parse(name).ok());
    Some(Session { sid, pid, username })
}

/// When the stay began that Redis knows of, in the same answer. `None` when it knows of none.
pub(super) fn began(found: &[Value]) -> Option<u64> {
    found.first()?.as_str()?;
    let began = found.get(2).and_then(Value::as_str).and_then(|began| began.parse().ok());
    Some(began.unwrap_or_default())
}

/// The private ids in the answer to [`overdue`].
pub(super) fn orphans(reply: Value) -> Vec<SessionId> {
    let members = reply.into_array();
    members.iter().filter_map(|member| member.as_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn what_is_no_private_id_is_nobodys() {
        let pid = super::super::some_id();
        assert_eq!(orphans(Value::Array(vec![text("probe"), text(&pid.to_string())])), [pid]);
    }

    #[test]
    fn a_hash_without_a_name_is_a_session_without_one() {
        let pid = super::super::some_id();
        let sid = super::super::some_id();
        let found = [text(&sid.to_string()), Value::Nil, text("1764417600123")];
        assert_eq!(recalled(pid, &found), Some(Session { sid, pid, username: None }));
        assert_eq!(began(&found), Some(1_764_417_600_123));
        assert_eq!(recalled(pid, &[Value::Nil, text("Ada"), Value::Nil]), None);
        assert_eq!(began(&[Value::Nil, text("Ada"), Value::Nil]), None);
        assert_eq!(began(&[]), None);
    }
}
