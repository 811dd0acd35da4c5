//! What an idle client costs a node in memory, and how long a node takes to start.
//!
//!     cargo run --release -p chat-node --example idle_memory -- PROGRAM REDIS_URL [CLIENTS]
//!
//! Starts the program, connects clients by WebSocket in batches, waits until all are welcomed and quiet, and divides
//! what the process has grown by. A first thousand is not counted: it pays for what all share.

#![expect(clippy::print_stdout, reason = "an example says what it found")]
#![expect(clippy::unwrap_used, reason = "whatever goes wrong ends it")]

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Clients that pay for what all share.
const FIRST: usize = 1000;
/// Connects at once.
const BATCH: usize = 100;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(program), Some(redis)) = (arguments.next(), arguments.next()) else {
        println!("usage: idle_memory PROGRAM REDIS_URL [CLIENTS]");
        return;
    };
    let count: usize = arguments.next().map_or(4000, |count| count.parse().unwrap());
    let (mut node, address, started) = start(&program, &redis).await;
    println!("started in {:.1} ms", started.as_secs_f64() * 1000.0);

    let mut clients = Vec::new();
    connect(&address, FIRST, &mut clients).await;
    settle().await;
    let before = resident(&node);
    let connecting = Instant::now();
    connect(&address, count, &mut clients).await;
    let took = connecting.elapsed();
    settle().await;
    let after = resident(&node);
    let each = (after.saturating_sub(before)) / count;
    println!("{count} clients joined in {took:.1?}; {each} bytes a client ({before} to {after})");
    node.kill().await.unwrap();
}

async fn start(program: &str, redis: &str) -> (Child, String, Duration) {
    let begun = Instant::now();
    let mut node = Command::new(program)
        .args(["--listen", "127.0.0.1:0", "--redis", redis, "--node-id", "measured"])
        .args(["--connections", "100000", "--connections-per-address", "100000", "--ping-interval", "1h"])
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut log = BufReader::new(node.stderr.take().unwrap()).lines();
    let line = log.next_line().await.unwrap().unwrap();
    let started = begun.elapsed();
    let address = line.split("address=").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
    tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    (node, address.to_owned(), started)
}

async fn connect(address: &str, count: usize, clients: &mut Vec<TcpStream>) {
    let mut left = count;
    while left > 0 {
        let batch = left.min(BATCH);
        let joining = (0..batch).map(|_| join(address.to_owned()));
        clients.extend(futures_util::future::join_all(joining).await);
        left -= batch;
    }
}

/// A client that was welcomed.
async fn join(address: String) -> TcpStream {
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let request = format!(
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         User-Agent: idle\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    // A masked text frame with `40`, under a mask of zeros.
    stream.write_all(b"\x81\x82\x00\x00\x00\x0040").await.unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(b"chatroom!\"]") {
        let mut chunk = [0; 1024];
        let length = stream.read(&mut chunk).await.unwrap();
        assert_ne!(length, 0, "{}", String::from_utf8_lossy(&heard));
        heard.extend_from_slice(&chunk[..length]);
    }
    stream
}

async fn settle() {
    tokio::time::sleep(Duration::from_secs(2)).await;
}

/// Bytes of memory the process has.
fn resident(node: &Child) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.id().unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
