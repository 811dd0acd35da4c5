//! The way between the nodes: one Redis Stream, written by [`writer`] and read by [`tail`], and who is where, kept by
//! [`sessions`].
//!
//! Each has a connection of its own: a blocking read would hold up everything behind it, and messages do not wait for
//! thousands of refreshed sessions. All reconnect by themselves; [`connectivity`] knows how they are doing. Nothing here
//! fails when Redis is away: a node serves without it, says so, and recovers. What the rest of the node wants to know
//! of it, it hears as an [`Audience`].
//!
//! Underneath: [`address`] (the URL), [`dial`] (names, TCP, [`tls`]), [`greeting`] (login, versions), [`connection`] and
//! [`resp`] (the wire), [`trouble`] (what is wrong, in words), [`ledger`] (what is written once and in order),
//! [`budget`] (how much may wait), [`past`] (what the stream still has), [`stay`] (whose session is whose),
//! [`backlog`] and [`orphans`] (what is put off, and who is mourned), [`measures`] (what is counted).
//!
//! Commands used, for whoever writes access rules: HELLO, AUTH, SELECT, INFO, TIME, XADD, XREAD, XRANGE,
//! XREVRANGE, XLEN, XTRIM, HSET, HMGET, PEXPIRE, DEL, ZADD, ZREM, ZRANGEBYSCORE. Keys used: `chat:messages`,
//! `chat:recovery:{pid}`, `chat:expiring`, `session:{sid}`. As a rule for a user of Redis 6 and newer:
//! `~chat:* ~session:* +hello +auth +select +info +time +xadd +xread +xrange +xrevrange +xtrim +xlen +hset +hmget`
//! `+pexpire +del +zadd +zrem +zrangebyscore`.

mod address;
mod backlog;
mod backoff;
mod budget;
mod connection;
pub mod connectivity;
mod dial;
pub(crate) mod entry;
mod greeting;
mod keys;
mod ledger;
mod look;
pub mod measures;
mod orphans;
mod past;
mod resp;
pub mod sessions;
mod stay;
mod tail;
mod tls;
pub mod trouble;
mod writer;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// How sessions are named.
pub use crate::session_id::SessionId;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout};

pub use address::{AddressError, Protocol, RedisAddress};
use budget::Budget;
use connectivity::Connectivity;
pub use entry::{BadPosition, Entry, Position};
use ledger::{Author, Draft};
use measures::Measures;
pub use measures::Refusal;
pub use sessions::Session;
use sessions::Task;
pub use stay::{Presence, Stay};
use trouble::Trouble;
use writer::Order;

use crate::history::{Bounds, History};
use crate::wording;

/// The key of the stream.
pub const STREAM: &str = "chat:messages";

/// Orders that may be on their way to the writer, and tasks on their way to the keeper of sessions.
const QUEUE: usize = 8192;
/// How long Redis may take to accept a connection or to answer a command that does not block.
const PATIENCE: Duration = Duration::from_secs(2);

/// How much older than the history an entry is before it goes.
const MARGIN: Duration = Duration::from_mins(1);

/// What this side of the node needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where Redis is.
    pub address: RedisAddress,
    /// The name of this node.
    pub node_id: String,
    /// About how many messages the stream keeps at most.
    pub stream_length: usize,
    /// About how many bytes of them.
    pub stream_bytes: usize,
    /// How many messages may wait while Redis is away.
    pub kept_messages: usize,
    /// How many bytes of them.
    pub kept_bytes: usize,
    /// For how long one may wait.
    pub keep_for: Duration,
    /// For how long a client that is gone may come back to what it missed.
    pub recovery_window: Duration,
    /// How long a session hash outlives its node. Sessions are refreshed three times in that span, or in the one above
    /// when it is shorter.
    pub session_lifetime: Duration,
    /// How much is remembered of what was said.
    pub history: Bounds,
}

