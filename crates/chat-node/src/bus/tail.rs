//! The reading side: follows the stream and delivers every entry to the clients of this node, in the stream's order.
//!
//! 1. At its first connection a node reads what was said in the last minutes into its history, so that it can serve
//!    clients that come back, and delivers nothing of it: nobody here has joined yet.
//! 2. From then on it remembers the last entry it saw and asks for what comes after, waiting on the server.
//! 3. After a lost connection it goes on from there, so nothing is missed as long as the stream still holds it.
//!
//! A Redis that lost its stream starts it anew, perhaps behind the remembered position when its clock is behind too.
//! So at each connection the position is taken back to the newest entry there is, never forward. On a connection that
//! stayed, an older newest entry means that the stream was emptied and all of it is new; a quiet read looks for that.
//! What is read again that way, as from a replica that is catching up, is known by its origin and dropped.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::backoff::Backoff;
use super::connection::Connection;
use super::connectivity::Side;
use super::dial::Dialer;
use super::entry::{Position, Record, records, records_of_read};
use super::resp::Request;
use super::trouble::Trouble;
use super::{Audience, PATIENCE, STREAM, Shared, newest};
use crate::history::Taken;

/// How long Redis holds a read open that has nothing to say.
const BLOCK: Duration = Duration::from_secs(2);
/// How much later than that the connection counts as dead.
const GRACE: Duration = PATIENCE;
/// Most entries taken at once: the round trip between two of them lets clients' queues drain while catching up.
const BATCH: usize = 128;
/// Entries of the past taken at once.
const PAGE: usize = 500;

/// Entries of a stream that was never trimmed for its length: that is never done below twice as many.
const SHORT: i64 = 500;

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
            self.shared.connectivity.down(Side::Read, &trouble);
            sleep(backoff.next_delay()).await;
        }
    }

    async fn connect(&mut self) -> Result<Connection, Trouble> {
        let (mut connection, server) = self.dialer.dial().await?;
        tracing::debug!(?server, "connected for reading");
        let newest = newest(&mut connection).await?;
        if self.position.is_none() {
            self.read_the_past(&mut connection, newest).await?;
        }
        let position = self.position.map_or(newest, |position| position.min(newest));
        self.position = Some(position);
        self.shared.measures.set_behind(position, newest);
        Ok(connection)
    }

    /// Fills the history, up to the newest entry at that moment.
    async fn read_the_past(&self, connection: &mut Connection, newest: Position) -> Result<(), Trouble> {
        let age = u64::try_from(self.shared.settings.history.age.as_millis()).unwrap_or(u64::MAX);
        let now = Instant::now();
        let mut from = Position { milliseconds: newest.milliseconds.saturating_sub(age), sequence: 0 };
        let mut has_begun = false;
        loop {
            let page = Request::new("XRANGE").arg(STREAM).show(from).show(newest).arg("COUNT").show(PAGE);
            let page = records(connection.call(page, STREAM, PATIENCE).await?);
            if !has_begun {
                let first = page.first().map(|record| record.position);
                let complete_after = self.complete_after(connection, from, first).await?;
                self.shared.history.begin(complete_after);
                has_begun = true;
            }
            let (count, last) = (page.len(), page.last().map(|record| record.position));
            for record in page {
                let since = newest.milliseconds.saturating_sub(record.position.milliseconds);
                let read_at = now.checked_sub(Duration::from_millis(since)).unwrap_or(now);
                self.shared.history.take(record, read_at);
            }
            match last {
                Some(last) if count == PAGE && last < newest => from = last.next(),
                _ => return Ok(()),
            }
        }
    }

    /// Behind which position everything is there that was ever said. The oldest are trimmed first, so what is older than
    /// what was read shows that nothing in between is missing. Without such a one, a stream that is far from its length
    /// was trimmed by age only, and what was trimmed that way nobody who may still come back has missed.
    async fn complete_after(
        &self,
        connection: &mut Connection,
        from: Position,
        first: Option<Position>,
    ) -> Result<Position, Trouble> {
        let before = Position { milliseconds: from.milliseconds.saturating_sub(1), sequence: u64::MAX };
        let older = Request::new("XREVRANGE").arg(STREAM).show(before).arg("-").arg("COUNT").arg("1");
        if let Some(older) = records(connection.call(older, STREAM, PATIENCE).await?).first() {
            return Ok(older.position);
        }
        let length = connection.call(Request::new("XLEN").arg(STREAM), STREAM, PATIENCE).await?;
        let is_short = length.as_integer().is_some_and(|length| length < SHORT);
        match first {
            Some(first) if !is_short => Ok(first),
            _ => Ok(Position::default()),
        }
    }

    /// Reads until the connection fails, and returns how.
    async fn follow(&mut self, mut connection: Connection, backoff: &mut Backoff) -> Trouble {
        self.shared.connectivity.up(Side::Read);
        loop {
            match self.advance(&mut connection).await {
                Ok(()) => backoff.reset(),
                Err(trouble) => return trouble,
            }
        }
    }

    async fn advance(&mut self, connection: &mut Connection) -> Result<(), Trouble> {
        let entries = self.read(connection).await?;
        let (count, position) = (entries.len(), self.position.unwrap_or_default());
        if count == 0 && newest(connection).await? < position {
            tracing::warn!("the stream was emptied and begins anew");
            self.position = Some(Position::default());
        }
        let last = entries.last().map_or(position, |record| record.position);
        let read_at = Instant::now();
        for record in entries {
            self.deliver(record, read_at);
        }
        if count < BATCH {
            self.shared.measures.set_behind(last, last);
        }
        Ok(())
    }

    async fn read(&self, connection: &mut Connection) -> Result<Vec<Record>, Trouble> {
        let position = self.position.unwrap_or_default();
        let request = Request::new("XREAD").arg("COUNT").show(BATCH).arg("BLOCK").show(BLOCK.as_millis());
        let request = request.arg("STREAMS").arg(STREAM).show(position);
        Ok(records_of_read(connection.call(request, STREAM, BLOCK + GRACE).await?))
    }

    fn deliver(&mut self, record: Record, read_at: Instant) {
        let position = record.position;
        self.position = Some(position);
        self.shared.measures.read.increment();
        match self.shared.history.take(record, read_at) {
            Taken::New(entry) => {
                self.shared.audience.deliver(&entry);
                self.shared.measures.delivered(position);
            }
            Taken::Copy => self.shared.measures.copies.increment(),
            // What others may have put into the stream is stepped over.
            Taken::Foreign => {}
        }
    }
}
