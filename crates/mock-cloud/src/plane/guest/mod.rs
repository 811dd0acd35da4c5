//! Machine hosts: each instance is a Debian of its own under `systemd-nspawn`, in a network that is routed.
//!
//! 1. [`Machines`] is all of a region: a [`router::Router`] a VPC, a [`machine::Machine`] an instance.
//! 2. `booted` is a machine that runs; `boot` is the process that becomes it, `furnish` what it gets before.
//! 3. `namespace` holds networks, `firewall` the security groups, `relay` the ways in and out.
//! 4. `disk` is what a machine's files are on, `ordeal` and `interference` do to it what faults want.
//! 5. `record` remembers what there is beside this process, and removes what dead ones left.
//!
//! Networks, mounts and trees of processes have no names: the kernel ends them with the processes that hold them,
//! however those end. What a cloud that was killed can leave behind are files and empty control groups.

pub(crate) mod boot;
mod booted;
pub(crate) mod command;
mod console;
mod disk;
pub(crate) mod errand;
mod firewall;
pub(crate) mod furnish;
mod interference;
mod journal;
mod lateness;
mod limits;
mod machine;
mod namespace;
mod ordeal;
pub(crate) mod record;
mod relay;
mod router;
mod units;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::plane::guest::machine::Machine;
use crate::plane::guest::record::Record;
use crate::plane::guest::router::Router;
use crate::plane::host::process::Supervisor;
use crate::plane::names::Zones;
use crate::plane::network::Network;
use crate::plane::report::Changed;
use crate::plane::spec::{CommandResult, Conditions, Desired, HostState, Power, Said, Status};

/// Where the machines of a region are, and what they are made with.
pub(crate) struct Site {
    /// A folder a machine.
    pub(crate) folder: PathBuf,
    /// Root of the image.
    pub(crate) image: PathBuf,
    pub(crate) supervisor: Supervisor,
    pub(crate) network: Arc<Network>,
    pub(crate) zones: Arc<Zones>,
    pub(crate) changed: Changed,
    /// Drawn for this region.
    mark: u32,
    record: Mutex<Record>,
    has_told_limits: AtomicBool,
}

impl Site {
    /// A name that no other machine of this computer has or had: what a dead region left must not be taken for ours.
    fn machine_name(&self, instance: &str) -> String {
        format!("mock-cloud-{:08x}-{instance}", self.mark)
    }

    /// This program, under a name that other programs can start it by.
    fn program(&self) -> PathBuf {
        let own = std::path::Path::new("/proc/self/exe");
        if self.supervisor.0 == own {
            PathBuf::from(format!("/proc/{}/exe", std::process::id()))
        } else {
            self.supervisor.0.clone()
        }
    }

    /// Says once that machines have no limits.
    fn note_missing_limits(&self, error: &io::Error) {
        if !self.has_told_limits.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "machines run without limits on memory and processes");
        }
    }

    fn remember(&self, instance: &str, pid: u32, groups: &[PathBuf]) {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).add(instance, pid, groups);
    }

    fn forget(&self, instance: &str) {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).remove(instance);
    }
}

/// Why machines of this computer cannot be made to put up with this; nothing when they can.
pub(crate) async fn cannot(conditions: &Conditions) -> Option<String> {
    if conditions.is_full {
        return disk::cannot_be_full();
    }
    if conditions.delay.is_some() { lateness::cannot_be_had().await } else { None }
}

/// All machines of a region.
pub(crate) struct Machines {
    site: Arc<Site>,
    by_id: Mutex<BTreeMap<String, Machine>>,
    routers: tokio::sync::Mutex<BTreeMap<String, Arc<Router>>>,
    /// What was wanted last, for the report.
    wanted: Mutex<Desired>,
}

impl Machines {
    /// None yet; their files will be in this folder.
    ///
    /// # Errors
    /// It cannot be written down that there are going to be some.
    pub(crate) fn new(
        folder: PathBuf,
        image: PathBuf,
        supervisor: Supervisor,
        (network, zones, changed): (Arc<Network>, Arc<Zones>, Changed),
    ) -> io::Result<Self> {
        let record = Record::begin(&folder, &image)?;
        let site = Site {
            folder,
            image,
            supervisor,
            network,
            zones,
            changed,
            mark: rand::random(),
            record: Mutex::new(record),
            has_told_limits: AtomicBool::new(false),
        };
        Ok(Self {
            site: Arc::new(site),
            by_id: Mutex::default(),
            routers: tokio::sync::Mutex::default(),
            wanted: Mutex::default(),
        })
    }