/// Who listens: the room. Nothing here may wait.
pub trait Audience: Send + Sync + 'static {
    /// The next entries of the stream, for every client. Always called by the same task.
    fn deliver(&self, entries: &[Arc<Entry>]);
    /// A sentence for one client, if it is still here.
    fn tell(&self, session: SessionId, sentence: &str);
    /// What became of a message whose sender asked for it.
    fn acknowledge(&self, receipt: Receipt, outcome: Outcome);
    /// Everybody who is here.
    fn presences(&self) -> Vec<Presence>;
    /// A client came back elsewhere; the connection of this stay is dead, only nobody has noticed yet.
    fn moved(&self, presence: &Presence);
    /// How much waits for clients that have not caught up with what was delivered: zero when none is behind by much,
    /// and less than before as long as they read.
    fn pressure(&self) -> usize;
}

/// An acknowledgement somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// Who does.
    pub session: SessionId,
    /// Which one of his.
    pub number: u64,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the stream, there.
    Said(Position),
    /// It is not, and never will be.
    Refused(Refusal),
    /// Nobody knows.
    Unknown,
}

impl Outcome {
    /// What its sender is told. `None` when the message itself tells.
    pub fn sentence(self) -> Option<&'static str> {
        match self {
            Self::Said(_) => None,
            Self::Refused(_) => Some(wording::NOT_SENT),
            Self::Unknown => Some(wording::MAYBE_NOT_SENT),
        }
    }
}

/// A message of a client.
#[derive(Debug, Clone)]
pub struct Say {
    /// Whose it is.
    pub session: SessionId,
    /// The line as everybody will see it.
    pub text: String,
    /// The private id of the session and the client's own id of the message: the same pair is said once only.
    pub once: Option<(SessionId, String)>,
    /// Which acknowledgement its sender waits for; without one he is told by a sentence when it fails.
    pub receipt: Option<u64>,
}

/// What became of a message at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// The audience will hear.
    Queued,
    /// It was said before, there.
    Known(Position),
}

/// Redis could not be asked in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unavailable;

/// What all three sides share.
struct Shared<A> {
    settings: Settings,
    audience: Arc<A>,
    history: Arc<History>,
    connectivity: Arc<Connectivity>,
    measures: Arc<Measures>,
    /// Tells this run of the process from every other.
    epoch: u64,
    /// Whether this node knows the stream as it is now, and not only as it was before an outage.
    is_caught_up: AtomicBool,
}

impl<A> Shared<A> {
    /// For how long an entry stays in the stream, if there are not too many; in milliseconds.
    fn lifetime(&self) -> u64 {
        u64::try_from((self.settings.history.age + MARGIN).as_millis()).unwrap_or(u64::MAX)
    }

    /// The moment of Redis' clock before which entries are trimmed.
    fn horizon(&self) -> u64 {
        self.measures.redis_now().saturating_sub(self.lifetime())
    }
}

/// The handle on all sides.
#[derive(Debug)]
pub struct Bus {
    orders: mpsc::Sender<Order>,
    tasks: mpsc::Sender<Task>,
    history: Arc<History>,
    connectivity: Arc<Connectivity>,
    measures: Arc<Measures>,
    /// Ends them when it is dropped.
    running: Mutex<JoinSet<()>>,
}

impl Bus {
    /// Starts all sides; none needs Redis to be there yet.
    pub fn start<A: Audience>(settings: Settings, audience: Arc<A>) -> Self {
        let (orders, ordered) = mpsc::channel(QUEUE);
        let (tasks, asked) = mpsc::channel(QUEUE);
        let budget = Arc::new(Budget::new(settings.kept_messages, settings.kept_bytes));
        let measures = Arc::new(Measures::new(budget));
        let connectivity = Arc::new(Connectivity::new(measures.clone()));
        let history = Arc::new(History::new(settings.history));
        let shared = Arc::new(Shared {
            settings,
            audience,
            history: history.clone(),
            connectivity: connectivity.clone(),
            measures: measures.clone(),
            epoch: rand::random(),
            is_caught_up: AtomicBool::new(false),
        });
        let mut running = JoinSet::new();
        running.spawn(writer::Writer::new(shared.clone(), tasks.clone()).run(ordered));
        running.spawn(tail::Tail::new(shared.clone()).run());
        running.spawn(sessions::Keeper::new(shared, orders.clone()).run(asked));
        Self { orders, tasks, history, connectivity, measures, running: Mutex::new(running) }
    }

