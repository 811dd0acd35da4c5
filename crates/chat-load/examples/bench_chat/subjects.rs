//! Who is measured: the chat node, and those it is held against, each with a Redis of its own.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chat_load::rapid::room::{Guests, Protocol};
use tempfile::TempDir;

use crate::process::{Cores, Program, free_port};

/// Most clients on their way in at once.
const AT_ONCE: usize = 64;

/// A server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// Flask-SocketIO with gevent.
    Flask,
    /// Node.js' Socket.IO with its Redis adapter.
    NodeJs,
    /// Ours.
    ChatNode,
    /// `WebSocket`s and nothing else.
    Bare,
    /// The same, with frames joined as the chat node joins them.
    Joined,
}

impl Subject {
    /// Whether it is ours, so that its faults are, too.
    pub(crate) fn is_ours(self) -> bool {
        match self {
            Self::ChatNode | Self::Bare | Self::Joined => true,
            Self::Flask | Self::NodeJs => false,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Flask => "flask-socketio, gevent",
            Self::NodeJs => "Node.js socket.io, Redis adapter",
            Self::ChatNode => "**chat-node**",
            Self::Bare => "bare WebSocket, frame encoded once (the limit)",
            Self::Joined => "bare WebSocket, frames joined as well",
        })
    }
}

/// Where everything is.
pub(crate) struct Ground {
    pub(crate) cores: Cores,
    /// This program.
    own: PathBuf,
    chat_node: PathBuf,
    /// Where `.ci/peers` has put what the peers need.
    peers: PathBuf,
    /// Their sources.
    sources: PathBuf,
    pub(crate) open_files: u64,
}

impl Ground {
    pub(crate) fn new(cores: Cores, open_files: u64) -> Result<Self> {
        let own = std::env::current_exe()?;
        let folder = own.parent().and_then(Path::parent).context("a folder")?;
        let chat_node = folder.join("chat-node");
        anyhow::ensure!(chat_node.is_file(), "{} is missing: run `make build`", chat_node.display());
        let here = std::env::current_dir()?;
        let peers = here.join("target/peers");
        Ok(Self { cores, chat_node, own, peers, sources: here.join("examples/peers"), open_files })
    }

    /// Where the program of a version is.
    pub(crate) fn program(&self, subject: Subject) -> PathBuf {
        match subject {
            Subject::Flask => self.peers.join("flask/bin/python"),
            Subject::NodeJs => self.peers.join("node/server.mjs"),
            Subject::ChatNode => self.chat_node.clone(),
            Subject::Bare | Subject::Joined => self.own.clone(),
        }
    }

    /// Whether it can be measured here.
    pub(crate) fn has(&self, subject: Subject) -> bool {
        self.program(subject).exists()
    }

    /// What is started, on that port.
    fn command(&self, subject: Subject, port: u16, redis: u16) -> Vec<String> {
        let program = self.program(subject).to_string_lossy().into_owned();
        let (port, url) = (port.to_string(), format!("redis://127.0.0.1:{redis}/0"));
        let words: Vec<&str> = match subject {
            Subject::Flask => {
                let app = self.sources.join("flask/app.py").to_string_lossy().into_owned();
                return vec![program, app, port, url];
            }
            Subject::NodeJs => vec!["node", &program, &port, &url],
            Subject::Bare => return vec![program, "bare".to_owned(), port, redis.to_string()],
            Subject::Joined => return vec![program, "joined".to_owned(), port, redis.to_string()],
            // Everything it promises is on. Limits are those of a flood from one address.
            Subject::ChatNode => {
                let listen = format!("127.0.0.1:{port}");
                let id = format!("bench-{port}");
                let flags =
                    ["--connections", "--connections-per-address", "--message-rate", "--message-burst"];
                let given = [program, "--listen".to_owned(), listen, "--redis".to_owned(), url];
                let limits = flags.iter().flat_map(|flag| [(*flag).to_owned(), "100000".to_owned()]);
                return given.into_iter().chain(["--node-id".to_owned(), id]).chain(limits).collect();
            }
        };
        words.into_iter().map(str::to_owned).collect()
    }
}

/// Nodes that run, and their Redis.
pub(crate) struct Stand {
    pub(crate) nodes: Vec<Program>,
    pub(crate) redis: Program,
    addresses: Vec<SocketAddr>,
    protocol: Protocol,
    _folder: TempDir,
}

impl Stand {
    /// Starts so many nodes.
    pub(crate) fn start(ground: &Ground, subject: Subject, count: usize) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let redis_port = free_port()?;
        let words = ["redis-server", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"];
        let command: Vec<String> =
            words.into_iter().map(str::to_owned).chain([redis_port.to_string()]).collect();
        let redis = Program::start(ground.cores.others, &command, folder.path(), redis_port)?;
        let (mut nodes, mut addresses) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let port = free_port()?;
            let command = ground.command(subject, port, redis_port);
            nodes.push(Program::start(ground.cores.nodes, &command, folder.path(), port)?);
            addresses.push(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        }
        let protocol = match subject {
            Subject::Bare | Subject::Joined => Protocol::Bare,
            // It is given what it missed should it come back, which costs an offset with each message.
            Subject::ChatNode => Protocol::SocketIo { auth: r#"{"recovery":true}"# },
            Subject::Flask | Subject::NodeJs => Protocol::SocketIo { auth: "" },
        };
        Ok(Self { nodes, redis, addresses, protocol, _folder: folder })
    }

    /// Those who come to these nodes.
    pub(crate) fn guests(&self, clients: usize, senders: usize) -> Guests {
        Guests { nodes: self.addresses.clone(), protocol: self.protocol, clients, senders, at_once: AT_ONCE }
    }
}
