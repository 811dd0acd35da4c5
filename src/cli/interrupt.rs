//! Ctrl-C and SIGTERM: the first lets what is under way come to its end, the second ends the program at once.
//!
//! While nothing is under way (the lock is waited for, the cloud is read, a question is asked) the first one ends it too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::{events, say};
use crate::ssh::quote;
use crate::state::lock::Standing;
use crate::state::shared::SharedHolder;

/// How many listen. A command may be made of several that listen one after the other.
static LISTENING: AtomicUsize = AtomicUsize::new(0);

/// Said when somebody has said stop. Once it is dropped, and no other one listens, a signal ends the program at once.
#[derive(Debug)]
pub(super) struct Stop {
    shared: Arc<Shared>,
    over: CancellationToken,
    _ended: DropGuard,
    _listens: Option<Listens>,
}

/// One that listens.
#[derive(Debug)]
struct Listens;

impl Listens {
    fn begin() -> Self {
        LISTENING.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Listens {
    fn drop(&mut self) {
        LISTENING.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Debug, Default)]
struct Shared {
    said: CancellationToken,
    /// Whether something is under way that has to come to its end.
    is_busy: AtomicBool,
    /// Whether it was not a person who said so: the lock is another's.
    lost_lock: AtomicBool,
}

impl Shared {
    /// Whoever said it is told what happens now, before it happens.
    fn say(&self) {
        if self.is_busy.load(Ordering::SeqCst) {
            say::alert("stopping after what is under way; once more ends at once");
        }
        self.said.cancel();
    }
}

impl Stop {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the system does not let us.
    pub(super) fn listen() -> Result<Self, Failure> {
        let refused = |error: std::io::Error| Failure::new(ExitStatus::Bug, error, None);
        let mut interrupt = signal(SignalKind::interrupt()).map_err(refused)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(refused)?;
        let stop = Self { _listens: Some(Listens::begin()), ..Self::never() };
        let (shared, ended) = (stop.shared.clone(), stop.over.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = either(&mut interrupt, &mut terminate) => shared.say(),
                () = ended.cancelled() => {}
            }
            loop {
                either(&mut interrupt, &mut terminate).await;
                if !ended.is_cancelled() || LISTENING.load(Ordering::SeqCst) == 0 {
                    leave();
                }
            }
        });
        Ok(stop)
    }

    /// Of a command that changes nothing and may end at any time.
    pub(super) fn never() -> Self {
        let over = CancellationToken::new();
        Self { shared: Arc::default(), _ended: over.clone().drop_guard(), over, _listens: None }
    }

    /// Whoever holds it hears when somebody says stop.
    pub(super) fn token(&self) -> &CancellationToken {
        &self.shared.said
    }

    /// Says stop as soon as the lock is lost.
    pub(super) fn when_lost(&self, standing: Standing) {
        let shared = self.shared.clone();
        tokio::spawn(async move {
            let lost = standing.lost().await;
            say::alert(&format!("{lost}; from now on nothing is journalled"));
            shared.lost_lock.store(true, Ordering::SeqCst);
            shared.say();
        });
    }

    /// Says stop as soon as the lock that is shared with others is lost.
    pub(super) fn when_shared_lock_is_lost(&self, standing: SharedHolder) {
        let shared = self.shared.clone();
        tokio::spawn(async move {
            let lost = standing.lost().await;
            say::alert(&format!(
                "{lost}; from now on nothing is begun, and how it ended is written down here only"
            ));
            shared.lost_lock.store(true, Ordering::SeqCst);
            shared.say();
        });
    }

    /// How a command ends that was stopped.
    pub(super) fn status(&self) -> ExitStatus {
        if self.shared.lost_lock.load(Ordering::SeqCst) {
            ExitStatus::Locked
        } else {
            ExitStatus::Interrupted
        }
    }

    /// Does what may be dropped at any time; ends the command when somebody says stop.
    ///
    /// # Errors
    /// What the work says, or that it was stopped.
    pub(super) async fn or<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.shared.said.cancelled() => {
                say::alert("\nStopped; nothing new was begun.");
                Err(Failure::shown(self.status()))
            }
            done = work => done,
        }
    }

    /// Does what has to come to its end, whoever says stop.
    pub(super) async fn heard<T>(&self, work: impl Future<Output = T>) -> T {
        self.shared.is_busy.store(true, Ordering::SeqCst);
        let done = work.await;
        self.shared.is_busy.store(false, Ordering::SeqCst);
        done
    }
}

/// The command line of this program, as a shell reads it.
pub(super) fn command_line() -> String {
    let words: Vec<String> = std::env::args_os().map(|word| quote(&word.to_string_lossy())).collect();
    words.join(" ")
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

#[expect(
    clippy::exit,
    reason = "the second signal must end the program whatever it waits for; the journal is safe"
)]
fn leave() {
    events::end_at_once(ExitStatus::Interrupted);
    std::process::exit(i32::from(ExitStatus::Interrupted.code()));
}
