//! `albatross unlock FILE`

use std::path::{Path, PathBuf};

use crate::base::durable::FileError;
use crate::cli::GlobalOptions;
use crate::cli::cloud;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::session::{self, Target};
use crate::cli::stack::{self, show_lock_notice};
use crate::cli::topology_file::{Located, TopologyArgument};
use crate::state::StateError;
use crate::state::lock::{Unlocked, unlock};
use crate::state::shared as in_bucket;
use crate::topology::model::Topology;

/// Arguments of `unlock`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    topology: TopologyArgument,
    /// Remove the lock even when its holder is at work
    #[arg(long)]
    force: bool,
}

/// The cloud is not asked: a lock is found by region and stack, whatever account it is of. That of a shared stack is in its
/// bucket.
pub(super) async fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let Located { file, options } = &arguments.topology.locate(options)?;
    let topology = session::load(options, file)?.topology;
    if topology.state.is_some() {
        return shared(options, &topology, arguments.force).await;
    }
    let folders = locked(options.state_dir(), &topology)?;
    if let (true, [_, _, ..]) = (arguments.force, folders.as_slice()) {
        return Err(ambiguous(&folders));
    }
    if folders.is_empty() {
        anstream::println!("The stack {} in {} is not locked.", topology.stack, topology.region);
    }
    for folder in folders {
        say(&unlock(&folder, arguments.force, &show_lock_notice).await.map_err(lives)?);
    }
    Ok(ExitStatus::Done)
}

/// The lock in the bucket; the one on this machine stands behind it, and is judged by itself.
async fn shared(options: &GlobalOptions, topology: &Topology, force: bool) -> Result<ExitStatus, Failure> {
    let target =
        if options.local { Target::Local(Box::new(cloud::running(options).await?)) } else { Target::Remote };
    let stack = stack::find(options, topology, &target).await?;
    if let Some(store) = &stack.store {
        match in_bucket::unlock(store, force, &show_lock_notice).await.map_err(lives)? {
            Unlocked::WasFree => {
                anstream::println!("The stack {} in {} is not locked.", topology.stack, topology.region);
            }
            unlocked @ (Unlocked::WasAbandoned(_) | Unlocked::WasForced(_)) => say(&unlocked),
        }
    }
    // A command that was forced out finds that out in the bucket; one that is gone has left both.
    unlock(&stack.folder, force, &show_lock_notice).await.map_err(lives)?;
    Ok(ExitStatus::Done)
}

fn say(unlocked: &Unlocked) {
    match unlocked {
        Unlocked::WasFree => anstream::println!("Nobody held the lock any more."),
        Unlocked::WasAbandoned(holder) => {
            anstream::println!(
                "Removed the lock of {holder}.\nThat command is gone; run it again, and it goes on."
            );
        }
        Unlocked::WasForced(holder) => anstream::println!(
            "Removed the lock of {holder}.\n\
             If that command is at work, it finds out within ten seconds, journals nothing more and stops after\n\
             what is under way. Wait for its end before you begin another: what it has sent is not called back."
        ),
    }
}

/// Waiting for it or forcing it are the two ways on.
fn lives(error: StateError) -> Failure {
    let StateError::Locked { .. } = &error else {
        return error.into();
    };
    let hint = "that command is at work: let it end, or stop it with Ctrl-C; --force removes its lock all the same, \
                after which two commands may change the stack at once";
    Failure::new(ExitStatus::Locked, error, Some(hint.to_owned()))
}

fn ambiguous(folders: &[PathBuf]) -> Failure {
    let listed: Vec<String> = folders.iter().map(|folder| format!("`{}`", folder.display())).collect();
    Failure::saying(
        ExitStatus::Usage,
        format!("stacks of this name are locked in {}", listed.join(" and ")),
        "remove the file `lock` in the folder that is meant",
    )
}

/// Folders of the stack that have a lock: one in each account it was made in.
fn locked(state: &Path, topology: &Topology) -> Result<Vec<PathBuf>, StateError> {
    let accounts = match std::fs::read_dir(state) {
        Ok(accounts) => accounts,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FileError::new("read", state)(error).into()),
    };
    let mut folders = Vec::new();
    for account in accounts {
        let account = account.map_err(FileError::new("read", state))?.path();
        let folder = account.join(topology.region.as_str()).join(topology.stack.as_str());
        if folder.join("lock").exists() {
            folders.push(folder);
        }
    }
    folders.sort();
    Ok(folders)
}
