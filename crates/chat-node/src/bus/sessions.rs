//! Who is here, kept in Redis: for others to look at, for clients that come back, and so that nobody's farewell is
//! forgotten when a node dies.
//!
//! - `session:{sid}` has the user name, as in the tutorial. It expires unless its node refreshes it.
//! - `chat:recovery:{pid}` says whose a private id is: `sid`, `username`, and the `node` and `epoch` that serve it. It
//!   outlives a client that is gone by the time in which that may come back.
//! - `chat:expiring` is a sorted set of the private ids of all named clients, by the time at which their farewell is due
//!   unless somebody refreshes them.
//!
//! A client that leaves gets its farewell at once, unless another node has taken the session over meanwhile. One whose
//! node drains or dies gets it when it is due: every node looks for such, once a second. The farewell is written
//! *first*, and what led to it removed when that is confirmed, so a crash in between loses nothing. Two nodes may write
//! the same one: both carry the same key, private id and due time, and all readers drop the second.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender};
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::backoff::Backoff;
use super::connection::Connection;
use super::connectivity::Side;
use super::dial::Dialer;
use super::ledger::{Author, Draft};
use super::look::milliseconds;
use super::resp::{Request, Value};
use super::trouble::{Reason, Trouble};
use super::writer::Order;
use super::{Audience, PATIENCE, SessionId, Shared};
use crate::wording::{self, Username};

/// The sorted set of all named clients.
const EXPIRING: &str = "chat:expiring";
/// Most tasks taken at once, and sessions refreshed in one pipeline.
const BATCH: usize = 256;
/// Most tasks kept while Redis is away; the oldest go first.
const BACKLOG: usize = 10_000;
/// How often sessions whose node is gone are looked for.
const SWEEP: Duration = Duration::from_secs(1);
/// Most of those taken at once.
const ORPHANS: usize = 100;
/// After which time an unconfirmed farewell is written again.
const CONFIRMATION: Duration = Duration::from_mins(1);

/// A client, as far as it concerns other nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The public id, in the session's hash.
    pub sid: SessionId,
    /// The private id, by which the client asks for its state.
    pub pid: SessionId,
    /// Its name, once it has one.
    pub username: Option<Username>,
}

/// What a node may ask for.
#[derive(Debug)]
pub(super) enum Task {
    /// A session that began, was taken over or got a name.
    Remember(Session),
    /// A client is gone for good or not; its farewell is said.
    Leave(Session),
    /// A client is sent to another node, and has its time to get there.
    HandOver(Session),
    /// What a left session leaves behind is removed.
    Tidy(Session),
    /// Whose a private id is.
    Recall { pid: SessionId, reply: oneshot::Sender<Option<Session>> },
    /// The farewell of a session without a node was written, or not.
    Mourned { pid: SessionId, is_said: bool },
    /// Answered when everything asked for before is done.
    Finish(oneshot::Sender<()>),
}

/// The task that owns the connection for sessions.
pub(super) struct Keeper<A> {
    shared: Arc<Shared<A>>,
    dialer: Dialer,
    orders: Sender<Order>,
    backlog: VecDeque<Task>,
    /// Orphans whose farewell is under way.
    mourned: HashMap<SessionId, (Session, Instant)>,
}

/// Why a connection is not used any longer.
enum Ended {
    Abandoned,
    Broken(Trouble),
}

impl<A: Audience> Keeper<A> {
    /// Nothing is connected before [`Keeper::run`].
    pub(super) fn new(shared: Arc<Shared<A>>, orders: Sender<Order>) -> Self {
        let dialer = Dialer::new(shared.settings.address.clone());
        Self { shared, dialer, orders, backlog: VecDeque::new(), mourned: HashMap::new() }
    }

