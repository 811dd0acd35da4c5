//! Who is here, kept in Redis: for others to look at, for clients that come back, and so that nobody's farewell is
//! forgotten when a node dies.
//!
//! - `session:{sid}` has the user name, as in the tutorial. It expires unless its node refreshes it.
//! - `chat:recovery:{pid}` says whose a private id is: `sid`, `username`, the `node` that serves it, and `at`, when that
//!   [stay](super::stay) began. It outlives a client that has left by the time in which that may come back.
//! - `chat:expiring` is a sorted set of the private ids of all named clients, by the time at which their farewell is due
//!   unless somebody refreshes them.
//!
//! A client that leaves gets its farewell at once, unless another stay of it is later. One whose node dies gets it when it
//! is due, one that a drain has sent away a little earlier; [`orphans`](super::orphans) looks for such. The farewell is
//! written *first*, and what led to it removed when that is confirmed, so a crash in between loses nothing. Its key is
//! made of the private id and the time of the stay, so whoever says it, it is said once.
//!
//! What Redis refuses for now is put off until it takes writes again, which is looked for once a second.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender};
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, sleep};

use super::backlog::Backlog;
use super::backoff::Backoff;
use super::connection::Connection;
use super::connectivity::Side;
use super::dial::Dialer;
use super::keys::{About, Keys, RECOVERY, began, identity, recalled};
use super::ledger::{Author, Draft};
use super::look::milliseconds;
use super::orphans::Mourned;
use super::resp::{Request, Value};
use super::stay::{Presence, Standing};
use super::trouble::{Reason, Trouble};
use super::writer::Order;
use super::{Audience, PATIENCE, SessionId, Shared};
use crate::wording::{self, Username};

/// Most tasks taken at once, and sessions refreshed in one pipeline.
const BATCH: usize = 256;
/// How often sessions whose node is gone are looked for, and while Redis takes no writes, whether it does again.
const SWEEP: Duration = Duration::from_secs(1);
/// For how long they are not, once Redis can be used again: longer than other nodes take to be back.
const GRACE: Duration = Duration::from_secs(5);

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

/// What is left of a session that is over.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) session: Session,
    /// When the stay began that is over.
    pub(super) began: u64,
}

impl Rest {
    /// The key of its farewell.
    pub(super) fn once(&self) -> String {
        format!("f:{}:{}", self.session.pid, self.began)
    }
}

/// What a node may ask for.
#[derive(Debug)]
pub(super) enum Task {
    /// A session that began, was taken over or got a name.
    Remember(Presence),
    /// A client is gone for good or not; its farewell is said.
    Leave(Presence),
    /// A client is sent to another node, and has its time to get there.
    HandOver(Presence),
    /// What a left session leaves behind is removed.
    Tidy(Rest),
    /// Whose a private id is.
    Recall { pid: SessionId, reply: oneshot::Sender<Option<Session>> },
    /// The farewell of a session without a node was written, or not.
    Mourned { pid: SessionId, is_said: bool },
    /// Answered when everything asked for before is done.
    Finish(oneshot::Sender<()>),
}

impl Task {
    /// Whose state in Redis it depends on.
    fn about(&self) -> Option<&SessionId> {
        match self {
            Self::Remember(presence) | Self::Leave(presence) | Self::HandOver(presence) => {
                Some(&presence.session.pid)
            }
            Self::Tidy(rest) => Some(&rest.session.pid),
            Self::Recall { pid, .. } | Self::Mourned { pid, .. } => Some(pid),
            Self::Finish(_) => None,
        }
    }
}

/// What is to be written for some tasks.
#[derive(Debug, Default)]
struct Plan {
    requests: Vec<About>,
    /// Done once all of that is written.
    unfinished: Vec<Task>,
}

/// What Redis makes of writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writes {
    /// It takes them.
    Taken,
    /// It refuses them, which is told.
    Refused,
}

/// The task that owns the connection for sessions.
pub(super) struct Keeper<A> {
    pub(super) shared: Arc<Shared<A>>,
    dialer: Dialer,
    keys: Keys,
    orders: Sender<Order>,
    backlog: Backlog,
    /// Orphans whose farewell is under way.
    pub(super) mourned: Mourned,
    /// Until then nobody is mourned.
    quiet_until: Instant,
}

/// Why a connection is not used any longer.
enum Ended {
    Abandoned,
    Broken(Trouble),
}

