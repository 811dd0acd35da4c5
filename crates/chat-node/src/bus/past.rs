//! What the stream still has of what was said: read by a node that starts, and looked at by one that was cut off.
//!
//! The oldest entries are trimmed first. So an entry that is older than a place in the stream shows that behind that
//! place nothing is missing.

use std::time::Duration;

use tokio::time::Instant;

use super::connection::Connection;
use super::entry::{Position, Record, records};
use super::resp::Request;
use super::trouble::Trouble;
use super::{PATIENCE, STREAM, Shared};

/// Entries taken at once: of the longest messages there may be, a page is still far below the longest reply.
pub(super) const PAGE: usize = 64;
/// Entries of a stream that cannot have been trimmed for its length: none is left with fewer than twice as many.
const SHORT: i64 = 50;

/// The last entry of the stream; before all others when there is none.
pub(super) async fn newest(connection: &mut Connection) -> Result<Position, Trouble> {
    Ok(last_until(connection, "+").await?.unwrap_or_default())
}

/// Fills the history up to the newest entry at this moment. Nothing of it is delivered, so nobody comes back before all
/// of it is there; when it is cut, it is read again.
pub(super) async fn read<A>(
    shared: &Shared<A>,
    connection: &mut Connection,
    newest: Position,
) -> Result<(), Trouble> {
    let now = Instant::now();
    let begin = horizon(shared, newest);
    let mut from = begin;
    shared.history.fill(newest);
    loop {
        let page = page(connection, from, newest).await?;
        if from == begin {
            let first = page.first().map(|record| record.position);
            shared.history.begin(complete_after(connection, begin, first).await?);
        }
        let (count, last) = (page.len(), page.last().map(|record| record.position));
        for record in page {
            let since = newest.milliseconds.saturating_sub(record.position.milliseconds);
            let read_at = now.checked_sub(Duration::from_millis(since)).unwrap_or(now);
            shared.history.take(record, read_at);
        }
        match last {
            Some(last) if count == PAGE && last < newest => from = last.next(),
            _ => {
                shared.history.is_filled();
                return Ok(());
            }
        }
    }
}

/// Where a history begins that ends with `newest`.
pub(super) fn horizon<A>(shared: &Shared<A>, newest: Position) -> Position {
    let age = u64::try_from(shared.settings.history.age.as_millis()).unwrap_or(u64::MAX);
    Position { milliseconds: newest.milliseconds.saturating_sub(age), sequence: 0 }
}

/// The first entry behind `position` when some before it were trimmed that nobody here has read. A short stream without
/// entries as old as this was not trimmed but began anew: what is missing nobody can know, nor give back.
pub(super) async fn gap<A>(
    shared: &Shared<A>,
    connection: &mut Connection,
    position: Position,
) -> Result<Option<Position>, Trouble> {
    if last_until(connection, position).await?.is_some() {
        return Ok(None);
    }
    let length = connection.call(Request::new("XLEN").arg(STREAM), STREAM, PATIENCE).await?;
    let is_long = length.as_integer().is_some_and(|length| length >= SHORT);
    if !is_long && position.milliseconds >= shared.horizon() {
        return Ok(None);
    }
    let first = Request::new("XRANGE").arg(STREAM).arg("-").arg("+").arg("COUNT").arg("1");
    let first = records(connection.call(first, STREAM, PATIENCE).await?);
    Ok(first.first().map(|record| record.position))
}

/// Behind which position everything is there that was ever said: behind the last entry before `begin`, or else behind
/// the first one there is, since what came before that is not known.
async fn complete_after(
    connection: &mut Connection,
    begin: Position,
    first: Option<Position>,
) -> Result<Position, Trouble> {
    let before = Position { milliseconds: begin.milliseconds.saturating_sub(1), sequence: u64::MAX };
    Ok(last_until(connection, before).await?.or(first).unwrap_or_default())
}

async fn page(connection: &mut Connection, from: Position, until: Position) -> Result<Vec<Record>, Trouble> {
    let request = Request::new("XRANGE").arg(STREAM).show(from).show(until).arg("COUNT").show(PAGE);
    Ok(records(connection.call(request, STREAM, PATIENCE).await?))
}

async fn last_until(
    connection: &mut Connection,
    until: impl std::fmt::Display,
) -> Result<Option<Position>, Trouble> {
    let request = Request::new("XREVRANGE").arg(STREAM).show(until).arg("-").arg("COUNT").arg("1");
    let reply = connection.call(request, STREAM, PATIENCE).await?;
    Ok(records(reply).first().map(|record| record.position))
}
