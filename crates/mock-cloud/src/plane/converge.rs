//! One region: what is wanted, what there is, and the task that brings the two together.
//!
//! 1. Whoever wants something else replaces the whole wish; only the latest one counts.
//! 2. The task maps addresses, then names, load balancers and hosts, and tries again soon what failed.
//! 3. The status is computed from what there is, whenever it is asked for.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_server::Server;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::plane::host::machine::Surroundings;
use crate::plane::host::process::Supervisor;
use crate::plane::host::{Machine, ssh};
use crate::plane::names::{self, Answerer, Zones};
use crate::plane::network::{self, AddressMap, Network, outer_port};
use crate::plane::proxy::{self, Proxy};
use crate::plane::report::Changed;
use crate::plane::spec::{CommandResult, Desired, Health, Host, HostState, Instance, Power, Status};
use crate::plane::{HostKind, PlaneConfig};

/// What could not be done is tried again after this.
const RETRY: Duration = Duration::from_millis(500);

/// A host as it is now.
#[derive(Clone)]
struct Slot {
    state: HostState,
    machine: Option<Arc<Machine>>,
    /// Cancelled when the machine is switched off.
    off: CancellationToken,
}

/// Everything of one region.
pub(crate) struct Region {
    kind: HostKind,
    folder: PathBuf,
    dns: SocketAddr,
    proxy: Proxy,
    surroundings: Surroundings,
    slots: Mutex<BTreeMap<String, Slot>>,
    wish: watch::Sender<Desired>,
    seen: Mutex<Status>,
    server: tokio::sync::Mutex<Option<Server<Answerer>>>,
    task: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    stop: CancellationToken,
}

impl Region {
    pub(crate) async fn start(config: PlaneConfig, supervisor: PathBuf) -> io::Result<Arc<Self>> {
        let folder = config.data.join("hosts");
        std::fs::create_dir_all(&folder)?;
        let held = network::hold().await?;
        let dns = held.tcp.local_addr()?;
        let changed = Changed::default();
        let network = Arc::new(Network::new(held.number));
        let zones = Arc::new(Zones::default());
        let server = names::serve(Arc::clone(&zones), held.udp, held.tcp);
        let region = Arc::new(Self {
            kind: config.hosts,
            folder: folder.canonicalize()?,
            dns,
            proxy: Proxy::new(Arc::clone(&network), changed.clone()),
            surroundings: Surroundings {
                network,
                zones,
                supervisor: Supervisor(supervisor),
                changed,
                gates: config.gates,
            },
            slots: Mutex::default(),
            wish: watch::Sender::new(Desired::default()),
            seen: Mutex::default(),
            server: tokio::sync::Mutex::new(Some(server)),
            task: tokio::sync::Mutex::new(None),
            stop: CancellationToken::new(),
        });
        // Subscribed here: a wish made before the task runs for the first time must not count as seen.
        let task = tokio::spawn(Arc::clone(&region).converge_for_ever(region.wish.subscribe()));
        *region.task.lock().await = Some(task);
        Ok(region)
    }

    pub(crate) fn dns(&self) -> SocketAddr {
        self.dns
    }

    pub(crate) fn want(&self, desired: Desired) {
        self.wish.send_replace(desired);
    }

    async fn converge_for_ever(self: Arc<Self>, mut wish: watch::Receiver<Desired>) {
        let mut is_complete = true;
        loop {
            let patience = if is_complete { Duration::MAX } else { RETRY };
            tokio::select! {
                () = self.stop.cancelled() => return,
                changed = tokio::time::timeout(patience, wish.changed()) => if matches!(changed, Ok(Err(_))) { return },
            }
            let desired = wish.borrow_and_update().clone();
            is_complete = self.converge(&desired).await;
            self.surroundings.changed.notify();
        }
    }

    /// One round; whether everything is as wanted.
    async fn converge(self: &Arc<Self>, desired: &Desired) -> bool {
        self.surroundings.zones.replace(desired);
        if self.kind == HostKind::None {
            self.pretend(desired);
            return true;
        }
        self.map_addresses(desired);
        let (proxy, hosts) = tokio::join!(self.proxy.reconcile(desired), self.converge_hosts(desired));
        proxy && hosts
    }

