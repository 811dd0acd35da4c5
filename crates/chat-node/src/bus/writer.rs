//! The writing side: appends messages to the stream, keeps session hashes, and notices when Redis is away.
//!
//! 1. Connected, it takes what has gathered, up to a bound, and sends it as one pipeline: order is kept,
//!    and a busy node needs one round trip for many messages.
//! 2. Every answer is looked at. A refused message is told to its sender.
//! 3. When the connection breaks, what was under way may or may not have been written; senders are told exactly that.
//! 4. Disconnected, messages are refused at once, farewells are kept, and the next attempt comes after a growing delay.
//!
//! An idle connection is pinged every second; while Redis refuses writes (out of memory, read-only, a full disk), a
//! probe key is written instead, so that recovery is noticed without a message that somebody would lose.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisError, RedisResult, Value};
use tokio::sync::mpsc::Receiver;
use tokio::time::MissedTickBehavior;

use super::backoff::Backoff;
use super::connectivity::{Connectivity, Side};
use super::{Command, PATIENCE, STREAM, TEXT, connection_settings};
use crate::config::{Config, NodeId, RedisAddress};
use crate::metrics::Metrics;
use crate::room::Room;
use crate::wording;

/// Most commands in one pipeline.
const BATCH: usize = 256;
/// Most farewells kept while Redis is away; the oldest go first.
const BACKLOG: usize = 10_000;
/// How often an idle connection is looked at.
const IDLE: Duration = Duration::from_secs(1);

/// The task that owns the writing connection.
#[derive(Debug)]
pub struct Writer {
    redis: RedisAddress,
    node_id: NodeId,
    stream_length: usize,
    session_lifetime: Duration,
    room: Arc<Room>,
    metrics: Arc<Metrics>,
    connectivity: Arc<Connectivity>,
    /// What could not be written and is worth writing later.
    backlog: VecDeque<Command>,
}

/// Why one connection is not used any longer.
enum Ended {
    /// Nobody can submit anything any more.
    Abandoned,
    Broken(RedisError),
}

impl Writer {
    /// Nothing is connected before [`Writer::run`].
    pub fn new(
        config: &Config,
        room: Arc<Room>,
        metrics: Arc<Metrics>,
        connectivity: Arc<Connectivity>,
    ) -> Self {
        Self {
            redis: config.redis.clone(),
            node_id: config.node_id.clone(),
            stream_length: config.limits.stream_length,
            session_lifetime: config.limits.session_lifetime,
            room,
            metrics,
            connectivity,
            backlog: VecDeque::new(),
        }
    }

    /// Works until every sender of commands is gone.
    pub async fn run(mut self, mut commands: Receiver<Command>) {
        let mut backoff = Backoff::default();
        loop {
            let Some(connection) = self.connect(&mut commands, &mut backoff).await else {
                return;
            };
            self.connectivity.up(Side::Write);
            match self.write(connection, &mut commands).await {
                Ended::Abandoned => return,
                Ended::Broken(error) => {
                    self.metrics.redis_lost.increment();
                    self.connectivity.down(Side::Write, &error.to_string());
                }
            }
        }
    }

    /// Tries until there is a connection that answers, refusing messages meanwhile. `None` when abandoned.
    async fn connect(
        &mut self,
        commands: &mut Receiver<Command>,
        backoff: &mut Backoff,
    ) -> Option<MultiplexedConnection> {
        loop {
            let mut attempt = std::pin::pin!(greet(self.redis.clone()));
            let outcome = loop {
                tokio::select! {
                    outcome = &mut attempt => break outcome,
                    command = commands.recv() => self.postpone(command?),
                }
            };
            match outcome {
                Ok(connection) => {
                    backoff.reset();
                    return Some(connection);
                }
                Err(error) => self.connectivity.down(Side::Write, &error.to_string()),
            }
            let mut pause = std::pin::pin!(tokio::time::sleep(backoff.next_delay()));
            loop {
                tokio::select! {
                    () = &mut pause => break,
                    command = commands.recv() => self.postpone(command?),
                }
            }
        }
    }

    async fn write(
        &mut self,
        mut connection: MultiplexedConnection,
        commands: &mut Receiver<Command>,
    ) -> Ended {
        let mut idle = tokio::time::interval(IDLE);
        idle.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch: Vec<Command> = Vec::with_capacity(BATCH);
        let connectivity = self.connectivity.clone();
        loop {
            batch.extend(self.backlog.drain(..self.backlog.len().min(BATCH)));
            if batch.is_empty() {
                tokio::select! {
                    taken = commands.recv_many(&mut batch, BATCH) => if taken == 0 { return Ended::Abandoned },
                    _ = idle.tick() => {}
                    () = connectivity.suspected() => {}
                }
            }
            let outcome = if batch.is_empty() {
                self.look(&mut connection).await
            } else {
                let refused_before = self.backlog.len();
                let outcome = self.send(&mut connection, std::mem::take(&mut batch)).await;
                if outcome.is_ok() && self.backlog.len() > refused_before {
                    // Redis answers but refuses what is kept for later; trying again at once would spin.
                    idle.reset();
                    idle.tick().await;
                }
                outcome
            };
            if let Err(error) = outcome {
                return Ended::Broken(error);
            }
        }
    }

