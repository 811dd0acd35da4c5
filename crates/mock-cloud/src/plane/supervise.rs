//! The supervisor: one small process beside every program that runs on a host.
//!
//! 1. Its parent holds the other end of its standard input (a socket or a pipe) and never closes it while it lives.
//! 2. It starts the program in a process group of its own, with its own environment and working directory.
//! 3. It reports on that same descriptor: `started PID`, then `exited CODE` or `killed SIGNAL`, or `failed ERRNO`.
//! 4. It obeys `signal NUMBER` lines from there, and kills the whole group when the descriptor reads end of file,
//!    which happens however the parent dies.
//!
//! Nothing secret is ever in its arguments: programs get their environment through the supervisor's own.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

/// Exit status when the program could not be started.
const NOT_STARTED: u8 = 203;

/// The group of the running program; `None` once it was reaped, so that a recycled number is never signalled.
type Group = Arc<Mutex<Option<Pid>>>;

/// Runs `supervise -- PROGRAM ARGS`, given everything after `supervise`.
///
/// # Guarantees
/// When it returns, no process of the program's group is left.
pub fn main(arguments: impl IntoIterator<Item = String>) -> ExitCode {
    let mut arguments = arguments.into_iter().skip_while(|argument| argument == "--");
    let Some(program) = arguments.next() else {
        return ExitCode::from(64);
    };
    let mut child = match start(&program, arguments) {
        Ok(child) => child,
        Err(error) => {
            report(&format!("failed {}", error.raw_os_error().unwrap_or(0)));
            return ExitCode::from(NOT_STARTED);
        }
    };
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        return ExitCode::from(NOT_STARTED);
    };
    report(&format!("started {}", child.id()));
    let group: Group = Arc::new(Mutex::new(Some(pid)));
    let listener = Arc::clone(&group);
    std::thread::spawn(move || obey(&listener));
    finish(&mut child, pid, &group)
}

fn start(program: &str, arguments: impl Iterator<Item = String>) -> io::Result<std::process::Child> {
    Command::new(program).args(arguments).stdin(Stdio::null()).process_group(0).spawn()
}

/// Waits for the program without reaping it, ends what is left of its group, and only then reaps it.
fn finish(child: &mut std::process::Child, pid: Pid, group: &Group) -> ExitCode {
    while let Err(error) =
        rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
    {
        if error != rustix::io::Errno::INTR {
            break;
        }
    }
    let mut running = group.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    *running = None;
    let status = child.wait();
    drop(running);
    match status {
        Ok(status) => conclude(status),
        Err(_) => ExitCode::FAILURE,
    }
}

fn conclude(status: std::process::ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt;
    if let Some(code) = status.code() {
        report(&format!("exited {code}"));
        return ExitCode::from(u8::try_from(code).unwrap_or(255));
    }
    let signal = status.signal().unwrap_or(0);
    report(&format!("killed {signal}"));
    ExitCode::from(u8::try_from(128 + signal).unwrap_or(255))
}

/// Reads orders until the parent is gone, then kills the group.
fn obey(group: &Group) {
    let mut orders = BufReader::new(Input);
    let mut line = String::new();
    loop {
        line.clear();
        match orders.read_line(&mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {
                if let Some(signal) = line.trim().strip_prefix("signal ").and_then(named) {
                    send(group, signal);
                }
            }
        }
    }
    send(group, Signal::KILL);
}

fn send(group: &Group, signal: Signal) {
    if let Some(pid) = *group.lock().unwrap_or_else(PoisonError::into_inner) {
        let _ = rustix::process::kill_process_group(pid, signal);
    }
}

/// The signal of a number, among those a unit file may name.
fn named(number: &str) -> Option<Signal> {
    number.parse().ok().and_then(Signal::from_named_raw)
}

/// Standard input, read directly: the standard library's handle would hold a lock while it waits.
struct Input;

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(rustix::stdio::stdin(), buffer)?)
    }
}

/// Writes one line to whoever holds the other end; a plain pipe cannot take it, which is fine.
fn report(line: &str) {
    let _ = rustix::io::write(rustix::stdio::stdin(), format!("{line}\n").as_bytes());
}
