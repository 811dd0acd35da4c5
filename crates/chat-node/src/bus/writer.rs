//! The writing side: appends messages to the stream, each once and in order, and notices when Redis is away.
//!
//! 1. Connected, it sends what arrives at once, behind what is still unanswered, up to a bound: what gathers between
//!    two looks goes out as one write, and nobody waits for anybody else's answer.
//! 2. Answers come in the same order; what each means for its message, and what is done about those in doubt when a
//!    connection breaks, is in [`ledger`](super::ledger).
//! 3. Disconnected, it keeps what arrives, and the next attempt comes after a growing delay. What waits for too long is
//!    told to its sender.
//!
//! Before a connection counts as one, Redis is shown an XADD that it must turn down for its id. Every reason not to take
//! messages at all comes first: a replica, full memory, a full disk, a missing permission. So /readyz tells the truth
//! before the first message, and nobody loses one to find out that Redis is well again.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender};
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::backoff::Backoff;
use super::connection::Connection;
use super::connectivity::Side;
use super::dial::Dialer;
use super::entry::Position;
use super::ledger::{Author, Draft, Ledger, Settled, Verdict};
use super::look::{Look, append, judge_probe, look, milliseconds, probe};
use super::resp::{Request, Value};
use super::sessions::Task;
use super::trouble::{Reason, Trouble};
use super::{Audience, Outcome, PATIENCE, Receipt, STREAM, Shared};
use crate::wording;

/// Most messages taken from the queue at once.
const BATCH: usize = 256;
/// Most messages under way.
const WINDOW: usize = 1024;
/// How often the writer looks around.
const TICK: Duration = Duration::from_millis(250);
/// How often an idle connection is looked at, in ticks.
const IDLE: u64 = 4;
/// How often Redis is asked whether it still takes messages, in ticks. While it does not, it is asked at each.
const PROBE: u64 = 20;
/// How often the stream is trimmed by age, in ticks.
const TRIM: u64 = 40;
/// After which time a client is told that its message waits.
const IMPATIENCE: Duration = Duration::from_secs(1);

/// What the writer is asked for.
#[derive(Debug)]
pub(super) enum Order {
    /// A line to append.
    Write(Draft),
    /// The node ends, and what Redis does not take is not kept any longer. Answered when its senders have been told.
    GiveUp(oneshot::Sender<()>),
    /// Answered when everything asked for before is settled.
    Finish(oneshot::Sender<()>),
}

/// The task that owns the writing connection.
pub(super) struct Writer<A> {
    shared: Arc<Shared<A>>,
    dialer: Arc<Dialer>,
    ledger: Ledger,
    /// What we write comes behind this one.
    floor: Position,
    finishing: Vec<oneshot::Sender<()>>,
    /// The node is about to end.
    is_ending: bool,
    /// Who was told in this outage that messages wait.
    told: HashSet<super::SessionId>,
    /// Where to tell that an orphan's farewell is said.
    tasks: Sender<Task>,
    /// The server does not know XTRIM MINID.
    trims_by_length: bool,
}

/// One connection and what is expected of it.
struct Line {
    connection: Connection,
    expected: VecDeque<(Expected, Instant)>,
    /// When the last answer came.
    answered: Instant,
    /// Redis turns messages down; probes find out when that ends.
    refusing: bool,
    /// It does for now only, and what waits is not sent before that is over.
    paused: bool,
    ticks: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Append,
    Probe,
    Time,
    Trim,
}

/// Why one connection is not used any longer.
enum Ended {
    /// Nobody can ask for anything any more.
    Abandoned,
    Broken(Trouble),
}

impl Line {
    fn new(connection: Connection) -> Self {
        Self {
            connection,
            expected: VecDeque::new(),
            answered: Instant::now(),
            refusing: false,
            paused: false,
            ticks: 0,
        }
    }

    fn send(&mut self, request: &Request, expected: Expected) {
        self.connection.queue(request);
        self.expected.push_back((expected, Instant::now()));
    }

    /// When the other side counts as silent: answers that still come, if slowly, are no silence.
    fn deadline(&self) -> Instant {
        let oldest = self.expected.front().map_or_else(Instant::now, |(_, sent)| *sent);
        oldest.max(self.answered) + PATIENCE
    }
}