    /// Lets every machine know what is wanted of it. They follow in their own time; whether all the rest is done.
    pub(crate) async fn reconcile(&self, desired: &Desired) -> bool {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone_from(desired);
        let mut routers = self.routers.lock().await;
        routers.retain(|vpc, _| desired.instances.values().any(|instance| instance.vpc == *vpc));
        let mut is_complete = true;
        for instance in desired.instances.values() {
            if routers.contains_key(&instance.vpc) {
                continue;
            }
            let (network, zones) = (Arc::clone(&self.site.network), Arc::clone(&self.site.zones));
            match Router::open(&instance.vpc, network, zones).await {
                Ok(router) => drop(routers.insert(instance.vpc.clone(), Arc::new(router))),
                Err(error) => {
                    tracing::warn!(vpc = instance.vpc, %error, "the router of a VPC cannot be set up");
                    is_complete = false;
                }
            }
        }
        for router in routers.values() {
            is_complete &= router.reconcile(desired).await;
        }
        is_complete & self.tell(desired, &routers)
    }

    /// Tells each machine; whether those that are to go are gone.
    fn tell(&self, desired: &Desired, routers: &BTreeMap<String, Arc<Router>>) -> bool {
        let mut machines = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        machines.retain(|id, machine| {
            let stays = desired.instances.contains_key(id) || !machine.remove();
            if !stays {
                self.site.network.release(id);
            }
            stays
        });
        for (id, instance) in &desired.instances {
            if let Some(machine) = machines.get(id) {
                machine.want(instance.clone(), desired.troubles.of(id));
            } else if let Some(router) = routers.get(&instance.vpc) {
                let (site, router) = (Arc::clone(&self.site), Arc::clone(router));
                let machine = Machine::keep(site, router, instance.clone());
                machine.want(instance.clone(), desired.troubles.of(id));
                machines.insert(id.clone(), machine);
            }
        }
        machines.keys().all(|id| desired.instances.contains_key(id))
    }

    /// Adds how they are and how they are reached.
    pub(crate) fn report(&self, status: &mut Status) {
        let machines = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, machine) in machines.iter() {
            let host = machine.report();
            if let Some(instance) = wanted.instances.get(id)
                && let Some(public) = instance.public_address
                && instance.power == Power::On
                && host.state == HostState::Ready
            {
                for port in router::public_ports(&wanted, instance) {
                    let outer = self.site.network.outer_in(&instance.vpc, instance.private_address, port);
                    status.connect_to.extend(outer.map(|outer| (format!("{public}:{port}"), outer)));
                }
            }
            status.hosts.insert(id.clone(), host);
        }
    }

    /// Waits until each that is on is held to what is wrong with it.
    pub(crate) async fn faults_applied(&self) {
        let waits: Vec<_> = {
            let machines = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
            machines.values().map(Machine::conditions_applied).collect()
        };
        futures_util::future::join_all(waits).await;
    }

    /// Runs a Cloud Assistant script on one of them.
    pub(crate) async fn run_command(&self, instance: &str, script: &str) -> Result<CommandResult, String> {
        let leader = {
            let machines = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
            let machine = machines.get(instance).ok_or("the instance does not exist")?;
            machine.leader().ok_or("the instance is not running")?
        };
        errand::run(leader, script).await.map_err(|error| format!("the script cannot be run: {error}"))
    }

    /// What one of them said.
    pub(crate) async fn logs(&self, instance: &str, after: Option<&str>) -> Result<Said, String> {
        let (leader, console) = {
            let machines = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
            let machine = machines.get(instance).ok_or("the instance does not exist")?;
            (machine.leader(), machine.report().console)
        };
        match leader {
            Some(leader) => {
                let said = journal::read(leader, after).await;
                said.map_err(|error| format!("the journal of the machine cannot be read: {error}"))
            }
            // What it said on its console has no places in it: it is told once.
            None if after.is_none() => Ok(Said { text: console.replace('\r', ""), place: String::new() }),
            None => Ok(Said { text: String::new(), place: after.unwrap_or_default().to_owned() }),
        }
    }

    /// Cuts the power of all of them and removes their files.
    pub(crate) async fn shutdown(&self) {
        let machines = std::mem::take(&mut *self.by_id.lock().unwrap_or_else(PoisonError::into_inner));
        let leaving = machines.into_values().map(Machine::leave);
        futures_util::future::join_all(leaving).await;
        self.routers.lock().await.clear();
        let folder = self.site.folder.clone();
        let _ = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(folder)).await;
        self.site.record.lock().unwrap_or_else(PoisonError::into_inner).end();
    }
}