    /// Works until nobody can ask for anything any more.
    pub(super) async fn run(mut self, mut tasks: Receiver<Task>) {
        let mut backoff = Backoff::default();
        loop {
            let trouble = match self.dialer.dial().await {
                Ok((connection, _)) => {
                    self.shared.measures.connected[Side::Sessions as usize].increment();
                    match self.serve(connection, &mut tasks, &mut backoff).await {
                        Ended::Abandoned => return,
                        Ended::Broken(trouble) => {
                            self.shared.measures.lost[Side::Sessions as usize].increment();
                            trouble
                        }
                    }
                }
                Err(trouble) => trouble,
            };
            self.shared.connectivity.down(Side::Sessions, &trouble);
            let mut pause = std::pin::pin!(sleep(backoff.next_delay()));
            loop {
                tokio::select! {
                    () = &mut pause => break,
                    task = tasks.recv() => match task {
                        Some(task) => self.postpone(task),
                        None => return,
                    }
                }
            }
        }
    }

    /// Works over one connection until it fails.
    async fn serve(
        &mut self,
        mut connection: Connection,
        tasks: &mut Receiver<Task>,
        backoff: &mut Backoff,
    ) -> Ended {
        if let Err(trouble) = self.begin(&mut connection).await {
            return Ended::Broken(trouble);
        }
        backoff.reset();
        let lifetime = self.shared.settings.session_lifetime;
        let mut refresh = interval(lifetime / 3);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Other nodes that were cut off with us need the time to refresh theirs.
        let mut sweep = tokio::time::interval_at(Instant::now() + lifetime / 3, SWEEP.min(lifetime / 3));
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let outcome = tokio::select! {
                taken = tasks.recv_many(&mut batch, BATCH) => {
                    if taken == 0 {
                        return Ended::Abandoned;
                    }
                    self.work(&mut connection, std::mem::take(&mut batch)).await
                }
                _ = refresh.tick() => self.refresh(&mut connection).await,
                _ = sweep.tick() => self.sweep(&mut connection).await,
            };
            if let Err(trouble) = outcome {
                return Ended::Broken(trouble);
            }
        }
    }

    /// Makes sure that all we need is allowed, and does what was put off.
    async fn begin(&mut self, connection: &mut Connection) -> Result<(), Trouble> {
        self.check(connection).await?;
        self.refresh(connection).await?;
        while !self.backlog.is_empty() {
            let batch: Vec<Task> = self.backlog.drain(..self.backlog.len().min(BATCH)).collect();
            self.work(connection, batch).await?;
        }
        Ok(())
    }

    /// Carries out every kind of command once, on keys of our own that are gone at the end.
    async fn check(&self, connection: &mut Connection) -> Result<(), Trouble> {
        let node = &self.shared.settings.node_id;
        let mut requests = Vec::new();
        for key in [format!("session:probe:{node}"), format!("chat:recovery:probe:{node}")] {
            requests.push((Request::new("HSET").arg(&key).arg("node").arg(node), "session:*"));
            requests.push((Request::new("PEXPIRE").arg(&key).arg("1000"), "session:*"));
            requests.push((Request::new("HMGET").arg(&key).arg("node"), "session:*"));
            requests.push((Request::new("DEL").arg(&key), "session:*"));
        }
        requests[4..].iter_mut().for_each(|(_, key)| *key = "chat:recovery:*");
        requests.push((Request::new("ZADD").arg(EXPIRING).arg("XX").arg("0").arg("probe"), EXPIRING));
        requests.push((Request::new("ZREM").arg(EXPIRING).arg("probe"), EXPIRING));
        requests.push((Request::new("ZRANGEBYSCORE").arg(EXPIRING).arg("0").arg("0"), EXPIRING));
        self.write(connection, &requests).await
    }

    /// Sends writes, and judges by their answers whether sessions can be kept.
    async fn write(&self, connection: &mut Connection, requests: &[(Request, &str)]) -> Result<(), Trouble> {
        let plain: Vec<Request> = requests.iter().map(|(request, _)| request.clone()).collect();
        let replies = connection.pipeline(&plain, PATIENCE).await?;
        let mut refusals = requests.iter().zip(&replies).filter_map(|((request, key), reply)| {
            Some(Trouble::refusal(request.name(), key, reply.refusal()?))
        });
        match refusals.next() {
            None => self.shared.connectivity.up(Side::Sessions),
            Some(trouble) if trouble.reason.passes() => return Err(trouble),
            Some(trouble) => self.shared.connectivity.down(Side::Sessions, &trouble),
        }
        Ok(())
    }

    async fn time(&self, connection: &mut Connection) -> Result<u64, Trouble> {
        let reply = connection.call(Request::new("TIME"), "", PATIENCE).await?;
        milliseconds(reply)
            .ok_or_else(|| Trouble::new(Reason::Protocol, "Redis answered TIME without a time"))
    }

    /// Does what was asked for; what could not be done is put off.
    async fn work(&mut self, connection: &mut Connection, tasks: Vec<Task>) -> Result<(), Trouble> {
        let asking = async {
            let owners = self.ask(connection, &tasks).await?;
            Ok((owners, self.time(connection).await?))
        };
        let (owners, now) = match asking.await {
            Ok(answers) => answers,
            Err(trouble) => {
                for task in tasks {
                    self.postpone(task);
                }
                return Err(trouble);
            }
        };
        let (mut requests, mut unfinished, mut ours) = (Vec::new(), Vec::new(), HashSet::new());
        for (task, found) in tasks.into_iter().zip(owners) {
            match task {
                Task::Remember(session) => {
                    ours.insert(session.pid);
                    requests.extend(self.remember(&session, now));
                }
                Task::Leave(session) => {
                    let is_ours = ours.contains(&session.pid) || self.is_ours(&found);
                    if is_ours {
                        self.say_farewell(&session, format!("f:{}:{now}", session.pid), None);
                        requests.extend(self.tidy(&session));
                        unfinished.push(Task::Tidy(session));
                    }
                }
                Task::HandOver(session) => {
                    requests.extend(self.hand_over(&session, now));
                    unfinished.push(Task::HandOver(session));
                }
                Task::Tidy(session) => {
                    requests.extend(self.tidy(&session));
                    unfinished.push(Task::Tidy(session));
                }
                Task::Recall { pid, reply } => {
                    // A client that does not wait any longer is told nothing.
                    reply.send(recalled(pid, &found)).ok();
                }
                Task::Mourned { pid, is_said } => {
                    if let Some((session, _)) = self.mourned.remove(&pid).filter(|_| is_said) {
                        requests.extend(self.bury(&session));
                    }
                }
                Task::Finish(done) => unfinished.push(Task::Finish(done)),
            }
        }
        let outcome = if requests.is_empty() { Ok(()) } else { self.write(connection, &requests).await };
        for task in unfinished {
            match (task, &outcome) {
                (Task::Finish(done), Ok(())) => {
                    done.send(()).ok();
                }
                (_, Ok(())) => {}
                (task, Err(_)) => self.postpone(task),
            }
        }
        outcome
    }

    /// Reads what the tasks need to know. One list a task, empty where nothing is asked.
    async fn ask(&self, connection: &mut Connection, tasks: &[Task]) -> Result<Vec<Vec<Value>>, Trouble> {
        let request = |task: &Task| match task {
            Task::Recall { pid, .. } => {
                Some(Request::new("HMGET").arg(recovery(pid)).arg("sid").arg("username"))
            }
            Task::Leave(session) => Some(owner(session)),
            Task::Remember(_)
            | Task::HandOver(_)
            | Task::Tidy(_)
            | Task::Mourned { .. }
            | Task::Finish(_) => None,
        };
        let requests: Vec<Option<Request>> = tasks.iter().map(request).collect();
        let asked: Vec<Request> = requests.iter().flatten().cloned().collect();
        let mut replies = connection.pipeline(&asked, PATIENCE).await?.into_iter();
        let mut found = Vec::with_capacity(tasks.len());
        for request in &requests {
            found.push(match request {
                None => Vec::new(),
                Some(_) => match replies.next() {
                    Some(Value::Error(said)) => {
                        return Err(Trouble::refusal("HMGET", "chat:recovery:*", &said));
                    }
                    Some(reply) => reply.into_array(),
                    None => Vec::new(),
                },
            });
        }
        Ok(found)
    }

    /// Whether a session is still served by this process, as far as Redis knows.
    fn is_ours(&self, found: &[Value]) -> bool {
        let text = |index: usize| found.get(index).and_then(Value::as_str);
        match (text(0), text(1)) {
            (Some(node), Some(epoch)) => node == self.shared.settings.node_id && epoch == self.epoch(),
            _ => true,
        }
    }

    fn epoch(&self) -> String {
        format!("{:016x}", self.shared.epoch)
    }

    fn remember(&self, session: &Session, now: u64) -> Vec<(Request, &'static str)> {
        let settings = &self.shared.settings;
        let mut requests = self.refreshed(session);
        if session.username.is_some() {
            let due = now + millis(settings.recovery_window);
            requests.push((Request::new("ZADD").arg(EXPIRING).show(due).show(session.pid), EXPIRING));
        }
        requests
    }

    /// The two hashes of a session that is here.
    fn refreshed(&self, session: &Session) -> Vec<(Request, &'static str)> {
        let settings = &self.shared.settings;
        let mut requests = Vec::with_capacity(5);
        let mut recovered = Request::new("HSET").arg(recovery(&session.pid)).arg("sid").show(session.sid);
        if let Some(username) = &session.username {
            let key = format!("session:{}", session.sid);
            let hash = Request::new("HSET").arg(&key).arg("username").arg(username.as_str());
            requests.push((hash.arg("node").arg(&settings.node_id), "session:*"));
            requests.push((expire(&key, settings.session_lifetime), "session:*"));
            recovered = recovered.arg("username").arg(username.as_str());
        }
        recovered = recovered.arg("node").arg(&settings.node_id).arg("epoch").arg(self.epoch());
        requests.push((recovered, "chat:recovery:*"));
        // Longer than the farewell takes to be due, which reads it.
        let lifetime = settings.recovery_window + settings.session_lifetime;
        requests.push((expire(&recovery(&session.pid), lifetime), "chat:recovery:*"));
        requests
    }

    fn tidy(&self, session: &Session) -> Vec<(Request, &'static str)> {
        let window = self.shared.settings.recovery_window;
        vec![
            (Request::new("DEL").arg(format!("session:{}", session.sid)), "session:*"),
            (expire(&recovery(&session.pid), window), "chat:recovery:*"),
            (Request::new("ZREM").arg(EXPIRING).show(session.pid), EXPIRING),
        ]
    }

    fn hand_over(&self, session: &Session, now: u64) -> Vec<(Request, &'static str)> {
        let settings = &self.shared.settings;
        let mut requests = self.remember(session, now);
        let key = format!("session:{}", session.sid);
        requests.push((expire(&key, settings.recovery_window), "session:*"));
        requests
    }

    fn bury(&self, session: &Session) -> Vec<(Request, &'static str)> {
        self.shared.measures.orphans.increment();
        vec![
            (Request::new("DEL").arg(format!("session:{}", session.sid)), "session:*"),
            (Request::new("DEL").arg(recovery(&session.pid)), "chat:recovery:*"),
            (Request::new("ZREM").arg(EXPIRING).show(session.pid), EXPIRING),
        ]
    }

    fn say_farewell(&self, session: &Session, once: String, orphan: Option<SessionId>) {
        let Some(username) = &session.username else {
            return;
        };
        let text = wording::left(username);
        let author = Author::Gone { orphan };
        let draft = Draft {
            text,
            once: Some(once),
            author,
            since: Instant::now(),
            place: None,
            number: 0,
            doubted: false,
        };
        if self.orders.try_send(Order::Write(draft)).is_err() {
            tracing::warn!(sid = %session.sid, "the queue to redis is full; a farewell is lost");
        }
    }

    /// Writes everybody who is here, before they expire. Who came back on another node belongs there.
    async fn refresh(&mut self, connection: &mut Connection) -> Result<(), Trouble> {
        let now = self.time(connection).await?;
        for sessions in self.shared.audience.sessions().chunks(BATCH) {
            let owners: Vec<Request> = sessions.iter().map(owner).collect();
            let owners = connection.pipeline(&owners, PATIENCE).await?;
            let mut requests = Vec::with_capacity(5 * sessions.len());
            for (session, found) in sessions.iter().zip(owners) {
                if self.is_ours(&found.into_array()) {
                    requests.extend(self.remember(session, now));
                } else {
                    self.shared.audience.moved(session.sid);
                }
            }
            if !requests.is_empty() {
                self.write(connection, &requests).await?;
            }
        }
        Ok(())
    }

    /// Says farewell for sessions that nobody refreshes any longer.
    async fn sweep(&mut self, connection: &mut Connection) -> Result<(), Trouble> {
        if !self.shared.connectivity.is_up(Side::Sessions) {
            self.check(connection).await?;
        }
        let now = self.time(connection).await?;
        let due = Request::new("ZRANGEBYSCORE").arg(EXPIRING).arg("-inf").show(now).arg("WITHSCORES");
        let due = due.arg("LIMIT").arg("0").show(ORPHANS);
        let due = orphans(connection.call(due, EXPIRING, PATIENCE).await?);
        if due.is_empty() {
            return Ok(());
        }
        // Those of ours were not refreshed in time; they will be.
        let here: HashSet<SessionId> =
            self.shared.audience.sessions().into_iter().map(|session| session.pid).collect();
        self.mourned.retain(|_, (_, since)| since.elapsed() < CONFIRMATION);
        for (pid, due) in due {
            if !here.contains(&pid) && !self.mourned.contains_key(&pid) {
                self.mourn(connection, pid, due).await?;
            }
        }
        Ok(())
    }

    async fn mourn(&mut self, connection: &mut Connection, pid: SessionId, due: u64) -> Result<(), Trouble> {
        let request = Request::new("HMGET").arg(recovery(&pid)).arg("sid").arg("username");
        let found = connection.call(request, "chat:recovery:*", PATIENCE).await?.into_array();
        let once = format!("f:{pid}:{due}");
        match recalled(pid, &found) {
            Some(session) if session.username.is_some() && self.shared.history.said(&once).is_none() => {
                self.say_farewell(&session, once, Some(pid));
                self.mourned.insert(pid, (session, Instant::now()));
                Ok(())
            }
            // Nobody knows its name any more, or another node was quicker and has not yet removed it.
            _ => {
                let request = Request::new("ZREM").arg(EXPIRING).show(pid);
                self.write(connection, &[(request, EXPIRING)]).await
            }
        }
    }

    /// What arrives while there is no connection.
    fn postpone(&mut self, task: Task) {
        match &task {
            // The refresh that comes first writes them all.
            Task::Remember(_) => return,
            Task::Recall { reply, .. } if reply.is_closed() => return,
            Task::Recall { .. }
            | Task::Leave(_)
            | Task::HandOver(_)
            | Task::Tidy(_)
            | Task::Mourned { .. }
            | Task::Finish(_) => {}
        }
        if self.backlog.len() == BACKLOG {
            tracing::warn!("too much is to be done when redis is back; the oldest is left out");
            self.backlog.pop_front();
        }
        self.backlog.push_back(task);
    }
}

fn recovery(pid: &SessionId) -> String {
    format!("chat:recovery:{pid}")
}

/// Asks which node serves a session.
fn owner(session: &Session) -> Request {
    Request::new("HMGET").arg(recovery(&session.pid)).arg("node").arg("epoch")
}

fn expire(key: &str, lifetime: Duration) -> Request {
    Request::new("PEXPIRE").arg(key).show(millis(lifetime).max(1))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The session in a hash's `sid` and `username`.
fn recalled(pid: SessionId, found: &[Value]) -> Option<Session> {
    let sid = found.first()?.as_str()?.parse().ok()?;
    let username = found.get(1).and_then(Value::as_str).and_then(|name| Username::parse(name).ok());
    Some(Session { sid, pid, username })
}

/// Members and scores; in RESP2 one after the other, in RESP3 as pairs.
fn orphans(reply: Value) -> Vec<(SessionId, u64)> {
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