impl<A: Audience> Writer<A> {
    /// Nothing is connected before [`Writer::run`].
    pub(super) fn new(shared: Arc<Shared<A>>, tasks: Sender<Task>) -> Self {
        Self {
            dialer: Arc::new(Dialer::new(shared.settings.address.clone())),
            shared,
            ledger: Ledger::default(),
            floor: Position::default(),
            finishing: Vec::new(),
            is_ending: false,
            told: HashSet::new(),
            tasks,
            trims_by_length: false,
        }
    }

    /// Works until every sender of orders is gone.
    pub(super) async fn run(mut self, mut orders: Receiver<Order>) {
        let mut backoff = Backoff::default();
        loop {
            let Some(line) = self.reach(&mut orders, &mut backoff).await else {
                return;
            };
            match self.serve(line, &mut orders, &mut backoff).await {
                Ended::Abandoned => return,
                Ended::Broken(trouble) => {
                    self.shared.measures.lost[Side::Write as usize].increment();
                    self.shared.connectivity.down(Side::Write, &trouble);
                    let settled = self.ledger.broken();
                    self.settle(settled);
                    if self.meanwhile(&mut orders, sleep(backoff.next_delay())).await.is_none() {
                        return;
                    }
                }
            }
        }
    }

    /// Tries until there is a connection that takes messages, keeping what arrives. `None` when abandoned.
    async fn reach(&mut self, orders: &mut Receiver<Order>, backoff: &mut Backoff) -> Option<Line> {
        loop {
            let (shared, dialer) = (self.shared.clone(), self.dialer.clone());
            let looking = look(&shared, &dialer, self.floor, self.ledger.doubts());
            match self.meanwhile(orders, looking).await? {
                Ok(found) => {
                    // What is written before this node reads would never reach its own clients.
                    self.meanwhile(orders, shared.history.begun()).await?;
                    shared.measures.connected[Side::Write as usize].increment();
                    return Some(self.begin(found));
                }
                Err(trouble) => shared.connectivity.down(Side::Write, &trouble),
            }
            self.meanwhile(orders, sleep(backoff.next_delay())).await?;
        }
    }

    /// Waits for something while orders arrive and messages grow old. `None` when abandoned.
    async fn meanwhile<T>(
        &mut self,
        orders: &mut Receiver<Order>,
        something: impl Future<Output = T>,
    ) -> Option<T> {
        let mut something = std::pin::pin!(something);
        let mut tick = interval(TICK);
        loop {
            tokio::select! {
                biased;
                outcome = &mut something => return Some(outcome),
                order = orders.recv() => self.take(order?),
                _ = tick.tick() => self.grow_old(),
            }
        }
    }

    /// Draws the conclusions from the first look over a new connection.
    fn begin(&mut self, found: Look) -> Line {
        let doubts = self.ledger.doubts().len();
        let settled = self.ledger.resolve(&found.written);
        let written = found.written.len() as u64;
        self.shared.measures.doubts_written.add(written);
        self.shared.measures.doubts_missing.add((doubts as u64).saturating_sub(written));
        self.settle(settled);
        self.floor = found.floor;
        let mut line = Line::new(found.connection);
        match found.refusing {
            None => self.welcome_back(&mut line),
            Some(trouble) => self.turned_down(&mut line, &trouble),
        }
        line
    }

