//! What stands behind the instances of a region: nothing, processes, or machines of their own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::plane::guest::{self, Machines};
use crate::plane::host::Fleet;
use crate::plane::spec::{CommandResult, Conditions, Desired, Health, Host, HostState, Power, Said, Status};

/// Why there are no faults of hosts where there are no hosts.
const NO_MACHINES: &str = "this cloud has no machines, it is a control plane alone";
/// Why no packet of a process is lost.
const NO_PACKETS: &str = "process hosts have no packets of their own; take `--hosts machine`";

/// The hosts of one region.
pub(crate) enum Hosts {
    /// None: every instance is at once as it should be.
    Pretended(Mutex<Status>),
    /// Processes behind an embedded SSH server.
    Processes(Arc<Fleet>),
    /// Machines of their own.
    Machines(Machines),
}

impl Hosts {
    /// Makes them as wanted; whether they are now.
    pub(crate) async fn reconcile(&self, desired: &Desired) -> bool {
        match self {
            Self::Pretended(status) => {
                *status.lock().unwrap_or_else(PoisonError::into_inner) = pretend(desired);
                true
            }
            Self::Processes(fleet) => fleet.reconcile(desired).await,
            Self::Machines(machines) => machines.reconcile(desired).await,
        }
    }

    /// Whether there is anything behind the instances.
    pub(crate) fn are_real(&self) -> bool {
        match self {
            Self::Pretended(_) => false,
            Self::Processes(_) | Self::Machines(_) => true,
        }
    }

    /// How they are, and how they are reached.
    pub(crate) fn report(&self) -> Status {
        let mut status = Status::default();
        match self {
            Self::Pretended(pretended) => {
                status.clone_from(&pretended.lock().unwrap_or_else(PoisonError::into_inner));
            }
            Self::Processes(fleet) => fleet.report(&mut status),
            Self::Machines(machines) => machines.report(&mut status),
        }
        status
    }

    /// Waits until each that is on is held to what is wrong with it.
    pub(crate) async fn faults_applied(&self) {
        match self {
            Self::Pretended(_) => {}
            Self::Processes(fleet) => fleet.faults_applied().await,
            Self::Machines(machines) => machines.faults_applied().await,
        }
    }

    /// Runs a script on an instance.
    pub(crate) async fn run_command(&self, instance: &str, script: &str) -> Result<CommandResult, String> {
        match self {
            Self::Pretended(_) => Err("the instance has no machine behind it".to_owned()),
            Self::Processes(fleet) => fleet.run_command(instance, script).await,
            Self::Machines(machines) => machines.run_command(instance, script).await,
        }
    }

    /// What an instance said.
    pub(crate) async fn logs(&self, instance: &str, after: Option<&str>) -> Result<Said, String> {
        match self {
            Self::Pretended(_) => Err(NO_MACHINES.to_owned()),
            Self::Processes(fleet) => fleet.logs(instance, after),
            Self::Machines(machines) => machines.logs(instance, after).await,
        }
    }

    /// Why an instance cannot be made to put up with this.
    pub(crate) async fn cannot(&self, conditions: &Conditions) -> Option<String> {
        let has_packets = conditions.loss.is_some() || conditions.delay.is_some();
        match self {
            Self::Pretended(_) => Some(NO_MACHINES.to_owned()),
            Self::Processes(_) if has_packets => Some(NO_PACKETS.to_owned()),
            Self::Processes(_) => None,
            Self::Machines(_) => guest::cannot(conditions).await,
        }
    }

    /// Why two instances cannot be kept from reaching each other.
    pub(crate) fn cannot_cut(&self) -> Option<String> {
        match self {
            Self::Pretended(_) => Some(NO_MACHINES.to_owned()),
            Self::Processes(_) | Self::Machines(_) => None,
        }
    }

    /// Ends all of them and removes their files.
    pub(crate) async fn shutdown(&self) {
        match self {
            Self::Pretended(_) => {}
            Self::Processes(fleet) => fleet.shutdown().await,
            Self::Machines(machines) => machines.shutdown().await,
        }
    }
}

/// Without machines instances count as ready at once, and servers as healthy.
fn pretend(desired: &Desired) -> Status {
    let host = |power| Host {
        state: if power == Power::On { HostState::Ready } else { HostState::Off },
        processes: Vec::new(),
        started: None,
        console: String::new(),
    };
    let hosts = desired.instances.iter().map(|(id, instance)| (id.clone(), host(instance.power)));
    Status { hosts: hosts.collect(), health: pretended_health(desired), ..Status::default() }
}

fn pretended_health(desired: &Desired) -> BTreeMap<String, BTreeMap<String, Health>> {
    let judge = |weight| {
        if weight == 0 { Health::Unused } else { Health::Healthy }
    };
    let mut health = BTreeMap::new();
    for balancer in desired.load_balancers.values() {
        for (id, listener) in &balancer.listeners {
            let Some(group) = balancer.server_groups.get(&listener.server_group) else { continue };
            let servers = group.servers.iter().map(|(key, server)| (key.clone(), judge(server.weight)));
            health.insert(id.clone(), servers.collect());
        }
    }
    health
}
