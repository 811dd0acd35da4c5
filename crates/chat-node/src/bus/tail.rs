//! The reading side: follows the stream and delivers every entry to the clients of this node, in the stream's order.
//!
//! 1. At its first connection a node reads what was said in the last minutes into its history, so that it can serve
//!    clients that come back, and delivers nothing of it: nobody here has joined yet.
//! 2. From then on it remembers the last entry it saw and asks for what comes after, waiting on the server.
//! 3. After a lost connection it goes on from there, so nothing is missed as long as the stream still holds it.
//! 4. What the stream has trimmed meanwhile nobody can give back. That is noticed and told, so that no client is
//!    promised it has missed nothing.
//!
//! A Redis that lost its stream, or a replica that was behind when it took over, goes on with an older entry than the
//! last one seen, perhaps in the past. Then everything is read again that the history would remember: of that, each
//! entry is known by its origin and dropped, or new.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::backoff::Backoff;
use super::connection::Connection;
use super::connectivity::Side;
use super::dial::Dialer;
use super::entry::{Position, Record, records_of_read};
use super::past;
use super::resp::Request;
use super::trouble::Trouble;
use super::{Audience, PATIENCE, STREAM, Shared};
use crate::history::Taken;

/// How long Redis holds a read open that has nothing to say.
const BLOCK: Duration = Duration::from_secs(2);
/// Most entries taken at once: the round trip between two of them lets clients' queues drain while catching up.
const BATCH: usize = 128;
/// How old an entry is at most that is read as soon as it could be, in milliseconds.
const FRESH: u64 = 1000;
/// How often clients are looked at that have not caught up.
const LOOK: Duration = Duration::from_millis(25);
/// Most looks before the next entries are taken.
const LOOKS: usize = 40;
/// Looks without any progress after which nobody is waited for any longer: longer than a client far away takes to read
/// on, so those who do not read at all hold up the others no more than that.
const IDLE_LOOKS: usize = 8;

/// What a read does when there is nothing new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// It returns.
    None,
    /// It waits on the server.
    Some,
}

/// The task that owns the reading connection.
pub(super) struct Tail<A> {
    shared: Arc<Shared<A>>,
    dialer: Dialer,
    /// The last entry seen; `None` before the past was read.
    position: Option<Position>,
}

impl<A: Audience> Tail<A> {
    /// Nothing is connected before [`Tail::run`].
    pub(super) fn new(shared: Arc<Shared<A>>) -> Self {
        Self { dialer: Dialer::new(shared.settings.address.clone()), shared, position: None }
    }

