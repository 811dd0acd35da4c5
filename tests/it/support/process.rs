//! Commands that are still at work, and what they started.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};

use super::Run;
use super::cloud::PATIENCE;

/// A command at work; it is killed when the test ends before it.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    said: String,
    output: Option<JoinHandle<String>>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let errors = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut output = child.stdout.take().expect("a pipe");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            // Nobody listens any more once the test is over.
            let _ = errors.lines().map_while(Result::ok).try_for_each(|line| sender.send(line));
        });
        let output = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = output.read_to_string(&mut text);
            text
        });
        Self { child, lines, said: String::new(), output: Some(output) }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line of progress that has this part.
    #[track_caller]
    pub(crate) fn wait_for_line(&mut self, part: &str) {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let Ok(line) = line else {
                let _ = self.child.kill();
                let output = self.output.take().and_then(|output| output.join().ok()).unwrap_or_default();
                panic!("`{part}` was not said in\n{output}\n{}", self.said);
            };
            self.said += &line;
            self.said.push('\n');
            if line.contains(part) {
                return;
            }
        }
    }

    /// Kills it; that it had not ended by itself is asserted.
    #[track_caller]
    pub(crate) fn kill(self) {
        self.signal(Signal::KILL);
        let run = self.finish();
        assert_eq!(run.code, None, "it ended before it was killed:\n{}", run.stderr);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.id(), signal);
    }

    /// Whether it has ended, well or not.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is ours").is_some()
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Run {
        self.said.extend(self.lines.iter().flat_map(|line| [line, "\n".to_owned()]));
        let status = self.child.wait().expect("it is ours");
        let stdout = self.output.take().and_then(|output| output.join().ok()).unwrap_or_default();
        Run { code: status.code(), stdout, stderr: std::mem::take(&mut self.said) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process.
#[track_caller]
pub(crate) fn send(process: u32, signal: Signal) {
    let id = i32::try_from(process).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(id, signal).expect("the process is there");
}

/// A process that cannot be confused with a later one of the same number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    id: u32,
    parent: u32,
    started: String,
    pub(crate) name: String,
    is_zombie: bool,
}

impl Process {
    /// What the system says of a process now.
    pub(crate) fn look(id: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let (before, after) = stat.rsplit_once(')')?;
        let name = before.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = after.split_whitespace().collect();
        Some(Self {
            id,
            parent: fields.get(1)?.parse().ok()?,
            started: (*fields.get(19)?).to_owned(),
            name,
            is_zombie: *fields.first()? == "Z",
        })
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&self) -> bool {
        Self::look(self.id).is_some_and(|now| now.started == self.started && !now.is_zombie)
    }
}

/// Everything a process started, directly or not.
pub(crate) fn descendants(ancestor: u32) -> Vec<Process> {
    let entries = fs::read_dir("/proc").expect("a system with /proc");
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let all: Vec<Process> = ids.filter_map(Process::look).collect();
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![ancestor];
    while let Some(parent) = parents.pop() {
        for child in all.iter().filter(|process| process.parent == parent) {
            parents.push(child.id);
            found.push(child.clone());
        }
    }
    found
}
