//! Programs that are measured: each on a core of its own choice, with the time and the memory it took.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How long a program may take to listen.
const STARTING: Duration = Duration::from_secs(20);
/// How long programs may take to have nothing more to do.
const SETTLING: Duration = Duration::from_secs(10);
/// How often they are looked at meanwhile.
const LOOK: Duration = Duration::from_millis(100);

/// The two cores of this machine that are used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cores {
    /// All nodes are on this one.
    pub(crate) nodes: usize,
    /// Redis and the clients are on this one.
    pub(crate) others: usize,
}

impl Cores {
    /// The first two this program may use.
    pub(crate) fn find() -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        let mut cores = Vec::new();
        for range in allowed.context("the list of cores")?.trim().split(',') {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            cores.extend(first.parse::<usize>()?..=last.parse()?);
        }
        match cores[..] {
            [nodes, others, ..] => Ok(Self { nodes, others }),
            _ => bail!("the nodes need one core and the clients another, and this machine has one"),
        }
    }

    /// Puts this program beside Redis, threads that begin later included.
    pub(crate) fn take_ours(self) -> Result<()> {
        let own = std::process::id().to_string();
        let outcome = Command::new("taskset").args(["-c", "-p", &self.others.to_string(), &own]).output();
        let output = outcome.context("taskset is missing: install it (Debian: util-linux)")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

/// Lets this program and those it starts open so many files, or as many as the system allows, and says how many.
pub(crate) fn open_files(wanted: u64) -> Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    let allowed = limit.maximum.unwrap_or(u64::MAX);
    // Only root may have more than is allowed.
    let raised = Rlimit { current: Some(wanted), maximum: Some(wanted.max(allowed)) };
    if setrlimit(Resource::Nofile, raised).is_ok() {
        return Ok(wanted);
    }
    let most = wanted.min(allowed);
    setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum })?;
    Ok(most)
}

/// A program on a core. It ends with its value.
pub(crate) struct Program {
    child: Child,
}

impl Program {
    /// Starts one, and waits until it listens there.
    pub(crate) fn start(core: usize, arguments: &[String], folder: &Path, port: u16) -> Result<Self> {
        let child = Command::new("taskset")
            .args(["-c", &core.to_string()])
            .args(arguments)
            .current_dir(folder)
            .env("RUST_LOG", "warn")
            .env("NODE_ENV", "production")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("taskset is missing: install it (Debian: util-linux)")?;
        let mut program = Self { child };
        let begun = now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = program.child.try_wait()? {
                bail!("`{}` ended at once: {status}", arguments.join(" "));
            }
            ensure!(begun.elapsed() < STARTING, "`{}` does not listen", arguments.join(" "));
            pause(Duration::from_millis(20));
        }
        Ok(program)
    }

    /// How long it has computed so far.
    pub(crate) fn computed(&self) -> Result<Duration> {
        computed(self.child.id())
    }

    /// Bytes of memory it has.
    pub(crate) fn resident(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("it has ended")?;
        let kibibytes: u64 = line.split_whitespace().next().context("a number")?.parse()?;
        Ok(kibibytes * 1024)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended before.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// How long this program has computed so far.
pub(crate) fn computed_here() -> Result<Duration> {
    computed(std::process::id())
}

/// The sum over all threads; the first word of `schedstat` is nanoseconds on a core.
fn computed(pid: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may have ended meanwhile.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        nanoseconds += text.split_whitespace().next().unwrap_or_default().parse::<u64>().unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Waits until programs have nothing more to do: until they compute for less than a twentieth of the time.
pub(crate) fn settle(programs: &[&Program]) -> Result<()> {
    let all = || programs.iter().map(|program| program.computed()).sum::<Result<Duration>>();
    let begun = now();
    let mut before = all()?;
    while begun.elapsed() < SETTLING {
        pause(LOOK);
        let after = all()?;
        if after.saturating_sub(before) * 20 < LOOK {
            return Ok(());
        }
        before = after;
    }
    Ok(())
}

/// A port nobody listens on.
pub(crate) fn free_port() -> Result<u16> {
    let address: SocketAddr = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    Ok(address.port())
}

/// The moment.
#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "a bench waits for programs that say nothing")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
