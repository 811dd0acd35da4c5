//! One step at a time on a host, and no command of a step that is over.
//!
//! A step (an installation, a removal) is many commands. Who began one may die, and a command of theirs may then still
//! run on the host, or arrive late. So:
//!
//! 1. A step holds a lock of the host, by a command that ends with the connection. Others wait, and say for whom.
//! 2. It looks which steps have left a folder, waits until no command runs, and in the same breath removes those
//!    folders, by name: so that this command, too, may come late. Then it makes one of its own, of a name never used.
//! 3. Each of its commands first takes a lock that says "a command runs", together with others, then one in the
//!    folder of its step. Where the folder is gone, the second cannot be opened and the command is not run.
//!
//! Both locks of a command are needed: the first is what a new step waits for, and while it is held no folder can go,
//! so a command that found its folder is waited for, and one that comes later does not find it.
//!
//! All of it are argument vectors of `flock`, which every distribution has (util-linux). What is uploaded lies under a
//! random name until a command moves it, so it needs no more than that command does.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::MutexGuard;
use tokio::time::Instant;

use super::Note;
use super::command;
use super::error::DeployError;
use super::host::Host;
use super::unit::pause;
use crate::base::operator::operator;
use crate::ssh::{Command, Output, Packed, Sent, SshError};

/// How long another operator's step is waited for.
const PATIENCE: Duration = Duration::from_mins(1);
/// Hex digits of a step's name.
const NAME_DIGITS: usize = 32;
/// `flock` when a lock is not free, unless it is told another status.
const NOT_FREE: i32 = 1;
/// `flock` when a lock file cannot be opened.
const NOT_OPENED: i32 = 66;

/// A step that has a host for itself. It is a host too: one whose commands are run only while the step lasts.
pub(super) struct Step<'a, H> {
    host: &'a H,
    /// The file in the step's own folder.
    lock: String,
    wrapper: Vec<String>,
    _turn: MutexGuard<'a, ()>,
}

impl<'a, H: Host> Step<'a, H> {
    /// Waits until the host is free, and takes it.
    ///
    /// # Errors
    /// [`DeployError::Busy`] when it does not become free in a minute, [`DeployError::StillRunning`] when a command of
    /// an earlier step does not end.
    pub(super) async fn begin(host: &'a H, note: &Note) -> Result<Self, DeployError> {
        let turn = host.turn().lock().await;
        take(host, note).await?;
        let folder = format!("{}/{:0width$x}", command::STEPS, rand::random::<u128>(), width = NAME_DIGITS);
        if let Err(error) = settle(host, &folder).await {
            // The first error is the one worth telling.
            let _ = host.let_go().await;
            return Err(error);
        }
        let lock = format!("{folder}/lock");
        Ok(Self { host, wrapper: command::within_step(&lock), lock, _turn: turn })
    }

    /// Gives the host back, and says what became of the step.
    ///
    /// # Errors
    /// That of the step; [`DeployError::TakenOver`] when its commands were not run any more.
    pub(super) async fn end<T>(self, done: Result<T, DeployError>) -> Result<T, DeployError> {
        // A connection that failed has ended the step on the host too.
        let _ = self.host.let_go().await;
        done.map_err(|error| {
            if let DeployError::Ssh(SshError::RemoteFailure { exit, stderr_tail, .. }) = &error
                && self.is_over(*exit, stderr_tail)
            {
                return DeployError::TakenOver { host: self.host.name().to_owned() };
            }
            error
        })
    }

    /// Another wrapper within that of the step.
    fn around(&self, wrapper: &[String]) -> Vec<String> {
        self.wrapper.iter().chain(wrapper).cloned().collect()
    }

    fn wrapped(&self, command: Command) -> Command {
        command.wrapped_by(self.wrapper.iter().cloned())
    }

    /// Whether a command ended like this because its step is over. The words around the path are in some language.
    fn is_over(&self, status: i32, complaint: &str) -> bool {
        status == NOT_OPENED && complaint.contains(&self.lock)
    }
}