    /// Looks whether the connection lives and, after a refusal, whether Redis takes writes again.
    async fn look(&mut self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        if self.connectivity.is_up(Side::Write) {
            return redis::cmd("PING").exec_async(connection).await;
        }
        let mut probe = redis::cmd("SET");
        probe.arg(format!("chat:probe:{}", self.node_id)).arg(1).arg("EX").arg(10);
        match probe.exec_async(connection).await {
            Err(error) if !is_refusal(&error) => Err(error),
            outcome => {
                self.judge(outcome.err().as_ref());
                Ok(())
            }
        }
    }

    /// Writes one batch. An error means that the connection is of no use any more.
    async fn send(&mut self, connection: &mut MultiplexedConnection, batch: Vec<Command>) -> RedisResult<()> {
        let pipeline = self.pipeline(&batch);
        if pipeline.is_empty() {
            for command in batch {
                self.settle(command, &mut std::iter::empty());
            }
            return Ok(());
        }
        match pipeline.query_async::<Vec<RedisResult<Value>>>(connection).await {
            Ok(answers) => {
                let mut answers = answers.into_iter();
                for command in batch {
                    self.settle(command, &mut answers);
                }
                Ok(())
            }
            Err(error) => {
                for command in batch {
                    self.doubt(command);
                }
                Err(error)
            }
        }
    }

    fn pipeline(&self, batch: &[Command]) -> Pipeline {
        let mut pipeline = Pipeline::new();
        pipeline.ignore_errors();
        for command in batch {
            match command {
                Command::Say { text, .. } => self.append(&mut pipeline, text),
                Command::Leave { sid, text } => {
                    self.append(&mut pipeline, text);
                    pipeline.cmd("DEL").arg(session_key(sid));
                }
                Command::Remember(sessions) => {
                    for (sid, username) in sessions {
                        let (key, name, node) = (session_key(sid), username.as_str(), self.node_id.as_str());
                        pipeline.cmd("HSET").arg(&key).arg("username").arg(name).arg("node").arg(node);
                        pipeline.cmd("EXPIRE").arg(&key).arg(self.session_lifetime.as_secs().max(1));
                    }
                }
                Command::Finish(_) => {}
            }
        }
        pipeline
    }

    fn append(&self, pipeline: &mut Pipeline, text: &str) {
        let stream = pipeline.cmd("XADD").arg(STREAM).arg("MAXLEN").arg("~").arg(self.stream_length).arg("*");
        stream.arg(TEXT).arg(text).arg("node").arg(self.node_id.as_str());
    }

    /// Draws the conclusion from Redis' answers to one command.
    fn settle(&mut self, command: Command, answers: &mut impl Iterator<Item = RedisResult<Value>>) {
        match command {
            Command::Say { from, text } => {
                if self.appended(answers.next()) {
                    self.metrics.published.increment();
                } else {
                    self.refuse(Command::Say { from, text });
                }
            }
            Command::Leave { sid, text } => {
                let appended = self.appended(answers.next());
                answers.next();
                if appended {
                    self.metrics.published.increment();
                } else {
                    self.refuse(Command::Leave { sid, text });
                }
            }
            Command::Remember(sessions) => {
                for answer in answers.take(2 * sessions.len()) {
                    self.judge(answer.err().as_ref());
                }
            }
            Command::Finish(done) => {
                done.send(()).ok();
            }
        }
    }

    fn appended(&self, answer: Option<RedisResult<Value>>) -> bool {
        match answer {
            Some(Ok(_)) => {
                self.judge(None);
                true
            }
            Some(Err(error)) => {
                self.judge(Some(&error));
                false
            }
            None => false,
        }
    }

    fn judge(&self, refusal: Option<&RedisError>) {
        match refusal {
            None => self.connectivity.up(Side::Write),
            Some(error) => self.connectivity.down(Side::Write, &error.to_string()),
        }
    }

    /// What certainly was not written.
    fn refuse(&mut self, command: Command) {
        if let Command::Say { from, .. } = &command {
            self.metrics.unpublished.increment();
            self.room.tell(*from, wording::NOT_SENT);
        } else {
            self.postpone(command);
        }
    }

    /// What may or may not have been written. A farewell said twice is better than none.
    fn doubt(&mut self, command: Command) {
        if let Command::Say { from, .. } = &command {
            self.metrics.unpublished.increment();
            self.room.tell(*from, wording::MAYBE_NOT_SENT);
        } else {
            self.postpone(command);
        }
    }

    /// What arrives while there is no connection.
    fn postpone(&mut self, command: Command) {
        match command {
            Command::Say { .. } => self.refuse(command),
            // The next refresh writes them all.
            Command::Remember(_) => {}
            Command::Leave { .. } | Command::Finish(_) => {
                if self.backlog.len() == BACKLOG {
                    self.backlog.pop_front();
                }
                self.backlog.push_back(command);
            }
        }
    }
}

/// A connection that has answered once: logging in alone does not show that Redis has finished loading.
async fn greet(redis: RedisAddress) -> RedisResult<MultiplexedConnection> {
    let settings = connection_settings(PATIENCE);
    let mut connection = redis.client().get_multiplexed_async_connection_with_config(&settings).await?;
    redis::cmd("PING").exec_async(&mut connection).await?;
    Ok(connection)
}

/// Whether Redis answered, if only with an error: the connection itself is fine then.
fn is_refusal(error: &RedisError) -> bool {
    matches!(error.kind(), redis::ErrorKind::Server(_) | redis::ErrorKind::Extension)
}

fn session_key(sid: impl std::fmt::Display) -> String {
    format!("session:{sid}")
}
