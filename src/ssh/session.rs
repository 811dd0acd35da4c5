//! The handle that everybody else holds.
//!
//! A thread owns the link and works off one job after the other; the handle sends jobs and waits for answers.
//! Dropping the last handle ends the thread. A job that nobody waits for any more is not started; one that runs
//! ends by itself or at its deadline.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::command::{Command, Output};
use super::conversation::{self, Conversation, Program, Terminal};
use super::dial::{Dialled, open_tunnel};
use super::error::SshError;
use super::job::{Job, Reply, Task, serve};
use super::key::Identity;
use super::look::Look;
use super::route::{Limits, Route};
use super::sudo::Sudo;
use super::transfer;

/// The slowest upload that is still worth waiting for, in bytes a second.
pub(super) const SLOWEST_UPLOAD: u64 = 64 * 1024;
/// How many of a failing command's last lines an error carries.
const TAIL_LINES: usize = 12;

/// What several commands at once are called in messages.
const LOOK: &str = "a look at the host";

/// A verified, logged-in connection to one host.
#[derive(Debug)]
pub struct Session {
    jobs: mpsc::UnboundedSender<Job>,
    pub(super) route: Route,
    identity: Identity,
    pub(super) limits: Limits,
    /// How commands are run as root, once that was tried.
    pub(super) sudo: Sudo,
    turn: Mutex<()>,
}

impl Session {
    /// Connects along the route, verifying each hop's key before logging in there.
    ///
    /// # Errors
    /// Told apart by cause; nothing is left open.
    pub async fn connect(route: &Route, identity: &Identity, limits: &Limits) -> Result<Self, SshError> {
        let link_thread = Dialled::dial(route, identity, limits).await?;
        let (jobs, queue) = mpsc::unbounded_channel();
        link_thread.run(move |link, host| serve(link, host, queue)).await?;
        let turn = Mutex::new(());
        let (route, identity) = (route.clone(), identity.clone());
        let session = Self { jobs, route, identity, limits: *limits, sudo: Sudo::No, turn };
        let sudo = session.try_sudo().await?;
        Ok(Self { sudo, ..session })
    }

    /// Finds out whether sudo makes the user root, and whether it wants the password for that.
    async fn try_sudo(&self) -> Result<Sudo, SshError> {
        let wanted = &self.route.sudo;
        let with_password = matches!(wanted, Sudo::Password(_));
        if !wanted.is_used() {
            return Ok(Sudo::No);
        }
        let limit = self.limits.handshake;
        if with_password && self.run(Sudo::probe_free().deadline(limit)).await?.status == 0 {
            return Ok(Sudo::Free);
        }
        let tried = self.run(wanted.probe().deadline(limit)).await?;
        if tried.status == 0 {
            return Ok(wanted.clone());
        }
        let (host, user) = (self.route.host.clone(), self.route.user.clone());
        Err(SshError::SudoRefused { host, user, why: tried.tail(3), with_password })
    }

    /// The host's name, as messages show it.
    pub fn host(&self) -> &str {
        &self.route.host
    }

    /// Runs a command, as root where sudo is used, and gives back whatever it ended with.
    ///
    /// # Errors
    /// When the connection fails or the deadline passes; a status other than 0 is not an error here.
    pub async fn run(&self, command: Command) -> Result<Output, SshError> {
        let deadline = command.limit().unwrap_or(self.limits.command);
        let what = format!("`{command}`");
        let command = self.sudo.elevate(command);
        self.ran(command.to_string(), command.input(), what, deadline).await
    }

    async fn ran(
        &self,
        line: String,
        stdin: Option<Arc<[u8]>>,
        what: String,
        deadline: Duration,
    ) -> Result<Output, SshError> {
        match self.ask(Task::Run { line, stdin }, what, deadline).await? {
            Reply::Ran(output) => Ok(output),
            Reply::Stored
            | Reply::Content(_)
            | Reply::Length(_)
            | Reply::Held(_)
            | Reply::LetGo
            | Reply::Home(_) => unreachable!("a command is answered with its output"),
        }
    }

    /// Runs a command that has to succeed.
    ///
    /// # Errors
    /// As [`Session::run`], and [`SshError::RemoteFailure`] for a status other than 0.
    pub async fn check(&self, command: Command) -> Result<Output, SshError> {
        let line = command.to_string();
        let output = self.run(command).await?;
        if output.status == 0 {
            return Ok(output);
        }
        Err(SshError::remote_failure(self.host(), line, &output, TAIL_LINES))
    }

