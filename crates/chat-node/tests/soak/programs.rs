//! The programs of the soak: one Redis that loses nothing it has confirmed, two nodes, and how they end and come back.

use std::io::Error;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::{sleep, timeout};

/// Longer than any program here takes to start or to end.
const DEADLINE: Duration = Duration::from_mins(1);

/// A program that can be ended and started again as it was.
pub(crate) struct Program {
    name: &'static str,
    path: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    log: PathBuf,
    pub(crate) address: SocketAddr,
    child: Option<Child>,
}

impl Program {
    /// Redis, every write on disk before it is confirmed.
    pub(crate) fn redis(folder: &Path) -> Self {
        let address = free_address();
        let data = folder.join("redis");
        std::fs::create_dir(&data).unwrap();
        let port = address.port().to_string();
        let arguments = ["--bind", "127.0.0.1", "--port", &port, "--save", ""].into_iter().chain([
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
            "--dir",
            data.to_str().unwrap(),
        ]);
        Self {
            name: "redis",
            path: PathBuf::from("redis-server"),
            arguments: arguments.map(str::to_owned).collect(),
            environment: Vec::new(),
            log: folder.join("redis.log"),
            address,
            child: None,
        }
    }

    /// A node over it.
    pub(crate) fn node(name: &'static str, folder: &Path, redis: SocketAddr) -> Self {
        let address = free_address();
        Self {
            name,
            path: PathBuf::from(env!("CARGO_BIN_EXE_chat-node")),
            arguments: Vec::new(),
            environment: vec![
                ("CHAT_NODE_LISTEN", address.to_string()),
                ("CHAT_NODE_REDIS", format!("redis://{redis}/0")),
                ("CHAT_NODE_ID", name.to_owned()),
                // All clients come from one address.
                ("CHAT_NODE_CONNECTIONS_PER_ADDRESS", "20000".to_owned()),
            ],
            log: folder.join(format!("{name}.log")),
            address,
            child: None,
        }
    }

    /// Starts it; returns when it takes connections.
    pub(crate) async fn start(&mut self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).env_clear().envs(self.environment.iter().cloned());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child =
            command.spawn().unwrap_or_else(|error: Error| panic!("{} does not start: {error}", self.name));
        self.child = Some(child);
        let listening = async {
            while tokio::net::TcpStream::connect(self.address).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(DEADLINE, listening).await.unwrap_or_else(|_| panic!("{} does not listen", self.name));
    }

    /// Ends it by a signal; returns when it has ended.
    pub(crate) async fn end(&mut self, signal: &str) {
        let mut child = self.child.take().expect("it runs");
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success());
        let ending = async {
            while child.try_wait().unwrap().is_none() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        if timeout(DEADLINE, ending).await.is_err() {
            child.kill().ok();
            panic!("{} does not end at {signal}", self.name);
        }
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// Its memory in KiB, as far as it is in RAM.
    pub(crate) fn memory(&self) -> u64 {
        let Some(child) = &self.child else { return 0 };
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or_default()
    }

    /// The end of what it has logged.
    pub(crate) fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}
