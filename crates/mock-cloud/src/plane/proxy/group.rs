//! A server group of one load balancer: its servers, their settings, and which of them is next.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::plane::network::Network;
use crate::plane::proxy::backend::{Backend, Load};
use crate::plane::proxy::check;
use crate::plane::proxy::schedule::{self, Slot};
use crate::plane::report::Changed;
use crate::plane::spec::{Carried, Health, ServerGroup};

/// The settings of a group, readable by its checks at any time.
pub(super) type Settings = Arc<RwLock<Arc<ServerGroup>>>;

/// The settings as they are now.
pub(super) fn current(settings: &Settings) -> Arc<ServerGroup> {
    Arc::clone(&settings.read().unwrap_or_else(PoisonError::into_inner))
}

/// One server group of a load balancer.
pub(super) struct Group {
    network: Arc<Network>,
    source: Option<Ipv4Addr>,
    changed: Changed,
    slots: Mutex<BTreeMap<String, Slot>>,
    settings: Settings,
}

impl Group {
    /// A group whose servers see the load balancer come from `source`.
    pub(super) fn new(
        network: Arc<Network>,
        source: Option<Ipv4Addr>,
        changed: Changed,
        settings: &ServerGroup,
    ) -> Self {
        let settings = Arc::new(RwLock::new(Arc::new(settings.clone())));
        let group = Self { network, source, changed, slots: Mutex::default(), settings };
        group.fill();
        group
    }

    /// Takes over new settings; servers that stay keep their connections and their health.
    pub(super) fn update(&self, settings: &ServerGroup) {
        if *self.settings() == *settings {
            return;
        }
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings.clone());
        self.fill();
    }

    /// Lets go of servers that are not wanted any more and takes those in that are new.
    fn fill(&self) {
        let settings = self.settings();
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|key, slot| {
            let stays = settings.servers.get(key).is_some_and(|server| slot.backend.is_at(server));
            if !stays {
                slot.backend.retire(settings.drain);
            }
            stays
        });
        for (key, server) in &settings.servers {
            if let Some(slot) = slots.get_mut(key) {
                slot.weight = server.weight;
                continue;
            }
            let backend = Backend::new(key, server, Arc::clone(&self.network), self.source);
            tokio::spawn(check::watch(
                Arc::clone(&backend),
                Arc::clone(&self.settings),
                self.changed.clone(),
            ));
            slots.insert(key.clone(), Slot::new(backend, server.weight));
        }
    }

    /// How it is set now.
    pub(super) fn settings(&self) -> Arc<ServerGroup> {
        current(&self.settings)
    }

    /// The server for a request: the one a cookie names while it can serve, else the next.
    pub(super) fn pick(&self, cookie: Option<&str>, client: IpAddr) -> Option<Load> {
        let settings = self.settings();
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let sticky = cookie.and_then(|cookie| schedule::named(&slots, cookie));
        // Counted before the lock is given back: the next request has to see it.
        sticky.or_else(|| schedule::choose(&mut slots, &settings, client)).map(Load::new)
    }

    /// Health by server key.
    pub(super) fn health(&self) -> BTreeMap<String, Health> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let judge = |slot: &Slot| {
            if slot.weight == 0 { Health::Unused } else { slot.backend.health() }
        };
        slots.iter().map(|(key, slot)| (key.clone(), judge(slot))).collect()
    }

    /// What goes to each of its servers, by server key.
    pub(super) fn traffic(&self) -> BTreeMap<String, Carried> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.iter().map(|(key, slot)| (key.clone(), slot.backend.traffic().read())).collect()
    }

    /// No listener names it any more. What is open goes on until it ends by itself.
    pub(super) fn end(&self) {
        for slot in self.slots.lock().unwrap_or_else(PoisonError::into_inner).values() {
            slot.backend.release();
        }
    }
}
