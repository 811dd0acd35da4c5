//! Managed Redis: behind each instance a real `redis-server`, and before it a door that knows its visitors.
//!
//! 1. [`Servers`] is all of a region: a [`server::Server`] an instance, which a task keeps as wanted.
//! 2. A server listens on a socket in its own folder alone; `access` says what each account may do there.
//! 3. `door` is what the hosts connect to. It judges by the allow list where they come from.
//!
//! Process hosts all come from one address of the outer machine, so each is given an address of its own to go to, and
//! by that it is known. Machines come in their own name, see `guest/relay.rs`.

mod access;
mod control;
mod door;
mod server;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::plane::host::process::Supervisor;
use crate::plane::network::{Network, outer_port};
use crate::plane::redis::door::Visitor;
use crate::plane::redis::server::Server;
use crate::plane::report::Changed;
use crate::plane::spec::{Desired, Redis, Status};

/// Under which name the address is held that a host reaches an instance by.
pub(crate) fn way(redis: &str, host: &str) -> String {
    format!("{redis} for {host}")
}

/// All managed Redis instances of a region.
pub(crate) struct Servers {
    folder: PathBuf,
    supervisor: Supervisor,
    network: Arc<Network>,
    changed: Changed,
    by_id: Mutex<BTreeMap<String, Arc<Server>>>,
    /// Names under which addresses are held.
    held: Mutex<BTreeSet<String>>,
}

impl Servers {
    /// None yet; their files will be in this folder.
    pub(crate) fn new(
        folder: PathBuf,
        supervisor: Supervisor,
        network: Arc<Network>,
        changed: Changed,
    ) -> Self {
        Self { folder, supervisor, network, changed, by_id: Mutex::default(), held: Mutex::default() }
    }

    /// Lets every server know what is wanted of it, and opens the doors; whether they are open and nothing is too much.
    pub(crate) async fn reconcile(&self, desired: &Desired) -> bool {
        let gone = {
            let mut servers = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
            let gone: Vec<Arc<Server>> =
                servers.extract_if(.., |id, _| !desired.redis.contains_key(id)).map(|(_, own)| own).collect();
            for (id, redis) in &desired.redis {
                if let Some(server) = servers.get(id) {
                    server.want(redis.clone());
                } else {
                    let folder = self.folder.join(id);
                    let around = (self.supervisor.clone(), Arc::clone(&self.network), self.changed.clone());
                    servers.insert(id.clone(), Arc::new(Server::keep(folder, redis.clone(), around)));
                }
            }
            gone
        };
        futures_util::future::join_all(gone.iter().map(|server| server.end())).await;
        let mut wanted = BTreeSet::new();
        let mut is_complete = true;
        for (id, redis) in &desired.redis {
            let server = self.by_id.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
            let entrances = self.entrances(desired, redis, &mut wanted);
            if let Some(server) = server {
                is_complete &= server.door.reconcile(&entrances).await;
            }
        }
        self.give_back(wanted);
        is_complete
    }

    /// Where an instance is to be reached, and by whom.
    fn entrances(
        &self,
        desired: &Desired,
        redis: &Redis,
        held: &mut BTreeSet<String>,
    ) -> BTreeMap<SocketAddr, Visitor> {
        let hosts = desired.instances.values().filter(|instance| instance.vpc == redis.vpc);
        let ways = hosts.map(|host| (way(&redis.id, &host.id), Visitor::Host(host.private_address)));
        let all = ways.chain([(redis.id.clone(), Visitor::ByAddress)]);
        all.filter_map(|(key, visitor)| {
            let address = self.network.redis(&key)?;
            held.insert(key);
            Some((SocketAddr::from((address, outer_port(redis.port))), visitor))
        })
        .collect()
    }

    /// Gives the addresses back that nobody is reached by any more.
    fn give_back(&self, wanted: BTreeSet<String>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for key in held.difference(&wanted) {
            self.network.release(key);
        }
        *held = wanted;
    }

    /// Adds which revision of each is in force.
    pub(crate) fn report(&self, status: &mut Status) {
        let servers = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        status.redis.extend(servers.iter().filter_map(|(id, server)| Some((id.clone(), server.in_force()?))));
    }

    /// Ends all of them and removes their files.
    pub(crate) async fn shutdown(&self) {
        let servers = std::mem::take(&mut *self.by_id.lock().unwrap_or_else(PoisonError::into_inner));
        futures_util::future::join_all(servers.values().map(|server| server.end())).await;
        let folder = self.folder.clone();
        let _ = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(folder)).await;
    }
}
