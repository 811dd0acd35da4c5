//! The way between the nodes: one Redis Stream, written by [`writer`] and read by [`tail`].
//!
//! Each has a connection of its own, because a blocking read would hold up everything behind it. Both reconnect by
//! themselves; [`connectivity`] knows how they are doing. Nothing here fails when Redis is away: a node serves
//! without it, says so, and recovers.
//!
//! Commands used, for whoever writes access rules: AUTH, SELECT, PING, XADD, XREAD, XREVRANGE, HSET, EXPIRE, DEL, SET.
//! Keys used: `chat:messages`, `chat:probe:{node}`, `session:{sid}`.

pub mod backoff;
pub mod connectivity;
pub mod tail;
pub mod writer;

use std::sync::Arc;
use std::time::Duration;

use redis::AsyncConnectionConfig;
use socketioxide::socket::Sid;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::metrics::Metrics;
use crate::room::Room;
use crate::wording::Username;
use connectivity::Connectivity;

/// The key of the stream.
pub const STREAM: &str = "chat:messages";
/// The field of an entry that holds what clients see.
pub const TEXT: &str = "text";

/// Commands that may wait for the writer; beyond that, senders are refused at once.
const QUEUE: usize = 8192;
/// How long Redis may take to accept a connection or to answer a command that does not block.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the writer can be asked for.
#[derive(Debug)]
pub enum Command {
    /// A message of a client, who is told when it cannot be written.
    Say {
        /// Whom to tell.
        from: Sid,
        /// The line as everybody will see it.
        text: String,
    },
    /// The farewell of a named client; kept until Redis is back.
    Leave {
        /// Whose session hash goes.
        sid: Sid,
        /// The line as everybody will see it.
        text: String,
    },
    /// Session hashes to write, and to keep for another lifetime.
    Remember(Vec<(Sid, Username)>),
    /// Answered when everything asked for before is written.
    Finish(oneshot::Sender<()>),
}

/// The handle on both sides.
#[derive(Debug)]
pub struct Bus {
    commands: mpsc::Sender<Command>,
    connectivity: Arc<Connectivity>,
    tasks: Vec<JoinHandle<()>>,
}

impl Bus {
    /// Starts both sides; neither needs Redis to be there yet.
    pub fn start(config: &Config, room: &Arc<Room>, metrics: &Arc<Metrics>) -> Self {
        let (commands, received) = mpsc::channel(QUEUE);
        let connectivity = Arc::new(Connectivity::default());
        let writer = writer::Writer::new(config, room.clone(), metrics.clone(), connectivity.clone());
        let tail = tail::Tail::new(config, room.clone(), metrics.clone(), connectivity.clone());
        let tasks = vec![tokio::spawn(writer.run(received)), tokio::spawn(tail.run())];
        Self { commands, connectivity, tasks }
    }

    /// Queues a command, in the order of the calls.
    ///
    /// # Errors
    /// Gives the command back when the queue is full.
    pub fn submit(&self, command: Command) -> Result<(), Command> {
        self.commands.try_send(command).map_err(mpsc::error::TrySendError::into_inner)
    }

    /// How the connections to Redis are.
    pub fn connectivity(&self) -> &Connectivity {
        &self.connectivity
    }

    /// Returns when everything submitted so far is written. Waits as long as Redis is away: put a limit around it.
    pub async fn finish(&self) {
        let (done, finished) = oneshot::channel();
        if self.commands.send(Command::Finish(done)).await.is_ok() {
            finished.await.ok();
        }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn connection_settings(response: Duration) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(response))
}
