//! What would be done on a host, found out by doing it to nobody.
//!
//! A [`Rehearsal`] is a host to the code that deploys. What only looks goes to the real host; everything else is
//! written down as a [`Deed`] and reaches nothing. What was written down is remembered (`memory`), so that a file that
//! was uploaded is read back, and a unit that was started answers. It is the same code that deploys later, so what was
//! shown is what will be done. A command that is not known to change nothing is never run.

mod mask;
mod memory;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::mask::Mask;
use self::memory::{Answer, Content, Known, Memory};
use super::Note;
use super::command;
use super::error::DeployError;
use super::host::Host;
use super::node::{self, Rollout, Wanted};
use super::redis;
use crate::base::secret::Secret;
use crate::ssh::{Command, Output, Packed, Sent, SshError};
use serde::Serialize;

/// Stands for a password that nobody has made yet; of the same form, so that it is taken for one.
const NOT_MADE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One thing that would be done on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// A command, as an argument vector.
    Command(Vec<String>),
    /// A file is written.
    File(FileDeed),
    /// A program is sent.
    Program(ProgramDeed),
}

/// A file that would be written. What is secret in it is not told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileDeed {
    /// Its path.
    pub path: String,
    /// Its mode, in octal. It belongs to root.
    pub mode: String,
    /// Mode, owner and group of what is there, as `stat -c '%a %U:%G'` prints them.
    pub found: Option<String>,
    /// What is there.
    pub before: Option<String>,
    /// What will be.
    pub after: String,
    /// Whether nothing but what is secret in it changes.
    pub only_secrets: bool,
}

/// A program that would be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProgramDeed {
    /// Its path.
    pub path: String,
    /// Its mode, in octal.
    pub mode: String,
    /// SHA-256 of its content.
    pub sha256: String,
    /// Bytes on the wire.
    pub compressed: usize,
}

/// What is rehearsed.
#[derive(Clone, Copy)]
pub enum Work<'a> {
    /// Redis is brought to settings.
    Redis(&'a redis::Settings),
    /// Redis is taken away.
    RemoveRedis,
    /// A release is put in force; the password is absent where nobody knows it yet.
    Release(Wanted<'a>, &'a node::Settings, Option<&'a Secret<String>>, Rollout),
    /// The node is taken away.
    RemoveRelease,
}

/// Goes through a piece of work without doing it.
///
/// # Errors
/// Those of the work itself that can be seen before, and when the host cannot be asked.
pub async fn rehearse(host: &impl Host, work: Work<'_>) -> Result<Vec<Deed>, DeployError> {
    let rehearsal = Rehearsal::of(host);
    let note: Note = Arc::new(|_: &str| {});
    match work {
        Work::Redis(settings) => drop(redis::install(&rehearsal, settings, &note).await?),
        Work::RemoveRedis => redis::remove(&rehearsal, &note).await?,
        Work::RemoveRelease => node::remove(&rehearsal, &note).await?,
        Work::Release(wanted, settings, password, rollout) => {
            let password = password.cloned().unwrap_or_else(|| Secret::new(NOT_MADE.to_owned()));
            rehearsal.mask().add(&password);
            rehearsal.mask().add_names(settings.secrets().map(|(name, _)| name.clone()));
            let names = node::secrets_in_force(host).await?;
            rehearsal.mask().add_names(names);
            // Nobody needs to wait for what is played.
            let rollout = Rollout { min_healthy_time: std::time::Duration::ZERO, ..rollout };
            let prepared = node::prepare(&rehearsal, (wanted, settings), &password, rollout, &note).await?;
            prepared.put_in_force().await?;
        }
    }
    Ok(rehearsal.deeds())
}

/// A host to which nothing is done.
struct Rehearsal<'h, H> {
    host: &'h H,
    memory: Mutex<Memory>,
    mask: Mutex<Mask>,
    deeds: Mutex<Vec<Deed>>,
    turn: tokio::sync::Mutex<()>,
}

impl<'h, H: Host> Rehearsal<'h, H> {
    fn of(host: &'h H) -> Self {
        let turn = tokio::sync::Mutex::default();
        Self { host, memory: Mutex::default(), mask: Mutex::default(), deeds: Mutex::default(), turn }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mask(&self) -> MutexGuard<'_, Mask> {
        self.mask.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, deed: Deed) {
        self.deeds.lock().unwrap_or_else(PoisonError::into_inner).push(deed);
    }

