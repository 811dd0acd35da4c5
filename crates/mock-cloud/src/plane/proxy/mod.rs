//! The load balancers: real HTTP/1.1 proxies, one socket an address and listener.
//!
//! 1. [`Proxy::reconcile`] makes groups and sockets as they should be; what stays is changed in place, so an
//!    established connection never notices.
//! 2. A group picks a server for each request and probes all of them.
//! 3. `forward` carries one request, `front` one client connection.

mod forward;
mod front;
mod group;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use crate::plane::network::{Network, outer_port};
use crate::plane::proxy::front::{Front, Setting};
use crate::plane::proxy::group::Group;
use crate::plane::report::Changed;
use crate::plane::spec::{Desired, Health, LoadBalancer};

/// All load balancers of the region.
pub(crate) struct Proxy {
    network: Arc<Network>,
    changed: Changed,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By load balancer and server group.
    groups: BTreeMap<(String, String), Arc<Group>>,
    /// By load balancer, listener and address.
    fronts: BTreeMap<(String, String, Ipv4Addr), Front>,
    /// The group of each listener, for the report.
    listeners: BTreeMap<String, Arc<Group>>,
}

impl Proxy {
    pub(crate) fn new(network: Arc<Network>, changed: Changed) -> Self {
        Self { network, changed, state: Mutex::default() }
    }

    /// Makes it so; whether everything is as wanted now.
    pub(crate) async fn reconcile(&self, desired: &Desired) -> bool {
        let groups = self.reconcile_groups(desired);
        let mut wanted: BTreeMap<(String, String, Ipv4Addr), (SocketAddr, Setting)> = BTreeMap::new();
        let mut listeners = BTreeMap::new();
        for (id, balancer) in &desired.load_balancers {
            for (listener_id, listener) in &balancer.listeners {
                let Some(group) = groups.get(&(id.clone(), listener.server_group.clone())) else {
                    continue;
                };
                listeners.insert(listener_id.clone(), Arc::clone(group));
                for address in balancer.addresses.iter().filter(|_| listener.running) {
                    let Some(outer) = self.network.balancer(&key(id, *address)) else {
                        continue;
                    };
                    let socket = SocketAddr::from((outer, outer_port(listener.port)));
                    let setting = Setting {
                        dns_name: balancer.dns_name.to_ascii_lowercase(),
                        listener: listener.clone(),
                        group: Arc::clone(group),
                    };
                    wanted.insert((id.clone(), listener_id.clone(), *address), (socket, setting));
                }
            }
        }
        self.state.lock().unwrap_or_else(PoisonError::into_inner).listeners = listeners;
        self.reconcile_fronts(wanted).await
    }

    fn reconcile_groups(&self, desired: &Desired) -> BTreeMap<(String, String), Arc<Group>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = BTreeMap::new();
        for (id, balancer) in &desired.load_balancers {
            for listener in balancer.listeners.values() {
                let name = (id.clone(), listener.server_group.clone());
                let group =
                    state.groups.remove(&name).or_else(|| kept.get(&name).cloned()).unwrap_or_else(|| {
                        Arc::new(Group::new(
                            Arc::clone(&self.network),
                            self.source(balancer),
                            self.changed.clone(),
                        ))
                    });
                group.update(&listener.servers, &listener.health_check);
                kept.insert(name, group);
            }
        }
        for gone in state.groups.values() {
            gone.end();
        }
        state.groups.clone_from(&kept);
        kept
    }

    /// The address that servers see a load balancer come from.
    fn source(&self, balancer: &LoadBalancer) -> Option<Ipv4Addr> {
        balancer.addresses.first().and_then(|address| self.network.balancer(&key(&balancer.id, *address)))
    }

    async fn reconcile_fronts(
        &self,
        wanted: BTreeMap<(String, String, Ipv4Addr), (SocketAddr, Setting)>,
    ) -> bool {
        let mut fronts =
            std::mem::take(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).fronts);
        fronts.retain(|key, front| {
            let stays = wanted.get(key).is_some_and(|(socket, _)| *socket == front.socket());
            if !stays {
                front.close();
            }
            stays
        });
        let mut is_complete = true;
        for (key, (socket, setting)) in wanted {
            if let Some(front) = fronts.get(&key) {
                front.change(setting);
                continue;
            }
            match Front::open(socket, setting).await {
                Ok(front) => drop(fronts.insert(key, front)),
                Err(error) => {
                    tracing::warn!(%socket, %error, "a listener cannot be opened");
                    is_complete = false;
                }
            }
        }
        self.state.lock().unwrap_or_else(PoisonError::into_inner).fronts = fronts;
        is_complete
    }

    /// Health by listener and server.
    pub(crate) fn health(&self) -> BTreeMap<String, BTreeMap<String, Health>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.listeners.iter().map(|(listener, group)| (listener.clone(), group.health())).collect()
    }

    /// From each address and port of a listener to the socket that serves it.
    pub(crate) fn connect_to(&self) -> BTreeMap<String, SocketAddr> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let place = |((_, _, address), front): (&(String, String, Ipv4Addr), &Front)| {
            (format!("{address}:{}", front.port()), front.socket())
        };
        state.fronts.iter().map(place).collect()
    }

    /// Closes everything.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.fronts.values().for_each(Front::close);
        state.groups.values().for_each(|group| group.end());
        *state = State::default();
    }
}

/// What an address of a load balancer is called in the network's map.
pub(crate) fn key(balancer: &str, address: Ipv4Addr) -> String {
    format!("{balancer}/{address}")
}