    /// Follows the stream for ever.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            let trouble = match self.connect().await {
                Ok(connection) => {
                    self.shared.measures.connected[Side::Read as usize].increment();
                    let trouble = self.follow(connection, &mut backoff).await;
                    self.shared.measures.lost[Side::Read as usize].increment();
                    self.shared.connectivity.suspect();
                    trouble
                }
                Err(trouble) => trouble,
            };
            self.shared.is_caught_up.store(false, Ordering::Relaxed);
            self.shared.connectivity.down(Side::Read, &trouble);
            sleep(backoff.next_delay()).await;
        }
    }

    async fn connect(&mut self) -> Result<Connection, Trouble> {
        let (mut connection, server) = self.dialer.dial().await?;
        tracing::debug!(?server, "connected for reading");
        let newest = past::newest(&mut connection).await?;
        let position = match self.position {
            None => {
                past::read(&self.shared, &mut connection, newest).await?;
                newest
            }
            Some(position) if newest < position => past::horizon(&self.shared, newest),
            Some(position) => {
                self.look_for_a_gap(&mut connection, position).await?;
                position
            }
        };
        self.position = Some(position);
        // Nothing is there that is older than entries become.
        let behind = newest.milliseconds.saturating_sub(position.milliseconds).min(self.shared.lifetime());
        self.shared.measures.set_behind(behind);
        Ok(connection)
    }

    async fn look_for_a_gap(&self, connection: &mut Connection, position: Position) -> Result<(), Trouble> {
        // Before anything was said, nothing can be missing.
        if position == Position::default() {
            return Ok(());
        }
        if let Some(first) = past::gap(&self.shared, connection, position).await? {
            tracing::warn!(%position, %first, "the stream was trimmed before this node had read it");
            self.shared.measures.gaps.increment();
            self.shared.history.miss_until(first);
        }
        Ok(())
    }

    /// Reads until the connection fails, and returns how.
    async fn follow(&mut self, mut connection: Connection, backoff: &mut Backoff) -> Trouble {
        // Whether reading works is not known before something was read, or nothing.
        let mut patience = Patience::None;
        loop {
            match self.advance(&mut connection, patience).await {
                Ok(()) => {
                    self.shared.connectivity.up(Side::Read);
                    backoff.reset();
                }
                Err(trouble) => return trouble,
            }
            patience = Patience::Some;
        }
    }

    async fn advance(&mut self, connection: &mut Connection, patience: Patience) -> Result<(), Trouble> {
        let entries = self.read(connection, patience).await?;
        let (count, position) = (entries.len(), self.position.unwrap_or_default());
        if count == 0 {
            self.look_for_an_older_end(connection, position).await?;
        }
        let last = entries.last().map_or(position, |record| record.position);
        self.deliver(entries);
        self.note_progress(count, last);
        if count > 0 {
            // What they were just given is written first. What others say meanwhile then comes with one read, and not
            // one by one, as Redis answers a read that waits when the first of them is there. Nobody waits for it:
            // this thread is busy with the writing.
            tokio::task::yield_now().await;
        }
        if count == BATCH {
            self.let_clients_read().await;
        }
        Ok(())
    }

    async fn look_for_an_older_end(
        &mut self,
        connection: &mut Connection,
        position: Position,
    ) -> Result<(), Trouble> {
        let newest = past::newest(connection).await?;
        if newest < position {
            tracing::warn!(%position, %newest, "the stream ends before what was read of it");
            self.position = Some(past::horizon(&self.shared, newest));
        }
        Ok(())
    }

    async fn read(&self, connection: &mut Connection, patience: Patience) -> Result<Vec<Record>, Trouble> {
        let position = self.position.unwrap_or_default();
        let request = Request::new("XREAD").arg("COUNT").show(BATCH);
        let (request, longest) = match patience {
            Patience::None => (request, PATIENCE),
            Patience::Some => (request.arg("BLOCK").show(BLOCK.as_millis()), BLOCK + PATIENCE),
        };
        let request = request.arg("STREAMS").arg(STREAM).show(position);
        Ok(records_of_read(connection.call(request, STREAM, longest).await?))
    }

    /// Tells how far this node is with the last of a batch of so many entries.
    fn note_progress(&self, count: usize, last: Position) {
        let age = self.shared.measures.redis_now().saturating_sub(last.milliseconds);
        let is_more_there = count == BATCH;
        self.shared.measures.set_behind(if is_more_there { age } else { 0 });
        // While all speak at once there is always more.
        if !is_more_there || age < FRESH {
            self.shared.is_caught_up.store(true, Ordering::Relaxed);
        }
    }

    /// Waits while clients read on that have much before them.
    async fn let_clients_read(&self) {
        let (mut least, mut idle) = (usize::MAX, 0);
        for _ in 0..LOOKS {
            let pressure = self.shared.audience.pressure();
            idle = if pressure < least { 0 } else { idle + 1 };
            least = least.min(pressure);
            if pressure == 0 || idle == IDLE_LOOKS {
                return;
            }
            sleep(LOOK).await;
        }
    }

    /// Gives what was read at once to all who are here at once: what each of them costs is then paid once, too.
    fn deliver(&mut self, records: Vec<Record>) {
        let read_at = Instant::now();
        let mut new = Vec::with_capacity(records.len());
        for record in records {
            self.position = Some(record.position);
            self.shared.measures.read.increment();
            match self.shared.history.take(record, read_at) {
                Taken::New(entry) => new.push(entry),
                Taken::Copy => self.shared.measures.copies.increment(),
                // What others may have put into the stream is stepped over.
                Taken::Foreign => {}
            }
        }
        if !new.is_empty() {
            self.shared.audience.deliver(&new);
        }
        for entry in &new {
            self.shared.measures.delivered(entry.position);
        }
    }
}