    fn deeds(self) -> Vec<Deed> {
        self.deeds.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the real host, outside of any step.
    async fn ask(&self, words: &[String], asked: &Command) -> Result<Output, SshError> {
        self.host.run(plain(words, asked)).await
    }

    /// Whether only the real host can answer; asking for that changes nothing here.
    fn is_of_host(&self, asked: &Command) -> bool {
        matches!(self.memory().answer(command::without_step(asked.argv())), Answer::OfHost)
    }

    /// Names in a folder of the real host and in what was written down.
    async fn names(&self, words: &[String], folder: &str, asked: &Command) -> Result<Output, SshError> {
        let there = self.ask(words, asked).await?;
        let listed = String::from_utf8_lossy(&there.stdout).lines().map(str::to_owned).collect();
        let (names, is_there) = self.memory().names(folder, listed);
        let status = if there.status == 0 || is_there { 0 } else { there.status };
        let stdout = names.iter().flat_map(|name| [name, "\n"]).collect::<String>().into_bytes();
        Ok(Output { status, stdout, stderr: there.stderr })
    }

    /// Where links lead, each by the memory or by the real host.
    async fn links(&self, paths: &[String]) -> Result<Output, SshError> {
        let mut lines = Vec::new();
        for path in paths {
            let known = self.memory().link(path);
            let target = match known {
                Known::There(target) => Some(target),
                Known::Gone => None,
                Known::Nothing => {
                    let output = self.host.run(command::link_targets(&[path])).await?;
                    (output.status == 0).then(|| output.text())
                }
            };
            lines.extend(target);
        }
        Ok(printed(i32::from(lines.len() < paths.len()), &lines.join("\n")))
    }
}

/// A command outside of any step.
fn plain(words: &[String], asked: &Command) -> Command {
    let plain = Command::new(&words[0]).args(words[1..].iter().cloned());
    match asked.input() {
        Some(input) => plain.stdin(input),
        None => plain,
    }
}

fn printed(status: i32, text: &str) -> Output {
    Output { status, stdout: text.as_bytes().to_vec(), stderr: Vec::new() }
}

impl<H: Host> Host for Rehearsal<'_, H> {
    fn name(&self) -> &str {
        self.host.name()
    }

    async fn run(&self, asked: Command) -> Result<Output, SshError> {
        let words = command::without_step(asked.argv());
        let answer = self.memory().answer(words);
        match answer {
            Answer::Told(status, text) => Ok(printed(status, &text)),
            Answer::OfHost => self.ask(words, &asked).await,
            Answer::OfHostTo(other) => self.ask(&other, &asked).await,
            Answer::Names(folder) => self.names(words, &folder, &asked).await,
            Answer::Links => self.links(&words[1..]).await,
            Answer::Done(status, text) => {
                self.add(Deed::Command(words.to_vec()));
                Ok(printed(status, &text))
            }
        }
    }

    async fn check(&self, command: Command) -> Result<Output, SshError> {
        let line = command.to_string();
        let output = self.run(command).await?;
        if output.status == 0 {
            return Ok(output);
        }
        Err(SshError::remote_failure(self.name(), line, &output, 6))
    }

    async fn look(&self, commands: Vec<Command>) -> Result<Vec<Output>, SshError> {
        let asked: Vec<Command> = commands
            .iter()
            .filter(|asked| self.is_of_host(asked))
            .map(|asked| plain(command::without_step(asked.argv()), asked))
            .collect();
        // In one round trip, as when it is done.
        let mut of_host =
            if asked.is_empty() { Vec::new() } else { self.host.look(asked).await? }.into_iter();
        let mut answers = Vec::with_capacity(commands.len());
        for command in commands {
            let told = if self.is_of_host(&command) { of_host.next() } else { None };
            answers.push(match told {
                Some(output) => output,
                None => self.run(command).await?,
            });
        }
        Ok(answers)
    }

    async fn upload(&self, path: &str, bytes: Arc<[u8]>, mode: u32) -> Result<(), SshError> {
        let after = String::from_utf8_lossy(&bytes).into_owned();
        let before = self.read(path).await?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let found = self.host.run(command::mode_and_owner(path)).await?;
        let found = (found.status == 0).then(|| found.text()).filter(|_| before.is_some());
        if path == redis::PASSWORD {
            self.mask().add(&Secret::new(after.clone()));
        }
        self.memory().write(path, Content::Text(bytes));
        let (path, mode) = (path.to_owned(), format!("{mode:04o}"));
        let is_other = before.as_ref().is_some_and(|before| *before != after);
        let mask = self.mask();
        let (before, after) = (before.map(|text| mask.hide(&text)), mask.hide(&after));
        drop(mask);
        let only_secrets = is_other && before.as_ref() == Some(&after);
        self.add(Deed::File(FileDeed { path, mode, found, before, after, only_secrets }));
        Ok(())
    }

    async fn upload_by(
        &self,
        _wrapper: &[String],
        path: &str,
        bytes: Arc<[u8]>,
        mode: u32,
    ) -> Result<(), SshError> {
        self.upload(path, bytes, mode).await
    }

    async fn send(
        &self,
        _wrapper: &[String],
        path: &str,
        packed: &Packed,
        mode: u32,
    ) -> Result<Sent, SshError> {
        let (mode, sha256) = (format!("{mode:04o}"), packed.sha256().to_owned());
        self.memory().write(path, Content::Program(sha256.clone()));
        self.add(Deed::Program(ProgramDeed {
            path: path.to_owned(),
            mode,
            sha256,
            compressed: packed.len(),
        }));
        Ok(Sent { found: 0, sent: packed.len(), was_damaged: false })
    }

    async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SshError> {
        let known = self.memory().file(path);
        let content = match known {
            Known::There(Content::Text(bytes)) => Some(bytes.to_vec()),
            Known::There(Content::SameAs(other)) => self.host.read(&other).await?,
            Known::There(Content::Program(_)) | Known::Gone => None,
            Known::Nothing => self.host.read(path).await?,
        };
        if path == redis::PASSWORD
            && let Some(bytes) = &content
        {
            self.mask().add(&Secret::new(String::from_utf8_lossy(bytes).trim().to_owned()));
        }
        Ok(content)
    }

    /// Nobody is kept away: nothing is done.
    async fn hold(&self, _command: Command) -> Result<Option<Output>, SshError> {
        Ok(None)
    }

    async fn let_go(&self) -> Result<(), SshError> {
        Ok(())
    }

    fn turn(&self) -> &tokio::sync::Mutex<()> {
        &self.turn
    }
}