    /// Returns when one of the sides has failed for good, by a panic: none ends by itself.
    pub async fn failed(&self) -> JoinError {
        let mut running = self.running.lock().await;
        loop {
            match running.join_next().await {
                Some(Err(error)) => return error,
                Some(Ok(())) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Takes a message, in the order of the calls.
    ///
    /// # Errors
    /// When too much waits already.
    pub fn say(&self, say: Say) -> Result<Accepted, Refusal> {
        let once = say.once.map(|(pid, id)| format!("m:{pid}:{id}"));
        if let Some(position) = once.as_deref().and_then(|once| self.history.said(once)) {
            return Ok(Accepted::Known(position));
        }
        let crowded = || {
            self.measures.refuse(Refusal::Crowded);
            Refusal::Crowded
        };
        let place = self.measures.budget.take(say.text.len()).ok_or_else(crowded)?;
        let draft = Draft {
            text: say.text,
            once,
            author: Author::Client { session: say.session, receipt: say.receipt },
            since: Instant::now(),
            place: Some(place),
            number: 0,
            doubted: false,
        };
        self.orders.try_send(Order::Write(draft)).map_err(|_| crowded())?;
        Ok(Accepted::Queued)
    }

    /// A session began here, was taken over, or got a name.
    pub fn remember(&self, presence: Presence) {
        // When there is no room, the next refresh writes it.
        self.tasks.try_send(Task::Remember(presence)).ok();
    }

    /// A client is gone; its farewell is said at once. It may still come back.
    pub fn leave(&self, presence: Presence) {
        let sid = presence.session.sid;
        if self.tasks.try_send(Task::Leave(presence)).is_err() {
            tracing::warn!(%sid, "too much is to be done in redis; a farewell is late");
        }
    }

    /// A client is sent to another node; its farewell is said when it does not come back in time.
    pub fn hand_over(&self, presence: Presence) {
        // When there is no room, it is as if this node had died: the farewell is due a little later.
        self.tasks.try_send(Task::HandOver(presence)).ok();
    }

    /// Whose a private id is, when it may still come back.
    ///
    /// # Errors
    /// When Redis does not answer within that time.
    pub async fn recall(&self, pid: SessionId, patience: Duration) -> Result<Option<Session>, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.tasks.try_send(Task::Recall { pid, reply }).map_err(|_| Unavailable)?;
        timeout(patience, answer).await.map_err(|_| Unavailable)?.map_err(|_| Unavailable)
    }

    /// What was said lately.
    pub fn history(&self) -> &Arc<History> {
        &self.history
    }

    /// How the connections to Redis are.
    pub fn connectivity(&self) -> &Connectivity {
        &self.connectivity
    }

    /// What was counted.
    pub fn measures(&self) -> &Measures {
        &self.measures
    }

    /// Appends what is measured here to the text of `/metrics`.
    pub fn measure(&self, text: &mut String) {
        self.measures.write(text);
        self.connectivity.write(text);
    }

    /// This node is about to end: what waits because Redis takes no messages, now or later, is not kept any longer.
    /// Returns when those who said it have been told.
    pub async fn give_up(&self) {
        let (done, told) = oneshot::channel();
        if self.orders.send(Order::GiveUp(done)).await.is_ok() {
            told.await.ok();
        }
    }

    /// Returns when everything asked for so far is done. Waits as long as Redis is away: put a limit around it.
    pub async fn finish(&self) {
        let (done, finished) = oneshot::channel();
        if self.tasks.send(Task::Finish(done)).await.is_ok() {
            finished.await.ok();
        }
        let (done, finished) = oneshot::channel();
        if self.orders.send(Order::Finish(done)).await.is_ok() {
            finished.await.ok();
        }
    }
}

/// Resolves the name of a Redis, logs in, and says what answers.
///
/// # Errors
/// What keeps it from being used.
pub async fn check(address: &RedisAddress) -> Result<String, Trouble> {
    let (_, server) = dial::Dialer::new(address.clone()).dial().await?;
    let version = server.version.as_deref().unwrap_or("of a version it does not tell");
    Ok(format!("Redis {version}, RESP{}", server.protocol))
}

/// A new id, as good as any.
#[cfg(test)]
fn some_id() -> SessionId {
    SessionId::random()
}
