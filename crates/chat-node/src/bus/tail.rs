//! The reading side: follows the stream and delivers every entry to the clients of this node, in the stream's order.
//!
//! 1. At its first connection a node starts behind the newest entry: what was said before nobody here has joined.
//! 2. From then on it remembers the last entry it saw and asks for what comes after, waiting on the server.
//! 3. After a lost connection it goes on from there, so nothing is missed as long as the stream still holds it.
//!
//! A Redis that lost its stream starts it anew, perhaps behind the remembered position when its clock is behind too.
//! So at each connection the position is taken back to the newest entry there is, never forward. On a connection that
//! stayed, an older newest entry means that the stream was emptied and all of it is new; a quiet read looks for that.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, RedisResult, Value};

use super::backoff::Backoff;
use super::connectivity::{Connectivity, Side};
use super::{STREAM, TEXT, connection_settings};
use crate::config::{Config, RedisAddress};
use crate::metrics::Metrics;
use crate::room::Room;

/// How long Redis holds a read open that has nothing to say.
const BLOCK: Duration = Duration::from_secs(5);
/// How much later than that the connection counts as dead.
const GRACE: Duration = Duration::from_secs(3);
/// Most entries taken at once: the round trip between two of them lets clients' queues drain while catching up.
const BATCH: usize = 128;

/// The task that owns the reading connection.
#[derive(Debug)]
pub struct Tail {
    redis: RedisAddress,
    room: Arc<Room>,
    metrics: Arc<Metrics>,
    connectivity: Arc<Connectivity>,
    /// The last entry seen; `None` before the first connection.
    position: Option<Position>,
}

impl Tail {
    /// Nothing is connected before [`Tail::run`].
    pub fn new(
        config: &Config,
        room: Arc<Room>,
        metrics: Arc<Metrics>,
        connectivity: Arc<Connectivity>,
    ) -> Self {
        Self { redis: config.redis.clone(), room, metrics, connectivity, position: None }
    }

    /// Follows the stream for ever.
    pub async fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            let error = match self.connect().await {
                Ok(connection) => {
                    backoff.reset();
                    let error = self.follow(connection).await;
                    self.metrics.redis_lost.increment();
                    self.connectivity.suspect();
                    error
                }
                Err(error) => error,
            };
            self.connectivity.down(Side::Read, &error.to_string());
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }

    async fn connect(&mut self) -> RedisResult<MultiplexedConnection> {
        let settings = connection_settings(BLOCK + GRACE);
        let mut connection =
            self.redis.client().get_multiplexed_async_connection_with_config(&settings).await?;
        let newest = newest(&mut connection).await?;
        self.position = Some(self.position.map_or(newest, |position| position.min(newest)));
        Ok(connection)
    }

    /// Reads until the connection fails, and returns how.
    async fn follow(&mut self, mut connection: MultiplexedConnection) -> RedisError {
        self.connectivity.up(Side::Read);
        loop {
            if let Err(error) = self.advance(&mut connection).await {
                return error;
            }
        }
    }

    async fn advance(&mut self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        let entries = self.read(connection).await?;
        if entries.is_empty() && newest(connection).await? < self.position.unwrap_or_default() {
            tracing::warn!("the stream was emptied and begins anew");
            self.position = Some(Position::default());
        }
        for entry in entries {
            self.deliver(entry);
        }
        Ok(())
    }

    async fn read(&self, connection: &mut MultiplexedConnection) -> RedisResult<Vec<Entry>> {
        let position = self.position.unwrap_or_default();
        let mut command = redis::cmd("XREAD");
        command
            .arg("COUNT")
            .arg(BATCH)
            .arg("BLOCK")
            .arg(u64::try_from(BLOCK.as_millis()).unwrap_or(u64::MAX));
        command.arg("STREAMS").arg(STREAM).arg(position.to_string());
        let reply: Value = command.query_async(connection).await?;
        Ok(entries_of_read(reply))
    }

    fn deliver(&mut self, entry: Entry) {
        self.position = Some(entry.position);
        self.metrics.read.increment();
        // What others may have put into the stream is stepped over.
        if let Some(text) = entry.text {
            self.room.deliver(&text);
        }
    }
}