    /// Without machines every instance is at once as it should be.
    fn pretend(&self, desired: &Desired) {
        let state = |power| {
            if power == Power::On { HostState::Ready } else { HostState::Off }
        };
        let slot = |instance: &Instance| Slot {
            state: state(instance.power),
            machine: None,
            off: CancellationToken::new(),
        };
        *self.slots.lock().unwrap_or_else(PoisonError::into_inner) =
            desired.instances.iter().map(|(id, instance)| (id.clone(), slot(instance))).collect();
    }

    fn map_addresses(&self, desired: &Desired) {
        let network = &self.surroundings.network;
        let mut map = AddressMap::default();
        for instance in desired.instances.values() {
            let Some(outer) = network.host(&instance.id) else {
                continue;
            };
            map.private.insert((instance.vpc.clone(), instance.private_address), outer);
            map.public.extend(instance.public_address.map(|address| (address, outer)));
            map.names.insert(outer, (instance.vpc.clone(), instance.private_address));
        }
        for balancer in desired.load_balancers.values() {
            for address in &balancer.addresses {
                if let Some(outer) = network.balancer(&proxy::key(&balancer.id, *address)) {
                    map.public.insert(*address, outer);
                }
            }
        }
        network.replace(map);
    }

    async fn converge_hosts(self: &Arc<Self>, desired: &Desired) -> bool {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut work = JoinSet::new();
        for (id, slot) in &slots {
            if !desired.instances.contains_key(id) {
                let (region, id, slot) = (Arc::clone(self), id.clone(), slot.clone());
                work.spawn(async move { region.remove(&id, slot).await });
            }
        }
        for (id, instance) in &desired.instances {
            let (region, instance, slot) = (Arc::clone(self), instance.clone(), slots.get(id).cloned());
            work.spawn(async move { region.bring(instance, slot).await });
        }
        let mut is_complete = true;
        while let Some(result) = work.join_next().await {
            is_complete &= result.unwrap_or(false);
        }
        is_complete
    }

