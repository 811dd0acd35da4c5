//! Which journal is that of a stack: the one of the account and the endpoint that a command talks to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::GlobalOptions;
use crate::cli::caller::Caller;
use crate::cli::failure::Failure;
use crate::cli::interrupt::{self, Stop};
use crate::cli::say;
use crate::cli::session::{self, Target};
use crate::cloud::transport::Client;
use crate::state::Identity;
use crate::state::journal::{Journal, Tail};
use crate::state::lock::{Claim, Lock, Notice};
use crate::topology::model::Topology;

/// A stack of an account, and where its journal is.
pub(super) struct Stack {
    /// Talks to its cloud.
    pub client: Client,
    /// Whose it is.
    pub identity: Identity,
    /// The folder of its state.
    pub folder: PathBuf,
    caller: Caller,
}

/// The stack of a topology in the cloud a command is for.
///
/// # Errors
/// When no credentials are found, or nobody says whose they are.
pub(super) async fn find(
    options: &GlobalOptions,
    topology: &Topology,
    target: &Target,
) -> Result<Stack, Failure> {
    let client = session::client(options, topology, target).await?;
    let endpoint = client.endpoint().label();
    let caller = Caller::find(options.state_dir(), &client).await?;
    let identity = Identity::new(&caller.account, &endpoint, topology.region.clone(), topology.stack.clone());
    let folder = options
        .state_dir()
        .join(&caller.account)
        .join(topology.region.as_str())
        .join(topology.stack.as_str());
    Ok(Stack { client, identity, folder, caller })
}

impl Stack {
    /// Its journal, to be read.
    ///
    /// # Errors
    /// When it is damaged, or another cloud's.
    pub(super) fn read(&self) -> Result<Journal, Failure> {
        Ok(Journal::open_for_reading(&self.folder, &self.identity)?)
    }

    /// Its journal, to be written to for as long as the lock is held; stop is said should that be lost.
    ///
    /// # Errors
    /// As [`Stack::read`], and when somebody else holds the lock.
    pub(super) async fn lock(
        &self,
        options: &GlobalOptions,
        stop: &Stop,
    ) -> Result<(Lock, Journal), Failure> {
        let lock = take_lock(&self.folder, options, stop).await?;
        let (journal, tail) = Journal::open(&self.folder, self.identity.clone())?;
        if let Tail::Torn(line) = tail {
            tracing::warn!("{line}");
        }
        self.caller.remember()?;
        let journal = journal.guarded_by(lock.standing());
        Ok((lock, journal))
    }
}

async fn take_lock(folder: &Path, options: &GlobalOptions, stop: &Stop) -> Result<Lock, Failure> {
    let claim = Claim::new(&interrupt::command_line(), Duration::from_secs(options.lock_wait));
    let lock = stop.or(async { Ok(Lock::take(folder, &claim, &show_lock_notice).await?) }).await?;
    stop.when_lost(lock.standing());
    Ok(lock)
}

/// Says why the lock is not there at once.
pub(super) fn show_lock_notice(notice: &Notice<'_>) {
    match notice {
        Notice::Waiting { holder, most } => {
            say::notice(&format!("waiting {:.0} s at most for {holder}", most.as_secs_f64().ceil()));
        }
        Notice::Watching { holder, lease } => {
            let seconds = lease.as_secs();
            say::notice(&format!("the stack is locked by {holder}"));
            say::notice(&format!(
                "finding out whether that command still runs, which takes {seconds} s at most"
            ));
        }
    }
}
