//! What the thread of a session is asked to do, one thing after the other, each with a deadline.
//!
//! When one runs out of time the connection is shut at once, before anything of it is dropped: ssh2 closes files and SFTP
//! channels by calls that block until the host answers, and a host that was given up never does.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::command::Output;
use super::error::SshError;
use super::link::Link;
use super::transfer::{self, Fault, Transfer};

/// One thing to do, and who waits for it.
pub(super) struct Job {
    pub(super) task: Task,
    pub(super) what: String,
    pub(super) deadline: Duration,
    pub(super) reply: oneshot::Sender<Result<Reply, SshError>>,
}

/// What can be asked for.
pub(super) enum Task {
    Run {
        line: String,
        stdin: Option<Arc<[u8]>>,
    },
    Put {
        path: String,
        bytes: Arc<[u8]>,
        mode: u32,
    },
    Get {
        path: String,
    },
    /// Asks how long a file is.
    Length {
        path: String,
    },
    /// Writes bytes behind the first ones of a file.
    Append {
        path: String,
        behind: usize,
        bytes: Arc<[u8]>,
    },
    Hold {
        line: String,
        before: Option<Arc<[u8]>>,
    },
    LetGo,
    /// Asks where the user is at home.
    Home,
}

/// How it is answered.
pub(super) enum Reply {
    Ran(Output),
    Stored,
    Content(Option<Vec<u8>>),
    Length(usize),
    /// Absent while it goes on.
    Held(Option<Output>),
    LetGo,
    Home(String),
}

/// The thread's loop: one job at a time until the handle is gone or the connection is.
pub(super) async fn serve(link: Link, host: String, mut queue: mpsc::UnboundedReceiver<Job>) {
    let mut transfer = Transfer::default();
    let mut held = None;
    while let Some(job) = queue.recv().await {
        if job.reply.is_closed() {
            continue;
        }
        let outcome = {
            let mut work = pin!(perform(&link, (&mut transfer, &mut held), job.task, &host, &job.what));
            if let Ok(outcome) = timeout(job.deadline, &mut work).await {
                outcome
            } else {
                // Before the work goes.
                link.shut();
                let what = job.what.clone();
                Err(SshError::TimedOut { host: host.clone(), what, after: job.deadline })
            }
        };
        // A half-finished exchange cannot be taken up again, so the session ends with it.
        let over = matches!(outcome, Err(SshError::TimedOut { .. } | SshError::ConnectionLost { .. }));
        if over {
            link.shut();
        }
        // Whoever asked may be gone.
        drop(job.reply.send(outcome));
        if over {
            break;
        }
    }
    // As above, for the SFTP channel.
    link.shut();
}

async fn perform(
    link: &Link,
    (transfer, held): (&mut Transfer, &mut Option<ssh2::Channel>),
    task: Task,
    host: &str,
    what: &str,
) -> Result<Reply, SshError> {
    let begun = Instant::now();
    let lost = |source| SshError::ConnectionLost {
        host: host.to_owned(),
        what: what.to_owned(),
        after: Some(begun.elapsed()),
        source: Some(source),
    };
    match task {
        Task::Run { line, stdin } => transfer::run(link, &line, stdin.as_deref().unwrap_or_default())
            .await
            .map(Reply::Ran)
            .map_err(lost),
        Task::Put { path, bytes, mode } => match transfer.put(link, &path, &bytes, mode).await {
            Ok(()) => Ok(Reply::Stored),
            Err(fault) => Err(file_error(fault, host, path, "written", lost)),
        },
        Task::Get { path } => match transfer.get(link, &path).await {
            Ok(content) => Ok(Reply::Content(content)),
            Err(fault) => Err(file_error(fault, host, path, "read", lost)),
        },
        Task::Length { path } => match transfer.length(link, &path).await {
            Ok(length) => Ok(Reply::Length(length)),
            Err(fault) => Err(file_error(fault, host, path, "read", lost)),
        },
        Task::Append { path, behind, bytes } => match transfer.append(link, &path, behind, &bytes).await {
            Ok(()) => Ok(Reply::Stored),
            Err(fault) => Err(file_error(fault, host, path, "written", lost)),
        },
        Task::Home => match transfer.home(link).await {
            Ok(path) => Ok(Reply::Home(path)),
            Err(fault) => Err(file_error(fault, host, ".".to_owned(), "read", lost)),
        },
        Task::Hold { line, before } => {
            match transfer::hold(link, &line, before.as_deref().unwrap_or_default()).await.map_err(lost)? {
                Ok(channel) => {
                    *held = Some(channel);
                    Ok(Reply::Held(None))
                }
                Err(ended) => Ok(Reply::Held(Some(ended))),
            }
        }
        Task::LetGo => {
            if let Some(channel) = held.take() {
                transfer::let_go(link, channel).await.map_err(lost)?;
            }
            Ok(Reply::LetGo)
        }
    }
}

fn file_error(
    fault: Fault,
    host: &str,
    path: String,
    action: &'static str,
    lost: impl FnOnce(io::Error) -> SshError,
) -> SshError {
    match fault {
        Fault::Refused(source) => SshError::File { host: host.to_owned(), path, action, source },
        Fault::Lost(source) => lost(source),
    }
}
