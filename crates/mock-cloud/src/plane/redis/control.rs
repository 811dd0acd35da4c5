//! How this program speaks with a server: through its socket, as a user of its own.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Client, RedisError, cmd};

use crate::plane::redis::access::{OWN_USER, Users};
use crate::plane::redis::settings::SOCKET;
use crate::secret::Secret;

/// How long a server may take until it answers, also with much to read.
const START_LIMIT: Duration = Duration::from_mins(1);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(10);

/// The folder of a server, held open: the path of its socket may be longer than the kernel takes.
#[derive(Debug)]
pub(super) struct Place(File);

impl Place {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        File::open(folder).map(Self)
    }

    /// Where this process finds the socket.
    pub(super) fn socket(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", self.0.as_raw_fd()))
    }
}

/// A connection to a server that answers.
pub(super) struct Control(MultiplexedConnection);

impl Control {
    /// Waits until the server answers.
    pub(super) async fn connect(place: &Place, password: &Secret) -> io::Result<Self> {
        let url =
            format!("redis+unix://{}?user={OWN_USER}&pass={}", place.socket().display(), password.expose());
        let client = Client::open(url).map_err(|_| io::ErrorKind::InvalidInput)?;
        let deadline = tokio::time::Instant::now() + START_LIMIT;
        loop {
            match greet(&client).await {
                Ok(connection) => return Ok(Self(connection)),
                Err(error) if tokio::time::Instant::now() >= deadline => return Err(io::Error::other(error)),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Makes settings and users as wanted; users that are not wanted go, with their connections.
    pub(super) async fn apply(
        &mut self,
        settings: &[(&'static str, String)],
        users: &Users,
    ) -> io::Result<()> {
        self.set(settings, users).await.map_err(io::Error::other)
    }

    async fn set(&mut self, settings: &[(&'static str, String)], users: &Users) -> Result<(), RedisError> {
        let mut change = cmd("CONFIG");
        change.arg("SET");
        for (name, value) in settings {
            change.arg(*name).arg(value);
        }
        let _: () = change.query_async(&mut self.0).await?;
        for (name, rules) in users {
            let _: () = cmd("ACL").arg("SETUSER").arg(name).arg(rules).query_async(&mut self.0).await?;
        }
        let known: Vec<String> = cmd("ACL").arg("USERS").query_async(&mut self.0).await?;
        for name in known.iter().filter(|name| !users.contains_key(*name)) {
            let _: i64 = cmd("ACL").arg("DELUSER").arg(name).query_async(&mut self.0).await?;
        }
        Ok(())
    }
}

async fn greet(client: &Client) -> Result<MultiplexedConnection, RedisError> {
    let mut connection = client.get_multiplexed_async_connection().await?;
    let _: String = cmd("PING").query_async(&mut connection).await?;
    Ok(connection)
}
