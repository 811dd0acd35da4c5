//! The data plane: hosts one can SSH into, load balancers that carry traffic, managed Redis, a DNS server that answers.
//!
//! The control plane owns the truth and calls [`Plane::reconcile`] with all of it after every change; the data
//! plane reports through [`Plane::status`], and wakes [`Plane::changed`] when that report changed.
//!
//! 1. `network` holds the loopback network and the map of addresses.
//! 2. `converge` makes hosts, load balancers and names as they should be, in the background.
//! 3. `hosts` says what stands behind an instance: a process host (`host`) or a machine of its own (`guest`).
//! 4. `proxy`, `redis` and `names` are the other things there are; `supervise` is the process beside each program.

mod converge;
pub(crate) mod guest;
mod host;
mod hosts;
mod links;
mod names;
pub mod network;
mod probe;
mod proxy;
mod redis;
mod report;
pub mod spec;
mod strain;
mod stream;
pub mod supervise;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::gates::Gates;
use crate::plane::converge::Region;
use crate::plane::spec::{CommandResult, Conditions, Desired, Said, Status, TrafficMap};

/// What kind of machine an instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKind {
    /// No machines: control plane only. Instances count as ready at once, servers as healthy.
    None,
    /// An embedded SSH server a host, over real processes.
    Process,
    /// A Debian of its own a host.
    Machine,
}

/// Where and how the data plane runs.
#[derive(Debug, Clone)]
pub struct PlaneConfig {
    /// Kind of hosts.
    pub hosts: HostKind,
    /// Folder for host roots.
    pub data: PathBuf,
    /// What commands and uploads pass through.
    pub gates: Gates,
}

/// The running data plane of one region. Cheap to clone.
#[derive(Clone)]
pub struct Plane {
    region: Arc<Region>,
}

impl std::fmt::Debug for Plane {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Plane").field("dns", &self.region.dns()).finish_non_exhaustive()
    }
}

impl Plane {
    /// Takes a free loopback network, starts the DNS server and returns.
    ///
    /// # Errors
    /// No network is free, or the data folder cannot be made.
    pub async fn start(config: PlaneConfig) -> std::io::Result<Self> {
        Self::start_with_supervisor(config, own_program()?).await
    }

    /// The same for a program that is not `mock-cloud` itself: `supervisor` is started as
    /// `supervisor supervise -- PROGRAM ARGS` and must call [`supervise::main`].
    ///
    /// # Errors
    /// As [`Plane::start`].
    pub async fn start_with_supervisor(config: PlaneConfig, supervisor: PathBuf) -> std::io::Result<Self> {
        Ok(Self { region: Region::start(config, supervisor).await? })
    }

    /// Address of the authoritative DNS server.
    pub fn dns(&self) -> SocketAddr {
        self.region.dns()
    }

    /// Hands over everything that should exist; returns at once.
    pub fn reconcile(&self, desired: Desired) {
        self.region.want(desired);
    }

    /// How far it is.
    pub fn status(&self) -> Status {
        self.region.status()
    }

    /// What goes through its load balancers.
    pub fn traffic(&self) -> TrafficMap {
        self.region.traffic()
    }

    /// Resolves when the status changed since the last call of [`Plane::status`].
    pub async fn changed(&self) {
        self.region.changed().await;
    }

    /// Runs a Cloud Assistant script on an instance.
    ///
    /// # Errors
    /// A sentence when the instance does not exist or is not ready.
    pub async fn run_command(&self, instance: &str, script: &str) -> Result<CommandResult, String> {
        self.region.run_command(instance, script).await
    }

    /// What the units and the console of an instance said after a place that it gave before.
    ///
    /// # Errors
    /// A sentence when the instance does not exist or does not tell.
    pub async fn logs(&self, instance: &str, after: Option<&str>) -> Result<Said, String> {
        self.region.logs(instance, after).await
    }

    /// Resolves when faults that begin are in force, and those that end are undone: hosts that are on have followed.
    pub async fn faults_applied(&self) {
        self.region.faults_applied().await;
    }

    /// Why an instance cannot be made to put up with this; nothing when it can.
    pub async fn cannot(&self, conditions: &Conditions) -> Option<String> {
        self.region.cannot(conditions).await
    }

    /// Why two instances cannot be kept from reaching each other; nothing when they can.
    pub fn cannot_cut(&self) -> Option<String> {
        self.region.cannot_cut()
    }

    /// Ends every process, listener and folder it made, and waits for that.
    pub async fn shutdown(&self) {
        self.region.shutdown().await;
    }
}

/// Runs `boot FOLDER`, the way into a machine host.
pub fn boot(folder: &std::path::Path) -> std::process::ExitCode {
    guest::boot::main(folder)
}

/// What [`clean`] removed of one dead region, in a line.
///
/// # Errors
/// Something of a dead region cannot be removed.
pub fn clean() -> std::io::Result<Vec<String>> {
    let cleaned = guest::record::clean()?;
    Ok(cleaned.iter().map(ToString::to_string).collect())
}

/// The running executable; by its link in `/proc` it is found even after a new build replaced it.
fn own_program() -> std::io::Result<PathBuf> {
    let link = PathBuf::from("/proc/self/exe");
    if link.exists() { Ok(link) } else { std::env::current_exe() }
}
