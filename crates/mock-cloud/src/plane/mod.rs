//! The data plane: hosts one can SSH into, load balancers that carry traffic, a DNS server that answers.
//!
//! The control plane owns the truth and calls [`Plane::reconcile`] with all of it after every change; the data
//! plane reports through [`Plane::status`], and wakes [`Plane::changed`] when that report changed.

pub mod spec;

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::plane::spec::{CommandResult, Desired, Status};

/// What kind of machine an instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKind {
    /// No machines: control plane only. Instances count as ready at once, servers as healthy.
    None,
    /// An embedded SSH server a host, over real processes.
    Process,
}

/// Where and how the data plane runs.
#[derive(Debug, Clone)]
pub struct PlaneConfig {
    /// Kind of hosts.
    pub hosts: HostKind,
    /// Folder for host roots.
    pub data: PathBuf,
}

/// The running data plane of one region. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Plane {}

impl Plane {
    /// Takes a free loopback network, starts the DNS server and returns.
    pub async fn start(_config: PlaneConfig) -> std::io::Result<Self> {
        Ok(Self {})
    }

    /// Address of the authoritative DNS server.
    pub fn dns(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 2], 10053))
    }

    /// Hands over everything that should exist; returns at once.
    pub fn reconcile(&self, _desired: Desired) {}

    /// How far it is.
    pub fn status(&self) -> Status {
        Status::default()
    }

    /// Resolves when the status changed since the last call of [`Plane::status`].
    pub async fn changed(&self) {
        std::future::pending::<()>().await;
    }

    /// Runs a Cloud Assistant script on an instance.
    ///
    /// # Errors
    /// A sentence when the instance does not exist or is not ready.
    pub async fn run_command(&self, _instance: &str, _script: &str) -> Result<CommandResult, String> {
        Err("the instance does not exist".to_owned())
    }

    /// Ends every process, listener and folder it made, and waits for that.
    pub async fn shutdown(&self) {}
}
