//! Holds a host to its conditions while it is on: stops what is frozen, kills the node, keeps Redis down; and undoes it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::plane::host::machine::Machine;
use crate::plane::host::service::{Active, SIGCONT, SIGKILL, SIGSTOP};
use crate::plane::spec::{Conditions, is_node, is_redis};

/// Between two looks at what runs, while something is wrong: units start by themselves.
const LOOK: Duration = Duration::from_millis(50);

/// What was done to a host and is to be undone.
#[derive(Default)]
struct Done {
    is_frozen: bool,
    killed: BTreeSet<String>,
    stopped: BTreeSet<String>,
}

/// Goes on until the host is switched off, which undoes all of it by itself.
pub(super) async fn run(machine: Arc<Machine>, off: CancellationToken) {
    let mut conditions = machine.conditions();
    let mut done = Done::default();
    let work = async {
        loop {
            let now = conditions.borrow_and_update().clone();
            done.follow(&machine, &now).await;
            let is_busy = now.is_frozen || now.kills_node || now.stops_redis;
            machine.note_applied(now);
            if wait(&mut conditions, is_busy).await.is_err() {
                return;
            }
        }
    };
    off.run_until_cancelled(work).await;
}

/// Until the conditions change, or it is time for another look.
async fn wait(
    conditions: &mut watch::Receiver<Conditions>,
    is_busy: bool,
) -> Result<(), watch::error::RecvError> {
    let patience = if is_busy { LOOK } else { Duration::MAX };
    tokio::time::timeout(patience, conditions.changed()).await.unwrap_or(Ok(()))
}

impl Done {
    async fn follow(&mut self, machine: &Arc<Machine>, now: &Conditions) {
        // What is killed or started again has to be able to move.
        if self.is_frozen && !now.is_frozen {
            signal_all(machine, SIGCONT).await;
        }
        if now.kills_node {
            for unit in running(machine, is_node) {
                machine.signal_unit(&unit, SIGKILL).await;
                self.killed.insert(unit);
            }
        } else {
            for unit in std::mem::take(&mut self.killed) {
                start_again(machine, &unit).await;
            }
        }
        if now.stops_redis {
            for unit in running(machine, is_redis) {
                let _ = machine.stop_unit(&unit).await;
                self.stopped.insert(unit);
            }
        } else {
            for unit in std::mem::take(&mut self.stopped) {
                start_again(machine, &unit).await;
            }
        }
        if now.is_frozen {
            signal_all(machine, SIGSTOP).await;
        }
        self.is_frozen = now.is_frozen;
    }
}

/// Units that run and are of this kind.
fn running(machine: &Machine, is_wanted: fn(&str) -> bool) -> Vec<String> {
    let units = machine.services.processes().into_iter();
    units.filter(|unit| unit.pid.is_some() && is_wanted(&unit.unit)).map(|unit| unit.unit).collect()
}

async fn signal_all(machine: &Machine, signal: i32) {
    for unit in running(machine, |_| true) {
        machine.signal_unit(&unit, signal).await;
    }
}

/// Starts a unit unless it runs; one that was given up is not held to that.
async fn start_again(machine: &Arc<Machine>, unit: &str) {
    if machine.services.state(unit).active == Active::Failed {
        machine.services.reset(Some(unit));
    }
    if let Err(error) = machine.start_unit(unit).await {
        tracing::info!(unit, ?error, "a unit does not start again after its fault");
    }
}
