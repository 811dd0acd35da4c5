//! A Redis of the test's own: on a free loopback port, with a password, its data in a folder that goes with it.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::eventually;

/// No node may ever show it.
pub(crate) const PASSWORD: &str = "correct-horse-battery";

/// Where `redis-server` is. Without one: a visible skip, or a failure under `CI=true`.
pub(crate) fn find(test: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).map(|folder| folder.join("redis-server")).find(|file| file.is_file());
    if found.is_none() {
        assert!(
            std::env::var_os("CI").is_none_or(|value| value != "true"),
            "{test}: redis-server is not installed, and under CI nothing may be skipped"
        );
        // Written past the test runner, which would show nothing of a test that passes.
        writeln!(std::io::stderr(), "skipped: {test}: redis-server is not installed").ok();
    }
    found
}

/// Starts one, or returns from the test with a visible skip.
macro_rules! redis_or_skip {
    () => {
        $crate::redis_server::redis_or_skip!("--appendonly", "yes", "--appendfsync", "no")
    };
    ($($option:expr),+) => {{
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        match $crate::redis_server::find(&test) {
            Some(program) => $crate::redis_server::RedisServer::start_with(program, &[$($option),+]).await,
            None => return,
        }
    }};
}
pub(crate) use redis_or_skip;

/// A running, or stopped, Redis.
pub(crate) struct RedisServer {
    program: PathBuf,
    data: TempDir,
    address: SocketAddr,
    options: Vec<String>,
    child: Option<Child>,
}

impl RedisServer {
    /// With a password and these options.
    pub(crate) async fn start_with(program: PathBuf, options: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut server = Self { program, data, address: free_address(), options, child: None };
        server.resume().await;
        server
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        url(self.address)
    }

    /// Where its data is.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.data.path()
    }

    /// Options for the next start.
    pub(crate) fn add_options(&mut self, options: &[&str]) {
        self.options.extend(options.iter().map(|option| (*option).to_owned()));
    }

    /// Starts it again where it was, with the data it had.
    pub(crate) async fn resume(&mut self) {
        self.spawn();
        eventually("redis answers", async || self.connection().await).await;
    }

    /// Starts it without waiting for its answer.
    pub(crate) fn spawn(&mut self) {
        let child = Command::new(&self.program)
            .args(["--bind", "127.0.0.1", "--port", &self.address.port().to_string()])
            .args(["--requirepass", PASSWORD, "--save", ""])
            .args(&self.options)
            .arg("--dir")
            .arg(self.data.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts it again where it was, without the data it had.
    pub(crate) async fn resume_empty(&mut self) {
        self.data = tempfile::tempdir().unwrap();
        self.resume().await;
    }

    /// Sends a signal, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([format!("-{name}"), pid]).status().unwrap().success());
    }

    /// Carries out a command.
    pub(crate) async fn run<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        // Without a PING, which a Redis with a full disk refuses.
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let (name, arguments) = command.split_first().unwrap();
        redis::cmd(name).arg(arguments).query_async(&mut connection).await.unwrap()
    }

    /// Puts a key back to what `DUMP` said of it.
    pub(crate) async fn restore(&self, key: &str, dumped: &[u8]) {
        let mut connection = self.connection().await.unwrap();
        let mut command = redis::cmd("RESTORE");
        command.arg(key).arg(0).arg(dumped).arg("REPLACE");
        command.exec_async(&mut connection).await.unwrap();
    }

    /// A connection for the test to look at and to write into the stream.
    pub(crate) async fn connection(&self) -> Option<redis::aio::MultiplexedConnection> {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.ok()?;
        redis::cmd("PING").exec_async(&mut connection).await.ok()?;
        Some(connection)
    }

    /// Appends a text as a node would.
    pub(crate) async fn say(&self, text: &str) {
        let mut connection = self.connection().await.expect("redis runs");
        let mut command = redis::cmd("XADD");
        command.arg("chat:messages").arg("*").arg("text").arg(text);
        command.exec_async(&mut connection).await.unwrap();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A Redis URL with the password, for a server or for something in front of it.
pub(crate) fn url(address: SocketAddr) -> String {
    format!("redis://:{PASSWORD}@{address}/0")
}

/// An address nobody listens on. Another process could take it meanwhile; nobody here asks for a port by number.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}