async fn newest(connection: &mut MultiplexedConnection) -> RedisResult<Position> {
    let mut command = redis::cmd("XREVRANGE");
    command.arg(STREAM).arg("+").arg("-").arg("COUNT").arg(1);
    let reply: Value = command.query_async(connection).await?;
    Ok(entries(reply).first().map(|entry| entry.position).unwrap_or_default())
}

/// The id of an entry: milliseconds and a number within the millisecond.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    milliseconds: u64,
    sequence: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.milliseconds, self.sequence)
    }
}

impl FromStr for Position {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (milliseconds, sequence) = text.split_once('-').unwrap_or((text, "0"));
        Ok(Self { milliseconds: milliseconds.parse()?, sequence: sequence.parse()? })
    }
}

/// One entry of the stream, as far as it concerns us.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    position: Position,
    text: Option<String>,
}

/// The entries in a reply to XREAD for one stream: `[[key, [entry..]]]`, or nil when nothing came.
fn entries_of_read(reply: Value) -> Vec<Entry> {
    let Some(stream) = array(reply).into_iter().next() else {
        return Vec::new();
    };
    array(stream).into_iter().nth(1).map(entries).unwrap_or_default()
}

/// The entries in a list of them: `[[id, [field, value..]]..]`. Taken apart by hand, because one entry with fields
/// that are not UTF-8 must not make the whole stream unreadable.
fn entries(list: Value) -> Vec<Entry> {
    array(list).into_iter().filter_map(entry).collect()
}

fn entry(value: Value) -> Option<Entry> {
    let mut parts = array(value).into_iter();
    let position = string(parts.next()?)?.parse().ok()?;
    let mut fields = array(parts.next().unwrap_or(Value::Nil)).into_iter();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        if string(name).as_deref() == Some(TEXT) {
            return Some(Entry { position, text: string(value) });
        }
    }
    Some(Entry { position, text: None })
}

fn array(value: Value) -> Vec<Value> {
    if let Value::Array(values) = value { values } else { Vec::new() }
}

fn string(value: Value) -> Option<String> {
    if let Value::BulkString(bytes) = value { String::from_utf8(bytes).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(bytes: &[u8]) -> Value {
        Value::BulkString(bytes.to_vec())
    }

    fn stream_entry(id: &[u8], fields: &[&[u8]]) -> Value {
        Value::Array(vec![bulk(id), Value::Array(fields.iter().map(|field| bulk(field)).collect())])
    }

    #[test]
    fn positions_are_ordered_as_numbers() {
        let earlier: Position = "9-10".parse().unwrap();
        let later: Position = "10-9".parse().unwrap();
        assert!(earlier < later);
        assert_eq!(later.to_string(), "10-9");
        assert!(Position::default() < earlier);
        assert!("x-1".parse::<Position>().is_err());
    }

    #[test]
    fn a_read_without_news_has_no_entries() {
        assert_eq!(entries_of_read(Value::Nil), Vec::new());
    }

    #[test]
    fn foreign_entries_move_the_position_and_carry_no_text() {
        let list = Value::Array(vec![
            stream_entry(b"5-0", &[b"node", b"ecs01", b"text", b"Ada: hello"]),
            stream_entry(b"5-1", &[b"\xff", b"\xff"]),
            stream_entry(b"6-0", &[b"text", b"\xff"]),
        ]);
        let reply = Value::Array(vec![Value::Array(vec![bulk(STREAM.as_bytes()), list])]);
        let entries = entries_of_read(reply);
        let texts: Vec<Option<&str>> = entries.iter().map(|entry| entry.text.as_deref()).collect();
        assert_eq!(texts, [Some("Ada: hello"), None, None]);
        assert_eq!(entries[2].position.to_string(), "6-0");
    }
}
