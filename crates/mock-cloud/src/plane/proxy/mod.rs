//! The load balancers: real proxies, HTTP/1.1 and HTTP/2 in, HTTP/1.1 out, one socket an address and listener.
//!
//! 1. [`Proxy::reconcile`] makes groups and sockets as they should be; what stays is changed in place, so an
//!    established connection never notices.
//! 2. `front` accepts a client connection, over `tls` or not, and one of the `lanes` carries it; `setting` is what its listener says at the moment.
//! 3. `forward` carries one request: `rules` (`condition`, `pattern`, `action`, `limit`) say where to, `headers` and
//!    `sticky` what is told, `upstream` brings it there over a `connection` of the `pool`, `body` and `gzip` bring the
//!    answer back. `tunnel` is what follows an upgrade.
//! 4. A `group` has its `backend`s, of which `schedule` picks one for each request and `check` probes all;
//!    `traffic` counts what goes to each.

mod action;
mod backend;
mod body;
mod check;
mod condition;
mod connection;
mod forward;
mod front;
mod group;
mod gzip;
mod headers;
mod lanes;
mod limit;
mod page;
mod pattern;
mod pool;
mod rules;
mod schedule;
mod secure;
mod setting;
mod sticky;
mod tls;
mod traffic;
mod tunnel;
mod upstream;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use crate::plane::network::{Network, outer_port};
use crate::plane::proxy::front::Front;
use crate::plane::proxy::group::Group;
use crate::plane::proxy::lanes::Lanes;
use crate::plane::proxy::setting::Setting;
use crate::plane::report::Changed;
use crate::plane::spec::{Desired, Health, Listener, LoadBalancer, TrafficMap, health_key};

/// All load balancers of the region.
pub(crate) struct Proxy {
    network: Arc<Network>,
    changed: Changed,
    state: Mutex<State>,
}

/// A socket by load balancer, listener and address.
type Place = (String, String, Ipv4Addr);

#[derive(Default)]
struct State {
    /// By load balancer and server group.
    groups: BTreeMap<(String, String), Arc<Group>>,
    /// By load balancer and listener.
    settings: BTreeMap<(String, String), Arc<Setting>>,
    fronts: BTreeMap<Place, Front>,
    /// Started with the first listener.
    lanes: Option<Arc<Lanes>>,
}

impl Proxy {
    pub(crate) fn new(network: Arc<Network>, changed: Changed) -> Self {
        Self { network, changed, state: Mutex::default() }
    }

    /// Makes it so; whether everything is as wanted now.
    pub(crate) async fn reconcile(&self, desired: &Desired) -> bool {
        let groups = self.reconcile_groups(desired);
        let settings = self.reconcile_settings(desired, &groups);
        let mut wanted: BTreeMap<Place, (SocketAddr, Arc<Setting>)> = BTreeMap::new();
        for ((id, listener), setting) in settings.iter().filter(|(_, setting)| setting.listener.running) {
            let addresses = desired.load_balancers.get(id).map(|balancer| &balancer.addresses);
            for address in addresses.into_iter().flatten() {
                if let Some(outer) = self.network.balancer(&key(id, *address)) {
                    let socket = SocketAddr::from((outer, outer_port(setting.listener.port)));
                    wanted.insert((id.clone(), listener.clone(), *address), (socket, Arc::clone(setting)));
                }
            }
        }
        self.reconcile_fronts(wanted).await
    }

    fn reconcile_groups(&self, desired: &Desired) -> BTreeMap<(String, String), Arc<Group>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = BTreeMap::new();
        for (id, balancer) in &desired.load_balancers {
            for (group_id, settings) in &balancer.server_groups {
                let name = (id.clone(), group_id.clone());
                let group = match state.groups.remove(&name) {
                    Some(group) => group,
                    None => Arc::new(Group::new(
                        Arc::clone(&self.network),
                        self.source(balancer),
                        self.changed.clone(),
                        settings,
                    )),
                };
                group.update(settings);
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

    /// What every listener does now; one of which nothing changed keeps its settings, and what they count.
    fn reconcile_settings(
        &self,
        desired: &Desired,
        groups: &BTreeMap<(String, String), Arc<Group>>,
    ) -> BTreeMap<(String, String), Arc<Setting>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut settings = BTreeMap::new();
        for (id, balancer) in &desired.load_balancers {
            for (listener_id, listener) in &balancer.listeners {
                let name = (id.clone(), listener_id.clone());
                let own = groups_of(id, listener, groups);
                let former = state.settings.get(&name);
                let setting = match former.filter(|former| former.is_for(listener, &own)) {
                    Some(same) => Some(Arc::clone(same)),
                    None => Setting::new(balancer, listener, own, former.map(Arc::as_ref)).map(Arc::new),
                };
                settings.extend(setting.map(|setting| (name, setting)));
            }
        }
        state.settings.clone_from(&settings);
        settings
    }

    async fn reconcile_fronts(&self, wanted: BTreeMap<Place, (SocketAddr, Arc<Setting>)>) -> bool {
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
            let opened = match self.lanes() {
                Ok(lanes) => Front::open(socket, setting, lanes).await,
                Err(error) => Err(error),
            };
            match opened {
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

    fn lanes(&self) -> io::Result<Arc<Lanes>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lanes) = &state.lanes {
            return Ok(Arc::clone(lanes));
        }
        let lanes = Arc::new(Lanes::start()?);
        state.lanes = Some(Arc::clone(&lanes));
        Ok(lanes)
    }

    /// Health by what [`health_key`] says and by server.
    pub(crate) fn health(&self) -> BTreeMap<String, BTreeMap<String, Health>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut health = BTreeMap::new();
        for ((_, listener), setting) in &state.settings {
            for (id, group) in setting.groups() {
                health.insert(health_key(listener, &setting.listener.server_group, id), group.health());
            }
        }
        health
    }

    /// What goes to the servers of each group.
    pub(crate) fn traffic(&self) -> TrafficMap {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.groups.iter().map(|(name, group)| (name.clone(), group.traffic())).collect()
    }

    /// From each address and port of a listener to the socket that serves it.
    pub(crate) fn connect_to(&self) -> BTreeMap<String, SocketAddr> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let place = |((_, _, address), front): (&Place, &Front)| {
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

/// The groups that a listener and its rules name.
fn groups_of(
    balancer: &str,
    listener: &Listener,
    groups: &BTreeMap<(String, String), Arc<Group>>,
) -> BTreeMap<String, Arc<Group>> {
    let known = |id: &str| {
        let group = groups.get(&(balancer.to_owned(), id.to_owned()))?;
        Some((id.to_owned(), Arc::clone(group)))
    };
    listener.groups().filter_map(known).collect()
}

/// What an address of a load balancer is called in the network's map.
pub(crate) fn key(balancer: &str, address: Ipv4Addr) -> String {
    format!("{balancer}/{address}")
}