    /// Runs commands that change nothing, one after the other whatever each ends with, in one round trip. What they
    /// complain about is not told.
    ///
    /// # Errors
    /// When the connection fails, the deadline passes, or the host's shell does not answer to each of them.
    pub async fn look(&self, commands: Vec<Command>) -> Result<Vec<Output>, SshError> {
        let commands = commands.into_iter().map(|command| self.sudo.elevate(command)).collect();
        let look = Look::new(commands);
        let output = self.ran(look.line(), look.input(), LOOK.to_owned(), self.limits.command).await?;
        let failed = || SshError::remote_failure(self.host(), LOOK.to_owned(), &output, TAIL_LINES);
        look.answers(&output.stdout).ok_or_else(failed)
    }

    /// Puts a file in place at once: uploaded beside it, compared by checksum on the host, then moved over it.
    ///
    /// # Guarantees
    /// Whoever reads `path` sees the old content or the new one, with its mode, never a part of it.
    ///
    /// # Errors
    /// When the connection fails, the bytes arrive damaged, or the file cannot be written.
    pub async fn upload(&self, path: &str, bytes: Arc<[u8]>, mode: u32) -> Result<(), SshError> {
        self.upload_by(&[], path, bytes, mode).await
    }

    /// The same, with another command running those that put the file in place, as `flock FILE` does.
    ///
    /// # Errors
    /// As [`Session::upload`].
    pub async fn upload_by(
        &self,
        wrapper: &[String],
        path: &str,
        bytes: Arc<[u8]>,
        mode: u32,
    ) -> Result<(), SshError> {
        let landing = if self.sudo.is_used() { Some(self.home().await?) } else { None };
        let parcel = transfer::Parcel::new(path, &bytes, mode, landing.as_deref());
        let done = self.upload_parcel(wrapper, &parcel, bytes).await;
        if done.is_err() {
            // Best effort: the first error is the one worth telling.
            let _ = self.run(parcel.discard()).await;
        }
        done
    }

    async fn upload_parcel(
        &self,
        wrapper: &[String],
        parcel: &transfer::Parcel,
        bytes: Arc<[u8]>,
    ) -> Result<(), SshError> {
        let locked = |command: Command| command.wrapped_by(wrapper.iter().cloned());
        let extra = Duration::from_secs(bytes.len() as u64 / SLOWEST_UPLOAD);
        let task = Task::Put { path: parcel.landing().to_owned(), bytes, mode: parcel.mode_of_landing() };
        let what = format!("the upload of {}", parcel.path);
        self.ask(task, what, self.limits.command + extra).await.map_err(|error| parcel.rename(error))?;
        for command in parcel.bring_beside_target() {
            self.check(locked(command)).await?;
        }
        let sum = self.check(locked(parcel.sum())).await?;
        parcel.compare(self.host(), &sum)?;
        self.check(locked(parcel.put_in_place())).await?;
        Ok(())
    }

    /// Where the user is at home: the one folder that is sure to be theirs.
    pub(super) async fn home(&self) -> Result<String, SshError> {
        match self.ask(Task::Home, "asking for the home folder".to_owned(), self.limits.command).await? {
            Reply::Home(path) => Ok(path),
            Reply::Ran(_)
            | Reply::Stored
            | Reply::Content(_)
            | Reply::Length(_)
            | Reply::Held(_)
            | Reply::LetGo => unreachable!("the question for a folder is answered with one"),
        }
    }

    /// A file's content, or `None` when there is no such file.
    ///
    /// # Errors
    /// When the connection fails or the file cannot be read.
    pub async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SshError> {
        if self.sudo.is_used() { self.read_as_root(path).await } else { self.read_as_user(path).await }
    }

    /// By `cat`: SFTP has no more rights than the user.
    async fn read_as_root(&self, path: &str) -> Result<Option<Vec<u8>>, SshError> {
        let output = self.run(Command::new("cat").arg(path)).await?;
        if output.status == 0 {
            return Ok(Some(output.stdout));
        }
        if self.run(Command::new("test").args(["-e", path])).await?.status == 1 {
            return Ok(None);
        }
        let (host, path) = (self.route.host.clone(), path.to_owned());
        Err(SshError::File { host, path, action: "read", source: io::Error::other(output.tail(1)) })
    }

    async fn read_as_user(&self, path: &str) -> Result<Option<Vec<u8>>, SshError> {
        let task = Task::Get { path: path.to_owned() };
        match self.ask(task, format!("reading {path}"), self.limits.command).await? {
            Reply::Content(content) => Ok(content),
            Reply::Ran(_)
            | Reply::Stored
            | Reply::Length(_)
            | Reply::Held(_)
            | Reply::LetGo
            | Reply::Home(_) => unreachable!("a read is answered with content"),
        }
    }

