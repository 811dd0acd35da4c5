//! Holds a machine to its conditions: stops what is frozen, fills its disk, kills the node, keeps Redis down; and undoes
//! it.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::watch;

use crate::plane::guest::machine::Seen;
use crate::plane::guest::{disk, errand, units};
use crate::plane::spec::{Conditions, is_node, is_redis};

/// Between two looks at what runs, while something is wrong or still to be undone.
const LOOK: Duration = Duration::from_millis(100);

/// What is done to a machine.
pub(crate) struct Ordeal {
    pub(crate) folder: PathBuf,
    pub(crate) seen: Arc<Mutex<Seen>>,
    /// What the machine was held to last.
    applied: watch::Sender<Conditions>,
    done: Done,
}

/// What is to be undone.
#[derive(Debug, Default, PartialEq, Eq)]
struct Done {
    /// The groups that are frozen: a machine that boots has others.
    frozen: Vec<PathBuf>,
    is_full: bool,
    killed: BTreeSet<String>,
    stopped: BTreeSet<String>,
}

impl Ordeal {
    pub(crate) fn new(folder: PathBuf, seen: Arc<Mutex<Seen>>, applied: watch::Sender<Conditions>) -> Self {
        Self { folder, seen, applied, done: Done::default() }
    }

    /// Goes on until nobody wants anything of the machine any more.
    pub(crate) async fn run(mut self, mut conditions: watch::Receiver<Conditions>) {
        loop {
            let now = conditions.borrow_and_update().clone();
            let is_busy = now.is_frozen || now.is_full || now.kills_node || now.stops_redis;
            if is_busy || self.done != Done::default() {
                self.follow(&now).await;
            } else {
                self.applied.send_replace(now);
            }
            let patience = if is_busy || self.done != Done::default() { LOOK } else { Duration::MAX };
            if let Ok(Err(_)) = tokio::time::timeout(patience, conditions.changed()).await {
                return;
            }
        }
    }

    async fn follow(&mut self, now: &Conditions) {
        let (leader, groups) = {
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            (seen.leader, seen.groups.clone())
        };
        // What is to run commands, or to be killed, has to be able to move.
        if !now.is_frozen && !self.done.frozen.is_empty() {
            signal_all(&self.done.frozen, Signal::CONT);
            self.done.frozen.clear();
        }
        // One that is off is followed up when it is on again.
        let Some(leader) = leader else { return };
        if !now.is_frozen
            && let Err(error) = self.change(leader, &groups, now).await
        {
            tracing::info!(folder = %self.folder.display(), %error, "a fault of a machine is tried again");
            return;
        }
        if now.is_frozen {
            signal_all(&groups, Signal::STOP);
            self.done.frozen = groups;
        }
        self.applied.send_replace(now.clone());
    }

    async fn change(&mut self, leader: u32, groups: &[PathBuf], now: &Conditions) -> io::Result<()> {
        if now.is_full != self.done.is_full {
            if now.is_full {
                disk::fill(leader, &self.folder).await?;
            } else {
                disk::empty(leader).await?;
            }
            self.done.is_full = now.is_full;
        }
        let runs = units::running(groups);
        if now.kills_node {
            for unit in runs.iter().filter(|unit| is_node(&unit.unit)) {
                signal(unit.pid, Signal::KILL);
                self.done.killed.insert(unit.unit.clone());
            }
        }
        if now.stops_redis {
            for unit in runs.iter().filter(|unit| is_redis(&unit.unit)) {
                errand::perform(leader, &["systemctl", "stop", &unit.unit]).await?;
                self.done.stopped.insert(unit.unit.clone());
            }
        }
        if !now.kills_node {
            start_again(leader, &mut self.done.killed).await?;
        }
        if !now.stops_redis {
            start_again(leader, &mut self.done.stopped).await?;
        }
        Ok(())
    }
}

/// Starts units, also those that were given up.
async fn start_again(leader: u32, units: &mut BTreeSet<String>) -> io::Result<()> {
    while let Some(unit) = units.first().cloned() {
        // One that did not fail cannot be forgiven.
        let _ = errand::perform(leader, &["systemctl", "reset-failed", &unit]).await;
        errand::perform(leader, &["systemctl", "start", "--no-block", &unit]).await?;
        units.remove(&unit);
    }
    Ok(())
}

fn signal_all(groups: &[PathBuf], wanted: Signal) {
    for pid in groups.first().map(|group| units::processes(group)).unwrap_or_default() {
        signal(Some(pid), wanted);
    }
}

fn signal(pid: Option<u32>, signal: Signal) {
    let pid = pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    // One that is gone meanwhile has nothing to hear.
    if let Some(pid) = pid {
        let _ = kill_process(pid, signal);
    }
}
