//! A real process of a host, run under the supervisor.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

/// How the supervisor is started: `<program> supervise -- ...`.
#[derive(Debug, Clone)]
pub(crate) struct Supervisor(pub(crate) PathBuf);

/// What to start.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    /// Path on the outer machine.
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// The whole environment; nothing is inherited.
    pub(crate) environment: BTreeMap<String, String>,
    /// Path on the outer machine.
    pub(crate) directory: PathBuf,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself, with this status.
    Exited(i32),
    /// By a signal.
    Killed(i32),
}

/// A running process.
pub(crate) struct Running {
    /// Its process id on the outer machine; also that of its group.
    pub(crate) pid: u32,
    orders: OwnedWriteHalf,
    reports: Lines<BufReader<OwnedReadHalf>>,
    supervisor: Child,
    ended: Option<End>,
}

/// What it prints.
pub(crate) struct Printed {
    pub(crate) stdout: ChildStdout,
    pub(crate) stderr: ChildStderr,
}

/// Starts a program under the supervisor and waits until it runs.
///
/// # Errors
/// The error of the operating system when the program itself could not be executed.
pub(crate) async fn start(supervisor: &Supervisor, launch: Launch) -> io::Result<(Running, Printed)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let mut child = Command::new(&supervisor.0)
        .arg("supervise")
        .arg("--")
        .arg(&launch.program)
        .args(&launch.arguments)
        .env_clear()
        .envs(&launch.environment)
        .current_dir(&launch.directory)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Its own group: a key press at the outer terminal must not end the supervisor before its program.
        .process_group(0)
        .spawn()?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    let (read, orders) = UnixStream::from_std(ours)?.into_split();
    let mut reports = BufReader::new(read).lines();
    let first = reports.next_line().await?.unwrap_or_default();
    if let Some(pid) = first.strip_prefix("started ").and_then(|pid| pid.parse().ok()) {
        return Ok((
            Running { pid, orders, reports, supervisor: child, ended: None },
            Printed { stdout, stderr },
        ));
    }
    let _ = child.wait().await;
    let number = first.strip_prefix("failed ").and_then(|number| number.parse().ok()).unwrap_or(0);
    Err(io::Error::from_raw_os_error(number))
}

impl Running {
    /// Sends a signal to its whole group.
    pub(crate) async fn signal(&mut self, signal: i32) {
        let _ = self.orders.write_all(format!("signal {signal}\n").as_bytes()).await;
    }

    /// Waits for its end. May be dropped and called again.
    pub(crate) async fn end(&mut self) -> End {
        if let Some(end) = self.ended {
            return end;
        }
        let line = self.reports.next_line().await.ok().flatten();
        let end = line.and_then(|line| parse_end(&line)).unwrap_or_else(|| {
            // The supervisor was killed: its program is ours to end.
            if let Some(group) = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw) {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            End::Killed(9)
        });
        self.ended = Some(end);
        let _ = self.supervisor.wait().await;
        end
    }
}

fn parse_end(line: &str) -> Option<End> {
    let (word, number) = line.split_once(' ')?;
    let number = number.parse().ok()?;
    match word {
        "exited" => Some(End::Exited(number)),
        "killed" => Some(End::Killed(number)),
        _ => None,
    }
}

/// Finds a program of the outer machine.
pub(crate) fn outer_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/bin", "/usr/local/bin", "/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}