    /// Starts a command that repeats its input, such as `flock FILE cat`, and leaves it running beside all others, one
    /// at a time. Nothing once it has repeated a line; else how it ended before that. It ends with the session.
    ///
    /// # Errors
    /// When the connection fails or the deadline passes.
    pub async fn hold(&self, command: Command) -> Result<Option<Output>, SshError> {
        let deadline = command.limit().unwrap_or(self.limits.command);
        let what = format!("`{command}`");
        let command = self.sudo.elevate(command);
        let task = Task::Hold { line: command.to_string(), before: command.input() };
        match self.ask(task, what, deadline).await? {
            Reply::Held(ended) => Ok(ended),
            Reply::Ran(_)
            | Reply::Stored
            | Reply::Content(_)
            | Reply::Length(_)
            | Reply::LetGo
            | Reply::Home(_) => unreachable!("a hold is answered with whether it lasts"),
        }
    }

    /// Lets the command end that is held, and waits for that.
    ///
    /// # Errors
    /// When the connection fails, and the command has ended with it.
    pub async fn let_go(&self) -> Result<(), SshError> {
        self.ask(Task::LetGo, "the end of a command".to_owned(), self.limits.command).await.map(drop)
    }

    /// Whose turn it is to do what only one may do at a time.
    pub fn turn(&self) -> &Mutex<()> {
        &self.turn
    }

    /// A connection that leaves through this host, so that its source address is the host's.
    ///
    /// It has an SSH connection of its own: a busy tunnel never makes a command wait, nor the other way round.
    ///
    /// # Errors
    /// As [`Session::connect`], and [`SshError::NotForwarded`] when the host cannot connect onwards.
    pub async fn tunnel(&self, address: IpAddr, port: u16) -> Result<UnixStream, SshError> {
        let target = SocketAddr::new(address, port);
        let stream = open_tunnel(&self.route, &self.identity, &self.limits, target).await?;
        UnixStream::from_std(stream)
            .map_err(|source| SshError::Local { host: self.route.host.clone(), source })
    }

    /// Starts a command whose output is read as it comes, as root where sudo is used.
    ///
    /// # Errors
    /// As [`Session::converse`].
    pub async fn follow(&self, command: Command) -> Result<Conversation, SshError> {
        let command = self.sudo.elevate(command);
        let mut conversation = self.converse(Program::Line(command.to_string()), None).await?;
        let input = command.input().unwrap_or_default();
        let sent = conversation.stdio.write_all(&input).await;
        sent.map_err(|source| SshError::Local { host: self.route.host.clone(), source })?;
        Ok(conversation)
    }

    /// Starts a program that somebody sits at, as the user who logs in, with a terminal where there is one.
    ///
    /// # Errors
    /// As [`Session::connect`], and when the host does not start it.
    pub async fn converse(
        &self,
        program: Program,
        terminal: Option<Terminal>,
    ) -> Result<Conversation, SshError> {
        let host = self.route.host.clone();
        let local = |source| SshError::Local { host: self.route.host.clone(), source };
        let (conversation, loose) = conversation::pair().map_err(local)?;
        let limit = self.limits.connect;
        let (ready, started) = oneshot::channel();
        Dialled::dial(&self.route, &self.identity, &self.limits)
            .await?
            .run(async move |link, host| {
                let what = "the start of a program".to_owned();
                let start = timeout(limit, conversation::start(&link, &program, terminal.as_ref())).await;
                let channel = match start {
                    Ok(Ok(channel)) => Ok(channel),
                    Ok(Err(error)) => {
                        let source = Some(error.into());
                        Err(SshError::ConnectionLost { host: host.clone(), what, after: None, source })
                    }
                    Err(_) => Err(SshError::TimedOut { host: host.clone(), what, after: limit }),
                };
                let (channel, told) = match channel {
                    Ok(channel) => (Some(channel), Ok(())),
                    Err(error) => (None, Err(error)),
                };
                if let (Ok(()), Some(channel), Ok(ends)) = (ready.send(told), channel, loose.tie()) {
                    conversation::hold(&link, &host, channel, ends).await;
                }
            })
            .await?;
        started.await.map_err(|_| SshError::Local {
            host,
            source: io::Error::other("the session's thread ended"),
        })??;
        Ok(conversation)
    }

    pub(super) async fn ask(&self, task: Task, what: String, deadline: Duration) -> Result<Reply, SshError> {
        let begun = Instant::now();
        let lost = |what: String| SshError::ConnectionLost {
            host: self.route.host.clone(),
            what,
            after: Some(begun.elapsed()),
            source: None,
        };
        let (reply, mut answer) = oneshot::channel();
        let job = Job { task, what: what.clone(), deadline, reply };
        if self.jobs.send(job).is_err() {
            return Err(lost(what));
        }
        let answered = tokio::select! {
            biased;
            answered = &mut answer => answered.ok(),
            // What is sent at the moment the thread ends may lie in the queue for ever: nobody takes it out.
            () = self.jobs.closed() => answer.try_recv().ok(),
        };
        answered.unwrap_or_else(|| Err(lost(what)))
    }
}
