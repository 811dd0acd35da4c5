//! `albatross ssh FILE HOST [-- COMMAND...]`

use std::io::{IsTerminal, Read as _};
use std::path::PathBuf;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::io::{AsyncWriteExt, copy, split};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Receiver, UnboundedSender, channel};

use crate::apply::refresh::Depth;
use crate::cli::GlobalOptions;
use crate::cli::environment;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::refresh::get_to_know;
use crate::cli::session::{self, Session, Use};
use crate::resource::spec::HostSpec;
use crate::ssh::{Command, Conversation, Program, Size, SshError, Terminal};

/// Arguments of `ssh`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The topology; always given, as the host stands behind it
    file: PathBuf,
    /// The host, by its name in the topology
    host: String,
    /// What to run there instead of a shell; its exit status is that of this command
    #[arg(last = true)]
    command: Vec<String>,
}

/// Logs in along the same way as `apply`: every host key on it is the pinned one, or nothing is sent.
pub(super) async fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let session = session::begin(options, session::load(options, &arguments.file)?, Use::Look).await?;
    let host = find(&session, &arguments.host)?;
    get_to_know(&session, Depth::Cloud).await?;
    let ssh = session.hosts.user_session(host, &session.provider.known).await?;
    let program = program(&arguments.command);
    let is_interactive = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let terminal = (is_interactive && program == Program::Shell).then(terminal);
    let raw = terminal.as_ref().and_then(|_| Raw::enter());
    let conversation = ssh.converse(program, terminal).await.map_err(failed)?;
    let status = hold(conversation).await;
    drop(raw);
    let status = status.map_err(failed)?;
    Ok(ExitStatus::OfProgram(u8::try_from(status).unwrap_or(u8::MAX)))
}

pub(super) fn failed(error: SshError) -> Failure {
    Failure::from(crate::apply::ApplyError::from(error))
}

pub(super) fn find<'a>(session: &'a Session, name: &str) -> Result<&'a HostSpec, Failure> {
    let named = session.desired.hosts().find(|host| host.instance().as_str() == name);
    named.ok_or_else(|| {
        let all: Vec<String> = session.desired.hosts().map(|host| host.instance().to_string()).collect();
        Failure::saying(
            ExitStatus::Usage,
            format!("the topology has no host `{name}`"),
            format!("name one of {}", all.join(", ")),
        )
    })
}

fn program(command: &[String]) -> Program {
    match command.split_first() {
        None => Program::Shell,
        Some((name, arguments)) => Program::Line(Command::new(name).args(arguments).to_string()),
    }
}

/// The terminal we are in, as far as it says what it is.
fn terminal() -> Terminal {
    let kind = environment::terminal_kind();
    Terminal { kind, size: size().unwrap_or(Size { columns: 80, rows: 24 }) }
}

/// How large the terminal is that standard output is, when it is one.
pub(super) fn size() -> Option<Size> {
    let size = tcgetwinsize(std::io::stdout()).ok()?;
    Some(Size { columns: size.ws_col, rows: size.ws_row })
}

/// Carries what is typed there and what is said here, until the program ends; its status.
async fn hold(conversation: Conversation) -> Result<i32, SshError> {
    let Conversation { stdio, stderr, sizes, status } = conversation;
    let (mut said, mut typed) = split(stdio);
    let mut complaints = stderr;
    let watching = tokio::spawn(watch_size(sizes));
    let mut keys = keys();
    let typing = tokio::spawn(async move {
        while let Some(bytes) = keys.recv().await {
            typed.write_all(&bytes).await?;
        }
        typed.shutdown().await
    });
    let out = async {
        let mut stdout = tokio::io::stdout();
        let _ = copy(&mut said, &mut stdout).await;
        stdout.flush().await
    };
    let complain = async {
        let mut errors = tokio::io::stderr();
        let _ = copy(&mut complaints, &mut errors).await;
        errors.flush().await
    };
    // A reader here that is gone is no reason to lose how the program ended.
    let _ = tokio::join!(out, complain);
    let ended = status.await;
    typing.abort();
    watching.abort();
    ended.unwrap_or(Err(SshError::ConnectionLost {
        host: String::new(),
        what: "the conversation with a program".to_owned(),
        after: None,
        source: None,
    }))
}

/// What comes on standard input. By a thread that nobody waits for: reading a terminal ends only when somebody types.
fn keys() -> Receiver<Vec<u8>> {
    let (sender, keys) = channel(16);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = std::io::stdin().lock().read(&mut buffer) {
            if sender.blocking_send(buffer[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    keys
}

/// Tells each new size of our terminal.
async fn watch_size(sizes: UnboundedSender<Size>) {
    let Ok(mut changes) = signal(SignalKind::window_change()) else { return };
    while changes.recv().await.is_some() {
        if size().is_some_and(|size| sizes.send(size).is_err()) {
            return;
        }
    }
}

/// Our terminal, taken as it comes: every key goes to the other side. As before when this is dropped.
struct Raw(Termios);

impl Raw {
    fn enter() -> Option<Self> {
        let before = tcgetattr(std::io::stdin()).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(std::io::stdin(), OptionalActions::Now, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Drain, &self.0);
    }
}
