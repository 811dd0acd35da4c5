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
    () => {{
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        match $crate::redis_server::find(&test) {
            Some(program) => $crate::redis_server::RedisServer::start(program).await,
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
    child: Option<Child>,
}

impl RedisServer {
    pub(crate) async fn start(program: PathBuf) -> Self {
        let address = free_address();
        let data = tempfile::tempdir().unwrap();
        let mut server = Self { program, data, address, child: None };
        server.resume().await;
        server
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        url(self.address)
    }

    /// Starts it again where it was, with the data it had.
    pub(crate) async fn resume(&mut self) {
        let child = Command::new(&self.program)
            .args(["--bind", "127.0.0.1", "--port", &self.address.port().to_string()])
            .args(["--requirepass", PASSWORD, "--save", "", "--appendonly", "yes", "--appendfsync", "no"])
            .arg("--dir")
            .arg(self.data.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        eventually("redis answers", async || self.connection().await).await;
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
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
