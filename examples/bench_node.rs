//! Measures what a host gets of the chat node: how large it is, what it needs, and how soon it serves.
//!
//!     make bench-node
//!
//! The program is started again and again, without an environment and, where this may be chosen, as a user without
//! privileges; a start ends with the first `200` of `/healthz`. It fails when the program needs a loader or libraries of
//! its host, or is larger than promised.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

#[path = "support/machine.rs"]
mod machine;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// The most bytes it may have.
const LARGEST: usize = 8_000_000;
const STARTS: usize = 50;
const PATIENCE: Duration = Duration::from_secs(10);
/// `nobody`
const UNPRIVILEGED: u32 = 65_534;
/// The kind of a program header that names the loader of a dynamic program.
const INTERPRETER: u32 = 3;

/// What one start gave.
struct Start {
    served_after: Duration,
    resident_kibibytes: u64,
}

fn main() -> Result<()> {
    let example = std::env::current_exe()?;
    let folder = example.parent().and_then(Path::parent).context("a folder")?;
    let program = folder.join("chat-node");
    let bytes = fs::read(&program).with_context(|| format!("{}: run `make build`", program.display()))?;
    let version = machine::version(program.to_str().context("a path in UTF-8")?, 1)?;
    println!("chat-node {version}, {}\n", machine::machine()?);
    ensure!(bytes.len() < LARGEST, "it has {} bytes, and may have {LARGEST}", bytes.len());
    ensure!(!has_interpreter(&bytes)?, "it is linked dynamically");
    let starts: Vec<Start> = (0..STARTS).map(|_| start(&program)).collect::<Result<_>>()?;
    let mut times: Vec<Duration> = starts.iter().map(|start| start.served_after).collect();
    times.sort_unstable();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    let resident = starts.iter().map(|start| start.resident_kibibytes).max().unwrap_or_default();
    println!("| what | figure |\n|---|--:|");
    println!("| size, linked statically | {:.2} MB |", megabytes(bytes.len()));
    println!("| serves after, median of {STARTS} | {:.1} ms |", milliseconds(times[STARTS / 2]));
    println!("| serves after, slowest | {:.1} ms |", milliseconds(times[STARTS - 1]));
    println!("| resident memory then | {resident} KiB |");
    Ok(())
}

fn megabytes(bytes: usize) -> f64 {
    f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1e6
}

/// Whether an ELF file of 64 bits, little endian, asks for a loader.
fn has_interpreter(bytes: &[u8]) -> Result<bool> {
    ensure!(bytes.starts_with(b"\x7fELF\x02\x01"), "it is no program of 64 bits, little endian");
    let field = |at: usize, length: usize| -> Result<usize> {
        let bytes = bytes.get(at..at + length).context("it is cut short")?;
        let value = bytes.iter().rev().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
        Ok(usize::try_from(value)?)
    };
    let (headers, size, count) = (field(32, 8)?, field(54, 2)?, field(56, 2)?);
    let kinds = (0..count).map(|number| field(headers + number * size, 4)).collect::<Result<Vec<_>>>()?;
    Ok(kinds.contains(&usize::try_from(INTERPRETER)?))
}

fn start(program: &Path) -> Result<Start> {
    let address = free_address()?;
    let mut command = Command::new(program);
    // Redis is not there, and is not waited for.
    command.args([
        "--listen",
        &address.to_string(),
        "--redis",
        "redis://127.0.0.1:1/0",
        "--node-id",
        "bench",
    ]);
    command.env_clear().current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if rustix::process::geteuid().is_root() {
        command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
    }
    let begun = Instant::now();
    let child = Ended(command.spawn()?);
    while !is_well(address) {
        ensure!(begun.elapsed() < PATIENCE, "it does not serve within {PATIENCE:?}");
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(Start { served_after: begun.elapsed(), resident_kibibytes: resident(child.0.id())? })
}

/// A program that ends with its run.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn is_well(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer)?;
        Ok(answer == *b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}

fn resident(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("it has memory")?;
    Ok(line.split_whitespace().next().context("a number")?.parse()?)
}