impl<A: Audience> Keeper<A> {
    /// Nothing is connected before [`Keeper::run`].
    pub(super) fn new(shared: Arc<Shared<A>>, orders: Sender<Order>) -> Self {
        Self {
            dialer: Dialer::new(shared.settings.address.clone()),
            keys: Keys::new(&shared.settings),
            shared,
            orders,
            backlog: Backlog::default(),
            mourned: Mourned::default(),
            quiet_until: Instant::now(),
        }
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
                        Some(task) => self.backlog.push(task),
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
        if let Err(trouble) = self.resume(&mut connection).await {
            return Ended::Broken(trouble);
        }
        backoff.reset();
        let settings = &self.shared.settings;
        let often = settings.session_lifetime.min(settings.recovery_window) / 3;
        let mut refresh = interval_at(Instant::now() + often, often);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sweep = interval(SWEEP.min(often));
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
                _ = refresh.tick() => self.keep(&mut connection).await,
                _ = sweep.tick() => self.sweep(&mut connection).await,
            };
            if let Err(trouble) = outcome {
                return Ended::Broken(trouble);
            }
        }
    }

    /// Begins, or goes on where Redis can be used again: writes everybody who is here, and does what was put off.
    /// Nothing else says that sessions can be kept, or it would be said before that is done.
    async fn resume(&mut self, connection: &mut Connection) -> Result<(), Trouble> {
        self.quiet_until = Instant::now() + GRACE;
        if self.refresh(connection).await? == Writes::Taken {
            self.shared.connectivity.up(Side::Sessions);
        }
        // What is put off again meanwhile comes behind these.
        let mut left = self.backlog.len();
        while left > 0 {
            let batch = self.backlog.take(left.min(BATCH));
            left -= batch.len();
            self.work(connection, batch).await?;
        }
        Ok(())
    }

    /// Keeps alive what is kept, or looks whether that can be done again.
    async fn keep(&mut self, connection: &mut Connection) -> Result<(), Trouble> {
        if self.shared.connectivity.is_up(Side::Sessions) {
            self.refresh(connection).await.map(|_| ())
        } else {
            self.recover(connection).await
        }
    }

    /// Goes on if Redis takes writes again.
    pub(super) async fn recover(&mut self, connection: &mut Connection) -> Result<(), Trouble> {
        match self.write(connection, &self.keys.probe()).await? {
            Writes::Taken => self.resume(connection).await,
            Writes::Refused => Ok(()),
        }
    }

    /// Whether other nodes may not have been able yet to refresh theirs.
    pub(super) fn is_quiet(&self) -> bool {
        Instant::now() < self.quiet_until
    }

    /// Sends writes. A refusal that is about more than these says that sessions cannot be kept now.
    pub(super) async fn write(
        &self,
        connection: &mut Connection,
        requests: &[About],
    ) -> Result<Writes, Trouble> {
        let plain: Vec<Request> = requests.iter().map(|(request, _)| request.clone()).collect();
        let replies = connection.pipeline(&plain, PATIENCE).await?;
        let mut refusals = requests.iter().zip(&replies).filter_map(|((request, key), reply)| {
            Some(Trouble::refusal(request.name(), key, reply.refusal()?))
        });
        match refusals.next() {
            None => Ok(Writes::Taken),
            Some(trouble) if trouble.reason.passes() => Err(trouble),
            Some(trouble) => {
                self.shared.connectivity.down(Side::Sessions, &trouble);
                Ok(Writes::Refused)
            }
        }
    }

    pub(super) async fn time(&self, connection: &mut Connection) -> Result<u64, Trouble> {
        let reply = connection.call(Request::new("TIME"), "", PATIENCE).await?;
        milliseconds(reply)
            .ok_or_else(|| Trouble::new(Reason::Protocol, "Redis answered TIME without a time"))
    }

    /// Does what was asked for; what could not be done is put off.
    async fn work(&mut self, connection: &mut Connection, tasks: Vec<Task>) -> Result<(), Trouble> {
        let (found, now) = match self.ask(connection, &tasks).await {
            Ok(answers) => answers,
            Err(trouble) => {
                for task in tasks {
                    self.backlog.push(task);
                }
                return Err(trouble);
            }
        };
        let mut plan = Plan::default();
        for (task, found) in tasks.into_iter().zip(found) {
            self.decide(&mut plan, task, &found, now);
        }
        let outcome = self.write(connection, &plan.requests).await;
        for task in plan.unfinished {
            match (task, &outcome) {
                (Task::Finish(done), Ok(Writes::Taken)) => {
                    done.send(()).ok();
                }
                (_, Ok(Writes::Taken)) => {}
                (task, Ok(Writes::Refused) | Err(_)) => self.backlog.push(task),
            }
        }
        outcome.map(|_| ())
    }

    /// Reads what the tasks need to know, one list a task, and Redis' clock.
    async fn ask(
        &self,
        connection: &mut Connection,
        tasks: &[Task],
    ) -> Result<(Vec<Vec<Value>>, u64), Trouble> {
        let asked = tasks.iter().filter_map(Task::about).map(identity).collect::<Vec<_>>();
        let mut replies = connection.pipeline(&asked, PATIENCE).await?.into_iter();
        let mut found = Vec::with_capacity(tasks.len());
        for task in tasks {
            found.push(match task.about().and_then(|_| replies.next()) {
                Some(Value::Error(said)) => return Err(Trouble::refusal("HMGET", RECOVERY, &said)),
                Some(reply) => reply.into_array(),
                None => Vec::new(),
            });
        }
        Ok((found, self.time(connection).await?))
    }

    /// Decides what one task comes to, by what Redis knows of its session.
    fn decide(&mut self, plan: &mut Plan, task: Task, found: &[Value], now: u64) {
        match task {
            Task::Remember(presence) => {
                presence.stay.arrive(now, began(found));
                if presence.stay.standing(now, began(found)) != Standing::Over {
                    plan.requests.extend(self.remember(&presence, now));
                }
            }
            Task::Leave(presence) => self.leave(plan, presence, found, now),
            Task::HandOver(presence) => self.hand_over(plan, presence, found, now),
            Task::Tidy(rest) => self.tidy(plan, rest, found),
            Task::Recall { pid, reply } => {
                // A client that does not wait any longer is told nothing.
                reply.send(recalled(pid, found)).ok();
            }
            Task::Mourned { pid, is_said } => {
                if let Some(rest) = self.mourned.remove(pid).filter(|_| is_said) {
                    self.shared.measures.orphans.increment();
                    self.tidy(plan, rest, found);
                }
            }
            Task::Finish(done) => plan.unfinished.push(Task::Finish(done)),
        }
    }

    fn remember(&self, presence: &Presence, now: u64) -> Vec<About> {
        let (began, due) = (presence.stay.arrive(now, None), self.keys.due(now));
        presence.stay.postpone(due);
        self.keys.remember(&presence.session, began, due)
    }

    fn leave(&mut self, plan: &mut Plan, presence: Presence, found: &[Value], now: u64) {
        let is_over = match presence.stay.standing(now, began(found)) {
            Standing::Latest => false,
            // Either Redis was emptied, or this node was cut off for so long that another one has said farewell.
            Standing::Unknown => presence.stay.is_overdue(now),
            Standing::Over => true,
        };
        if !is_over {
            let rest = Rest { began: presence.stay.arrive(now, None), session: presence.session };
            self.say_farewell(&rest, None);
            plan.requests.extend(self.keys.tidy(&rest.session));
            plan.unfinished.push(Task::Tidy(rest));
        }
    }

    fn hand_over(&self, plan: &mut Plan, presence: Presence, found: &[Value], now: u64) {
        match presence.stay.standing(now, began(found)) {
            Standing::Over => return,
            Standing::Unknown => plan.requests.extend(self.remember(&presence, now)),
            Standing::Latest => {}
        }
        plan.requests.extend(self.keys.hand_over(&presence.session, self.keys.due_elsewhere(now)));
        plan.unfinished.push(Task::HandOver(presence));
    }

    /// Unless the client is back meanwhile.
    fn tidy(&self, plan: &mut Plan, rest: Rest, found: &[Value]) {
        if began(found).is_none_or(|began| began <= rest.began) {
            plan.requests.extend(self.keys.tidy(&rest.session));
            plan.unfinished.push(Task::Tidy(rest));
        }
    }

    pub(super) fn say_farewell(&self, rest: &Rest, orphan: Option<SessionId>) {
        let Some(username) = &rest.session.username else {
            return;
        };
        let draft = Draft {
            text: wording::left(username),
            once: Some(rest.once()),
            author: Author::Gone { orphan },
            since: Instant::now(),
            place: None,
            number: 0,
            doubted: false,
        };
        if self.orders.try_send(Order::Write(draft)).is_err() {
            tracing::warn!(sid = %rest.session.sid, "the queue to redis is full; a farewell is lost");
        }
    }

    /// Writes everybody who is here, before they expire. Who came back elsewhere belongs there. A node where nobody is
    /// looks as well whether Redis takes writes: while it does not, nobody else's sessions are refreshed either.
    async fn refresh(&mut self, connection: &mut Connection) -> Result<Writes, Trouble> {
        let now = self.time(connection).await?;
        let mut outcome = self.write(connection, &self.keys.probe()).await?;
        for presences in self.shared.audience.presences().chunks(BATCH) {
            let asked: Vec<Request> =
                presences.iter().map(|presence| identity(&presence.session.pid)).collect();
            let replies = connection.pipeline(&asked, PATIENCE).await?;
            let mut requests = Vec::with_capacity(5 * presences.len());
            for (presence, found) in presences.iter().zip(replies) {
                match presence.stay.standing(now, began(&found.into_array())) {
                    Standing::Over => self.shared.audience.moved(presence),
                    Standing::Latest | Standing::Unknown => requests.extend(self.remember(presence, now)),
                }
            }
            if self.write(connection, &requests).await? == Writes::Refused {
                outcome = Writes::Refused;
            }
        }
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::super::measures::Measures;
    use super::super::stay::Stay;
    use super::super::{Budget, Connectivity, Entry, Outcome, Receipt, some_id};
    use super::*;
    use crate::config::{Config, NodeId};
    use crate::history::History;

    struct Nobody;

    impl Audience for Nobody {
        fn deliver(&self, _: &[Arc<Entry>]) {}
        fn tell(&self, _: SessionId, _: &str) {}
        fn acknowledge(&self, _: Receipt, _: Outcome) {}
        fn moved(&self, _: &Presence) {}

        fn presences(&self) -> Vec<Presence> {
            Vec::new()
        }

        fn pressure(&self) -> usize {
            0
        }
    }

    fn keeper() -> (Keeper<Nobody>, Receiver<Order>) {
        let address = super::super::RedisAddress::parse("redis://127.0.0.1/0").unwrap();
        let settings = Config::new(NodeId::parse("ecs01").unwrap(), address).bus();
        let measures = Arc::new(Measures::new(Arc::new(Budget::new(1, 1))));
        let shared = Arc::new(Shared {
            history: Arc::new(History::new(settings.history)),
            connectivity: Arc::new(Connectivity::new(measures.clone())),
            measures,
            settings,
            audience: Arc::new(Nobody),
            epoch: 1,
            is_caught_up: false.into(),
        });
        let (orders, ordered) = mpsc::channel(10);
        (Keeper::new(shared, orders), ordered)
    }

    fn ada() -> Presence {
        let username = Some(Username::parse("Ada").unwrap());
        Presence { session: Session { sid: some_id(), pid: some_id(), username }, stay: Stay::begin() }
    }

    /// What Redis knows of a session, in a stay that began then.
    fn known(session: &Session, began: u64) -> Vec<Value> {
        let text = |text: String| Value::Text(text.into());
        vec![text(session.sid.to_string()), text("Ada".to_owned()), text(began.to_string())]
    }

    fn decided(keeper: &mut Keeper<Nobody>, task: Task, found: &[Value], now: u64) -> Plan {
        let mut plan = Plan::default();
        keeper.decide(&mut plan, task, found, now);
        plan
    }

    #[test]
    fn what_a_client_left_behind_is_not_taken_from_one_that_is_back() {
        let (mut keeper, _orders) = keeper();
        let session = ada().session;
        for (began, is_tidied) in [(500, true), (501, false)] {
            let rest = || Rest { session: session.clone(), began: 500 };
            let plan = decided(&mut keeper, Task::Tidy(rest()), &known(&session, began), 9000);
            assert_eq!(plan.requests.is_empty(), !is_tidied);
            keeper.mourned.insert(rest());
            let mourned = Task::Mourned { pid: session.pid, is_said: true };
            let plan = decided(&mut keeper, mourned, &known(&session, began), 9000);
            assert_eq!((plan.requests.is_empty(), plan.unfinished.is_empty()), (!is_tidied, !is_tidied));
        }
        keeper.mourned.insert(Rest { session: session.clone(), began: 500 });
        let unsaid = Task::Mourned { pid: session.pid, is_said: false };
        assert!(decided(&mut keeper, unsaid, &known(&session, 500), 9000).requests.is_empty());
    }

    #[test]
    fn whoever_says_the_farewell_of_a_stay_gives_it_the_same_key() {
        let (mut keeper, mut orders) = keeper();
        let presence = ada();
        let session = presence.session.clone();
        decided(&mut keeper, Task::Remember(presence.clone()), &[], 1000);
        decided(&mut keeper, Task::Leave(presence), &known(&session, 1000), 9000);
        let Ok(Order::Write(draft)) = orders.try_recv() else { panic!("nothing is said") };
        assert_eq!(draft.once, Some(Rest { session, began: 1000 }.once()));
    }

    #[test]
    fn a_stay_that_redis_never_heard_of_gets_its_farewell_and_one_that_is_overdue_does_not() {
        let (mut keeper, mut orders) = keeper();
        decided(&mut keeper, Task::Leave(ada()), &[], 1000);
        assert!(orders.try_recv().is_ok());
        let presence = ada();
        decided(&mut keeper, Task::Remember(presence.clone()), &[], 1000);
        decided(&mut keeper, Task::Leave(presence), &[], 1_000_000);
        assert!(orders.try_recv().is_err());
    }
}
