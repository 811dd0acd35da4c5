//! Which journal is that of a stack: the one of the account and the endpoint that a command talks to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::GlobalOptions;
use crate::cli::caller::Caller;
use crate::cli::failure::Failure;
use crate::cli::interrupt::{self, Stop};
use crate::cli::say;
use crate::cli::session::{self, Target};
use crate::cli::shared::{self, SharedLock};
use crate::cloud::transport::Client;
use crate::state::Identity;
use crate::state::journal::{Journal, Tail};
use crate::state::lock::{Claim, Lock, Notice};
use crate::state::shared::{self as in_bucket, Opened, Store};
use crate::topology::model::Topology;

/// A stack of an account, and where its journal is.
pub(super) struct Stack {
    /// Talks to its cloud.
    pub client: Client,
    /// Whose it is.
    pub identity: Identity,
    /// The folder of its state.
    pub folder: PathBuf,
    /// The bucket that several people share it in.
    pub store: Option<Store>,
    caller: Caller,
}

/// What keeps other commands away from a stack: here, and elsewhere where it is shared. It ends in that order backwards.
pub(super) struct Guard {
    _shared: Option<SharedLock>,
    _local: Lock,
}

/// The stack of a topology in the cloud a command is for.
///
/// # Errors
/// When no credentials are found, nobody says whose they are, or the bucket of a shared state cannot be used.
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
    let store = match &topology.state {
        Some(location) => {
            let is_local = matches!(target, Target::Local(_));
            Some(shared::open(&client, location, &identity, is_local).await?)
        }
        None => None,
    };
    Ok(Stack { client, identity, folder, store, caller })
}

impl Stack {
    /// Its journal, to be read.
    ///
    /// # Errors
    /// When it is damaged, or another cloud's.
    pub(super) async fn read(&self) -> Result<Journal, Failure> {
        match &self.store {
            Some(store) => Ok(in_bucket::look(store, &self.folder, &self.identity).await?),
            None => Ok(Journal::open_for_reading(&self.folder, &self.identity)?),
        }
    }

    /// Its journal, to be written to for as long as the lock is held; stop is said should that be lost.
    ///
    /// # Errors
    /// As [`Stack::read`], and when somebody else holds the lock.
    pub(super) async fn lock(
        &self,
        options: &GlobalOptions,
        stop: &Stop,
    ) -> Result<(Guard, Journal), Failure> {
        let (guard, journal, opened) = self.lock_saying(options, stop).await?;
        if let Some(store) = &self.store {
            shared::show(&opened, store.place());
        }
        Ok((guard, journal))
    }

    /// The same, for who says itself what was found.
    ///
    /// # Errors
    /// As [`Stack::lock`].
    pub(super) async fn lock_saying(
        &self,
        options: &GlobalOptions,
        stop: &Stop,
    ) -> Result<(Guard, Journal, Opened), Failure> {
        let claim = Claim::new(&interrupt::command_line(), Duration::from_secs(options.lock_wait));
        let local = take_lock(&self.folder, &claim, stop).await?;
        let (shared, journal, opened, tail) = if let Some(store) = &self.store {
            let identity = self.identity.clone();
            let take = in_bucket::take(store.clone(), &self.folder, identity, (&claim, &show_lock_notice));
            let (held, journal, opened, tail) = stop.or(async { Ok(take.await?) }).await?;
            stop.when_shared_lock_is_lost(held.standing());
            (Some(SharedLock::new(held)), journal, opened, tail)
        } else {
            let (journal, tail) = Journal::open(&self.folder, self.identity.clone())?;
            (None, journal, Opened::default(), tail)
        };
        if let Tail::Torn(line) = tail {
            tracing::warn!("{line}");
        }
        self.caller.remember()?;
        let journal = journal.guarded_by(local.standing());
        Ok((Guard { _shared: shared, _local: local }, journal, opened))
    }
}

async fn take_lock(folder: &Path, claim: &Claim, stop: &Stop) -> Result<Lock, Failure> {
    let lock = stop.or(async { Ok(Lock::take(folder, claim, &show_lock_notice).await?) }).await?;
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