    fn set_slot(&self, id: &str, slot: Slot) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), slot);
        self.surroundings.changed.notify();
    }

    /// Brings one instance to where it should be.
    async fn bring(&self, instance: Instance, slot: Option<Slot>) -> bool {
        if let Some(machine) = slot.as_ref().and_then(|slot| slot.machine.as_ref()) {
            machine.update(instance.clone());
        }
        let is_on = slot.as_ref().is_some_and(|slot| slot.state == HostState::Ready);
        match (instance.power, slot) {
            (Power::On, _) if is_on => true,
            (Power::On, slot) => self.boot(instance, slot.and_then(|slot| slot.machine)).await,
            (Power::Off, Some(slot)) if is_on => {
                switch_off(&slot).await;
                self.set_slot(&instance.id, Slot { state: HostState::Off, ..slot });
                true
            }
            (Power::Off, Some(slot)) => {
                self.set_slot(&instance.id, Slot { state: HostState::Off, ..slot });
                true
            }
            (Power::Off, None) => {
                self.set_slot(
                    &instance.id,
                    Slot { state: HostState::Off, machine: None, off: CancellationToken::new() },
                );
                true
            }
        }
    }

    async fn boot(&self, instance: Instance, machine: Option<Arc<Machine>>) -> bool {
        let id = instance.id.clone();
        let off = CancellationToken::new();
        self.set_slot(&id, Slot { state: HostState::Booting, machine: machine.clone(), off: off.clone() });
        match self.power_on(instance, machine, off.clone()).await {
            Ok(machine) => {
                tracing::info!(instance = id, address = %machine.address, "a host is ready");
                self.set_slot(&id, Slot { state: HostState::Ready, machine: Some(machine), off });
                true
            }
            Err(error) => {
                tracing::warn!(instance = id, %error, "a host does not boot");
                self.set_slot(&id, Slot { state: HostState::Failed(error.to_string()), machine: None, off });
                false
            }
        }
    }

    async fn power_on(
        &self,
        instance: Instance,
        machine: Option<Arc<Machine>>,
        off: CancellationToken,
    ) -> io::Result<Arc<Machine>> {
        let machine = if let Some(machine) = machine {
            machine
        } else {
            let address = self.surroundings.network.host(&instance.id);
            let address = address.ok_or(io::ErrorKind::AddrNotAvailable)?;
            let (folder, surroundings) = (self.folder.join(&instance.id), self.surroundings.clone());
            let open = move || Machine::open(folder, instance, address, surroundings);
            Arc::new(tokio::task::spawn_blocking(open).await.map_err(io::Error::other)??)
        };
        ssh::serve(Arc::clone(&machine), off).await?;
        machine.start_enabled().await;
        Ok(machine)
    }

    /// Tears an instance down with its files.
    async fn remove(&self, id: &str, slot: Slot) -> bool {
        switch_off(&slot).await;
        let folder = self.folder.join(id);
        let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(folder)).await;
        match removed {
            Ok(Err(error)) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(instance = id, %error, "the files of a host cannot be removed");
                return false;
            }
            Ok(_) | Err(_) => {}
        }
        self.surroundings.network.release(id);
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        true
    }

    fn compute(&self) -> Status {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let mut status = Status::default();
        for (id, slot) in slots.iter() {
            let processes =
                slot.machine.as_ref().map(|machine| machine.services.processes()).unwrap_or_default();
            let console = slot.machine.as_ref().map(|machine| machine.services.console.text());
            let console = console.unwrap_or_default();
            status.hosts.insert(id.clone(), Host { state: slot.state.clone(), processes, console });
            if let Some(machine) = &slot.machine
                && slot.state == HostState::Ready
                && let Some(public) = machine.instance().public_address
            {
                status
                    .connect_to
                    .insert(format!("{public}:22"), SocketAddr::from((machine.address, outer_port(22))));
            }
        }
        drop(slots);
        if self.kind == HostKind::None {
            status.health = pretended_health(&self.wish.borrow());
        } else {
            status.health = self.proxy.health();
            status.connect_to.extend(self.proxy.connect_to());
        }
        status
    }

    pub(crate) fn status(&self) -> Status {
        let status = self.compute();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&status);
        status
    }

    pub(crate) async fn changed(&self) {
        loop {
            let change = self.surroundings.changed.listen();
            if self.compute() != *self.seen.lock().unwrap_or_else(PoisonError::into_inner) {
                return;
            }
            change.await;
        }
    }

    pub(crate) async fn run_command(&self, instance: &str, script: &str) -> Result<CommandResult, String> {
        let slot = self.slots.lock().unwrap_or_else(PoisonError::into_inner).get(instance).cloned();
        let slot = slot.ok_or("the instance does not exist")?;
        if slot.state != HostState::Ready {
            return Err("the instance is not running".to_owned());
        }
        let machine = slot.machine.ok_or("the instance has no machine behind it")?;
        tokio::select! {
            (exit_code, output) = machine.run_script(script) => Ok(CommandResult { exit_code, output }),
            () = slot.off.cancelled() => Err("the instance was stopped".to_owned()),
        }
    }

    pub(crate) async fn shutdown(&self) {
        self.stop.cancel();
        if let Some(task) = self.task.lock().await.take() {
            let _ = task.await;
        }
        self.proxy.close();
        let slots = std::mem::take(&mut *self.slots.lock().unwrap_or_else(PoisonError::into_inner));
        for slot in slots.values() {
            switch_off(slot).await;
        }
        let folder = self.folder.clone();
        let _ = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(folder)).await;
        if let Some(mut server) = self.server.lock().await.take() {
            let _ = server.shutdown_gracefully().await;
        }
    }
}

/// Ends its SSH server and connections, and kills what runs on it.
async fn switch_off(slot: &Slot) {
    slot.off.cancel();
    if let Some(machine) = &slot.machine {
        machine.kill_units().await;
    }
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
