//! Who is here, kept in Redis: for others to look at, for clients that come back, and so that nobody's farewell is
//! forgotten when a node dies.
//!
//! - `session:{sid}` has the user name, as in the tutorial. It expires unless its node refreshes it.
//! - `chat:recovery:{pid}` says whose a private id is: `sid`, `username`, and the `node` and `epoch` that serve it. It
//!   outlives a client that has left by the time in which that may come back, and is removed with a late farewell.
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
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, sleep};

use super::backoff::Backoff;
use super::connection::Connection;
use super::connectivity::Side;
use super::dial::Dialer;
use super::keys::{
    About, EXPIRING, Keys, Owner, RECOVERY, bury, identity, orphans, overdue, owner, recalled,
};
use super::ledger::{Author, Draft};
use super::look::milliseconds;
use super::resp::{Request, Value};
use super::trouble::{Reason, Trouble};
use super::writer::Order;
use super::{Audience, PATIENCE, SessionId, Shared};
use crate::wording::{self, Username};

/// Most tasks taken at once, and sessions refreshed in one pipeline.
const BATCH: usize = 256;
/// Most tasks kept while Redis is away; the oldest go first.
const BACKLOG: usize = 10_000;
/// How often sessions whose node is gone are looked for.
const SWEEP: Duration = Duration::from_secs(1);
/// How long after a new connection they are not: longer than other nodes take to be back.
const GRACE: Duration = Duration::from_secs(5);
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
    keys: Keys,
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
        let keys = Keys::new(&shared.settings, shared.epoch);
        Self { shared, dialer, keys, orders, backlog: VecDeque::new(), mourned: HashMap::new() }
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
        let settings = &self.shared.settings;
        let often = settings.session_lifetime.min(settings.recovery_window) / 3;
        let mut refresh = interval(often);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Other nodes that were cut off with us need the time to refresh theirs.
        let mut sweep = interval_at(Instant::now() + GRACE, SWEEP.min(often));
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
                // Nothing is asked now, so this is the end of the connection, which is better known at once.
                reply = connection.next() => reply.and_then(|_| {
                    Err(Trouble::new(Reason::Protocol, "Redis answered what was not asked"))
                }),
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

    /// Makes sure that everything this task does is allowed.
    async fn check(&self, connection: &mut Connection) -> Result<(), Trouble> {
        self.write(connection, &self.keys.probe()).await
    }

    /// Sends writes, and judges by their answers whether sessions can be kept.
    async fn write(&self, connection: &mut Connection, requests: &[About]) -> Result<(), Trouble> {
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
                    requests.extend(self.keys.remember(&session, now));
                }
                Task::Leave(session) => {
                    if ours.contains(&session.pid) || self.keys.owner(&found) != Owner::Other {
                        self.say_farewell(&session, format!("f:{}:{now}", session.pid), None);
                        requests.extend(self.keys.tidy(&session));
                        unfinished.push(Task::Tidy(session));
                    }
                }
                Task::HandOver(session) => {
                    let owner = self.keys.owner(&found);
                    if owner == Owner::Nobody && !ours.contains(&session.pid) {
                        requests.extend(self.keys.remember(&session, now));
                    }
                    if owner != Owner::Other || ours.contains(&session.pid) {
                        requests.extend(self.keys.hand_over(&session, now));
                        unfinished.push(Task::HandOver(session));
                    }
                }
                Task::Tidy(session) => {
                    requests.extend(self.keys.tidy(&session));
                    unfinished.push(Task::Tidy(session));
                }
                Task::Recall { pid, reply } => {
                    // A client that does not wait any longer is told nothing.
                    reply.send(recalled(pid, &found)).ok();
                }
                Task::Mourned { pid, is_said } => {
                    if let Some((session, _)) = self.mourned.remove(&pid).filter(|_| is_said) {
                        self.shared.measures.orphans.increment();
                        requests.extend(bury(&session));
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
            Task::Recall { pid, .. } => Some(identity(pid)),
            Task::Leave(session) | Task::HandOver(session) => Some(owner(session)),
            Task::Remember(_) | Task::Tidy(_) | Task::Mourned { .. } | Task::Finish(_) => None,
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
                        return Err(Trouble::refusal("HMGET", RECOVERY, &said));
                    }
                    Some(reply) => reply.into_array(),
                    None => Vec::new(),
                },
            });
        }
        Ok(found)
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
                if self.keys.owner(&found.into_array()) == Owner::Other {
                    self.shared.audience.moved(session.sid);
                } else {
                    requests.extend(self.keys.remember(session, now));
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
        let due = orphans(connection.call(overdue(now, ORPHANS), EXPIRING, PATIENCE).await?);
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
        let found = connection.call(identity(&pid), RECOVERY, PATIENCE).await?.into_array();
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