/// Takes the lock of the host. Asks again instead of waiting in one command, which would hold up the session.
async fn take(host: &impl Host, note: &Note) -> Result<(), DeployError> {
    let started = Instant::now();
    let mut told = None;
    for look in 0.. {
        let Some(ended) = host.hold(command::hold_host()).await? else {
            return Ok(());
        };
        if ended.status != NOT_FREE || !ended.stderr.is_empty() {
            return Err(failed(host, &command::hold_host(), &ended).into());
        }
        let who = whose_step(host).await?;
        if started.elapsed() > PATIENCE {
            return Err(DeployError::Busy { host: host.name().to_owned(), who, seconds: PATIENCE.as_secs() });
        }
        if told.as_ref() != Some(&who) {
            note(&format!("{}: waiting for {who}, who is at work on it", host.name()));
            told = Some(who);
        }
        pause(look).await;
    }
    unreachable!("the loop has no end of its own")
}

/// Ends all earlier steps and begins one with this folder.
async fn settle(host: &impl Host, folder: &str) -> Result<(), DeployError> {
    let earlier = steps(host).await?;
    if !earlier.is_empty() {
        let command = command::end_steps(&earlier);
        let ended = host.run(command.clone()).await?;
        if ended.status == NOT_FREE && ended.stderr.is_empty() {
            let seconds = command::COMMAND_PATIENCE.as_secs();
            let who = whose_step(host).await?;
            return Err(DeployError::StillRunning { host: host.name().to_owned(), who, seconds });
        }
        if ended.status != 0 {
            return Err(failed(host, &command, &ended).into());
        }
    }
    host.check(command::folder(&format!("{folder}/by/{}", operator()), "0700")).await?;
    Ok(())
}

/// The names of the steps that have left a folder.
async fn steps(host: &impl Host) -> Result<Vec<String>, DeployError> {
    let names = host.run(command::names(command::STEPS)).await?.text();
    let is_step =
        |name: &&str| name.len() == NAME_DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    Ok(names.lines().filter(is_step).map(str::to_owned).collect())
}

/// Who began the step that a host is in, as they call themselves.
async fn whose_step(host: &impl Host) -> Result<String, DeployError> {
    let name = match steps(host).await?.pop() {
        Some(step) => host.run(command::names(&format!("{}/{step}/by", command::STEPS))).await?.text(),
        None => String::new(),
    };
    Ok(if name.is_empty() { "another operator".to_owned() } else { name })
}

fn failed(host: &impl Host, command: &Command, output: &Output) -> SshError {
    SshError::remote_failure(host.name(), command.to_string(), output, 6)
}

impl<H: Host> Host for Step<'_, H> {
    fn name(&self) -> &str {
        self.host.name()
    }

    async fn run(&self, command: Command) -> Result<Output, SshError> {
        let command = self.wrapped(command);
        let output = self.host.run(command.clone()).await?;
        // A status of its own is no error for who asked, but this one is not the command's.
        if self.is_over(output.status, &output.tail(6)) {
            return Err(failed(self.host, &command, &output));
        }
        Ok(output)
    }

    async fn check(&self, command: Command) -> Result<Output, SshError> {
        self.host.check(self.wrapped(command)).await
    }

    async fn look(&self, commands: Vec<Command>) -> Result<Vec<Output>, SshError> {
        let commands: Vec<Command> = commands.into_iter().map(|command| self.wrapped(command)).collect();
        let outputs = self.host.look(commands.clone()).await?;
        match outputs.iter().zip(&commands).find(|(output, _)| self.is_over(output.status, &output.tail(6))) {
            Some((output, command)) => Err(failed(self.host, command, output)),
            None => Ok(outputs),
        }
    }

    async fn upload(&self, path: &str, bytes: Arc<[u8]>, mode: u32) -> Result<(), SshError> {
        self.host.upload_by(&self.wrapper, path, bytes, mode).await
    }

    async fn upload_by(
        &self,
        wrapper: &[String],
        path: &str,
        bytes: Arc<[u8]>,
        mode: u32,
    ) -> Result<(), SshError> {
        self.host.upload_by(&self.around(wrapper), path, bytes, mode).await
    }

    async fn send(
        &self,
        wrapper: &[String],
        path: &str,
        packed: &Packed,
        mode: u32,
    ) -> Result<Sent, SshError> {
        self.host.send(&self.around(wrapper), path, packed, mode).await
    }

    async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SshError> {
        self.host.read(path).await
    }

    async fn hold(&self, command: Command) -> Result<Option<Output>, SshError> {
        self.host.hold(self.wrapped(command)).await
    }

    async fn let_go(&self) -> Result<(), SshError> {
        self.host.let_go().await
    }

    fn turn(&self) -> &tokio::sync::Mutex<()> {
        self.host.turn()
    }
}