    async fn serve(&mut self, mut line: Line, orders: &mut Receiver<Order>, backoff: &mut Backoff) -> Ended {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(BATCH);
        let shared = self.shared.clone();
        loop {
            self.launch(&mut line);
            let deadline = line.deadline();
            tokio::select! {
                biased;
                reply = line.connection.next() => {
                    let outcome = reply.and_then(|reply| self.answered(&mut line, reply, backoff));
                    if let Err(trouble) = outcome {
                        return Ended::Broken(trouble);
                    }
                }
                taken = orders.recv_many(&mut batch, BATCH) => {
                    if taken == 0 {
                        return Ended::Abandoned;
                    }
                    batch.drain(..).for_each(|order| self.take(order));
                }
                () = sleep_until(deadline), if !line.expected.is_empty() => {
                    return Ended::Broken(Trouble::silence(PATIENCE));
                }
                () = shared.connectivity.suspected() => line.send(&Request::new("TIME"), Expected::Time),
                _ = tick.tick() => self.look_around(&mut line),
            }
        }
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Write(draft) => self.ledger.accept(draft),
            Order::GiveUp(done) => {
                self.is_ending = true;
                self.grow_old();
                // Whoever does not wait any longer needs no answer.
                done.send(()).ok();
            }
            Order::Finish(done) => {
                self.finishing.push(done);
                self.finish();
            }
        }
    }

    fn finish(&mut self) {
        if self.ledger.is_empty() {
            for done in self.finishing.drain(..) {
                // Whoever does not wait any longer needs no answer.
                done.send(()).ok();
            }
        }
    }

    /// Sends what waits, as far as there is room.
    fn launch(&mut self, line: &mut Line) {
        let mut launched = 0;
        while self.ledger.flying() < WINDOW && !line.paused {
            let Some(draft) = self.ledger.launch() else { break };
            line.send(&append(&self.shared, draft), Expected::Append);
            launched += 1;
        }
        if launched > 0 {
            self.shared.measures.pipeline.observe(launched);
        }
    }

    /// Draws the conclusions from one answer. An error means that the connection is of no use any more.
    fn answered(&mut self, line: &mut Line, reply: Value, backoff: &mut Backoff) -> Result<(), Trouble> {
        line.answered = Instant::now();
        let Some((expected, _)) = line.expected.pop_front() else {
            return Err(Trouble::new(Reason::Protocol, "Redis answered what was not asked"));
        };
        match expected {
            Expected::Append => self.appended(line, reply, backoff),
            Expected::Probe => match judge_probe(&reply) {
                Ok(()) => {
                    backoff.reset();
                    if line.refusing {
                        self.welcome_back(line);
                    }
                    Ok(())
                }
                Err(trouble) => self.refused(line, trouble),
            },
            Expected::Time => {
                if let Some(said) = reply.refusal() {
                    return self.refused(line, Trouble::refusal("TIME", "", said));
                }
                self.shared.measures.set_clock(milliseconds(reply).unwrap_or_default());
                Ok(())
            }
            Expected::Trim => {
                self.trimmed(&reply);
                Ok(())
            }
        }
    }

    fn appended(&mut self, line: &mut Line, reply: Value, backoff: &mut Backoff) -> Result<(), Trouble> {
        if let Some(said) = reply.refusal() {
            let trouble = Trouble::refusal("XADD", STREAM, said);
            let settled = self.ledger.refused(trouble.reason);
            self.settle(settled);
            // What else is under way is answered first; it decides what may be kept.
            line.paused |= trouble.reason.passes();
            self.turned_down(line, &trouble);
            let is_last = self.ledger.flying() == 0;
            return if is_last && trouble.reason.asks_for_another_server() { Err(trouble) } else { Ok(()) };
        }
        let Some(position) = reply.as_str().and_then(|id| id.parse().ok()) else {
            return Err(Trouble::new(Reason::Protocol, "Redis answered XADD without an id"));
        };
        self.floor = self.floor.max(position);
        let settled = self.ledger.written(position);
        self.settle(settled);
        backoff.reset();
        if line.refusing {
            self.welcome_back(line);
        }
        Ok(())
    }

    fn refused(&mut self, line: &mut Line, trouble: Trouble) -> Result<(), Trouble> {
        if trouble.reason.asks_for_another_server() {
            return Err(trouble);
        }
        self.turned_down(line, &trouble);
        Ok(())
    }

    fn turned_down(&mut self, line: &mut Line, trouble: &Trouble) {
        line.refusing = true;
        self.shared.connectivity.down(Side::Write, trouble);
    }

    fn welcome_back(&mut self, line: &mut Line) {
        (line.refusing, line.paused) = (false, false);
        self.shared.connectivity.up(Side::Write);
        self.told.clear();
        self.ledger.welcome_back();
    }

    fn look_around(&mut self, line: &mut Line) {
        line.ticks += 1;
        self.grow_old();
        let is_expected = |line: &Line, kind| line.expected.iter().any(|(expected, _)| *expected == kind);
        let is_due = line.refusing || line.ticks.is_multiple_of(PROBE);
        if is_due && !is_expected(line, Expected::Probe) {
            line.send(&probe(), Expected::Probe);
        }
        if line.ticks.is_multiple_of(IDLE) && !is_expected(line, Expected::Time) {
            line.send(&Request::new("TIME"), Expected::Time);
        }
        // Not at first: other nodes that were cut off too have not read what there is.
        if line.ticks % TRIM == TRIM - 1
            && !line.refusing
            && let Some(trim) = self.trim()
        {
            line.send(&trim, Expected::Trim);
        }
    }

    fn grow_old(&mut self) {
        let now = Instant::now();
        let is_up = self.shared.connectivity.is_up(Side::Write);
        let settled = if self.is_ending && !is_up {
            self.ledger.give_up()
        } else {
            self.ledger.expire(now, self.shared.settings.keep_for)
        };
        self.settle(settled);
        if is_up {
            return;
        }
        for session in self.ledger.impatient(now, IMPATIENCE) {
            if self.told.insert(session) {
                self.shared.audience.tell(session, wording::KEPT);
            }
        }
    }

    fn settle(&mut self, settled: Vec<Settled>) {
        for (draft, verdict) in settled {
            let measures = &self.shared.measures;
            match verdict {
                Verdict::Written(_) => {
                    measures.published.increment();
                    measures.publishing.observe_time(draft.since.elapsed());
                }
                Verdict::Refused(refusal) => measures.refuse(refusal),
                Verdict::Unknown => measures.unknown.increment(),
            }
            self.tell(draft.author, verdict);
        }
        self.finish();
    }

    fn tell(&self, author: Author, verdict: Verdict) {
        let outcome = match verdict {
            Verdict::Written(position) => Outcome::Said(position),
            Verdict::Refused(refusal) => Outcome::Refused(refusal),
            Verdict::Unknown => Outcome::Unknown,
        };
        match author {
            Author::Client { session, receipt: Some(number) } => {
                self.shared.audience.acknowledge(Receipt { session, number }, outcome);
            }
            Author::Client { session, receipt: None } => {
                if let Some(sentence) = outcome.sentence() {
                    self.shared.audience.tell(session, sentence);
                }
            }
            Author::Gone { orphan: Some(pid) } => {
                // When there is no room, the next sweep finds the same one again.
                self.tasks
                    .try_send(Task::Mourned { pid, is_said: matches!(verdict, Verdict::Written(_)) })
                    .ok();
            }
            Author::Gone { orphan: None } => {}
        }
    }

    /// By age, so that a quiet room forgets as well: all but the last entry before the horizon, which is the offset of
    /// those who have heard nothing since. So the stream is never empty, and a node that starts knows that offset.
    ///
    /// Older than 6.2, Redis only trims by length; then the length is that of what this node has read in the same time,
    /// with what others may write before the command arrives. That is known only where nothing is left to be read.
    fn trim(&self) -> Option<Request> {
        let request = Request::new("XTRIM").arg(STREAM);
        if self.trims_by_length {
            const MEANWHILE: usize = 100;
            let lifetime = Duration::from_millis(self.shared.lifetime());
            let since = Instant::now().checked_sub(lifetime).unwrap_or_else(Instant::now);
            let young = self.shared.history.read_since(since) + MEANWHILE;
            return self
                .shared
                .is_caught_up
                .load(Ordering::Relaxed)
                .then(|| request.arg("MAXLEN").arg("~").show(young));
        }
        let last = self.shared.history.last_until(self.shared.horizon());
        Some(request.arg("MINID").arg("~").show(last))
    }

    fn trimmed(&mut self, reply: &Value) {
        match reply.refusal() {
            Some(said) if said.contains("syntax") && !self.trims_by_length => self.trims_by_length = true,
            Some(said) => {
                let trouble = Trouble::refusal("XTRIM", STREAM, said);
                tracing::warn!(reason = trouble.sentence, "redis does not trim the stream");
            }
            None => {}
        }
    }
}
