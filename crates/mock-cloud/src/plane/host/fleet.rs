//! The process hosts of one region, by instance: made, switched on and off, and removed as wanted.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::plane::host::machine::Surroundings;
use crate::plane::host::{Machine, ordeal, ssh};
use crate::plane::network::outer_port;
use crate::plane::spec::{
    CommandResult, Conditions, Desired, Host, HostState, Instance, Power, Said, Status,
};

/// A host as it is now.
#[derive(Clone)]
struct Slot {
    state: HostState,
    machine: Option<Arc<Machine>>,
    power: PowerSupply,
}

/// What one stay of a machine lives on, from switched on to switched off.
#[derive(Clone, Default)]
struct PowerSupply {
    /// Cancelled when the machine is switched off.
    off: CancellationToken,
    /// Who listens on its addresses: as long as somebody does it is not off, and cannot be switched on anew.
    listeners: TaskTracker,
}

/// All process hosts of a region.
pub(crate) struct Fleet {
    folder: PathBuf,
    surroundings: Surroundings,
    slots: Mutex<BTreeMap<String, Slot>>,
}

impl Fleet {
    /// None yet; their roots will be in this folder.
    pub(crate) fn new(folder: PathBuf, surroundings: Surroundings) -> Self {
        Self { folder, surroundings, slots: Mutex::default() }
    }

    /// Makes the hosts as wanted; whether they are now.
    pub(crate) async fn reconcile(self: &Arc<Self>, desired: &Desired) -> bool {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut work = JoinSet::new();
        for (id, slot) in &slots {
            if !desired.instances.contains_key(id) {
                let (fleet, id, slot) = (Arc::clone(self), id.clone(), slot.clone());
                work.spawn(async move { fleet.remove(&id, slot).await });
            }
        }
        for (id, instance) in &desired.instances {
            let (fleet, slot) = (Arc::clone(self), slots.get(id).cloned());
            let wish = (instance.clone(), desired.troubles.of(id));
            work.spawn(async move { fleet.bring(wish, slot).await });
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
    async fn bring(&self, (instance, conditions): (Instance, Conditions), slot: Option<Slot>) -> bool {
        if let Some(machine) = slot.as_ref().and_then(|slot| slot.machine.as_ref()) {
            machine.update(instance.clone(), conditions.clone());
        }
        let is_on = slot.as_ref().is_some_and(|slot| slot.state == HostState::Ready);
        let wanted = if conditions.is_off { Power::Off } else { instance.power };
        match (wanted, slot) {
            (Power::On, _) if is_on => true,
            (Power::On, slot) => self.boot((instance, conditions), slot.and_then(|slot| slot.machine)).await,
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
                    Slot { state: HostState::Off, machine: None, power: PowerSupply::default() },
                );
                true
            }
        }
    }

    async fn boot(&self, wish: (Instance, Conditions), machine: Option<Arc<Machine>>) -> bool {
        let id = wish.0.id.clone();
        let power = PowerSupply::default();
        self.set_slot(
            &id,
            Slot { state: HostState::Booting, machine: machine.clone(), power: power.clone() },
        );
        match self.power_on(wish, machine, &power).await {
            Ok(machine) => {
                tracing::info!(instance = id, address = %machine.address, "a host is ready");
                self.set_slot(&id, Slot { state: HostState::Ready, machine: Some(machine), power });
                true
            }
            Err(error) => {
                tracing::warn!(instance = id, %error, "a host does not boot");
                power.off.cancel();
                self.set_slot(
                    &id,
                    Slot { state: HostState::Failed(error.to_string()), machine: None, power },
                );
                false
            }
        }
    }

    async fn power_on(
        &self,
        (instance, conditions): (Instance, Conditions),
        machine: Option<Arc<Machine>>,
        power: &PowerSupply,
    ) -> io::Result<Arc<Machine>> {
        let machine = if let Some(machine) = machine {
            machine
        } else {
            let address = self.surroundings.network.host(&instance.id);
            let address = address.ok_or(io::ErrorKind::AddrNotAvailable)?;
            let (folder, surroundings) = (self.folder.join(&instance.id), self.surroundings.clone());
            let known = instance.clone();
            let open = move || Machine::open(folder, known, address, surroundings);
            Arc::new(tokio::task::spawn_blocking(open).await.map_err(io::Error::other)??)
        };
        machine.update(instance, conditions);
        tokio::spawn(ordeal::run(Arc::clone(&machine), power.off.clone()));
        power.listeners.spawn(ssh::listen(Arc::clone(&machine), power.off.clone()).await?);
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

    /// Adds how they are.
    pub(crate) fn report(&self, status: &mut Status) {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, slot) in slots.iter() {
            let processes =
                slot.machine.as_ref().map(|machine| machine.services.processes()).unwrap_or_default();
            let console = slot.machine.as_ref().map(|machine| machine.services.console.text());
            let console = console.unwrap_or_default();
            status
                .hosts
                .insert(id.clone(), Host { state: slot.state.clone(), processes, started: None, console });
            if let Some(machine) = &slot.machine
                && slot.state == HostState::Ready
                && let Some(public) = machine.instance().public_address
            {
                status
                    .connect_to
                    .insert(format!("{public}:22"), SocketAddr::from((machine.address, outer_port(22))));
            }
        }
    }

    /// Waits until each that is on is held to what is wrong with it.
    pub(crate) async fn faults_applied(&self) {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for slot in slots.values().filter(|slot| slot.state == HostState::Ready) {
            if let Some(machine) = &slot.machine {
                slot.power.off.run_until_cancelled(machine.conditions_applied()).await;
            }
        }
    }

    /// Runs a script on one of them.
    pub(crate) async fn run_command(&self, instance: &str, script: &str) -> Result<CommandResult, String> {
        let slot = self.slots.lock().unwrap_or_else(PoisonError::into_inner).get(instance).cloned();
        let slot = slot.ok_or("the instance does not exist")?;
        if slot.state != HostState::Ready {
            return Err("the instance is not running".to_owned());
        }
        let machine = slot.machine.ok_or("the instance has no machine behind it")?;
        let run = async {
            machine.thawed().await;
            machine.run_script(script).await
        };
        tokio::select! {
            (exit_code, output) = run => Ok(CommandResult { exit_code, output }),
            () = slot.power.off.cancelled() => Err("the instance was stopped".to_owned()),
        }
    }

    /// What one of them said.
    pub(crate) fn logs(&self, instance: &str, after: Option<&str>) -> Result<Said, String> {
        let slot = self.slots.lock().unwrap_or_else(PoisonError::into_inner).get(instance).cloned();
        let slot = slot.ok_or("the instance does not exist")?;
        let machine = slot.machine.ok_or("the instance has not been on yet")?;
        // A place that nobody gave is the beginning.
        let after = after.and_then(|after| after.parse().ok()).unwrap_or(0);
        Ok(machine.services.said(after, &machine.host_name()))
    }

    /// Switches all of them off and removes their files.
    pub(crate) async fn shutdown(&self) {
        let slots = std::mem::take(&mut *self.slots.lock().unwrap_or_else(PoisonError::into_inner));
        for slot in slots.values() {
            switch_off(slot).await;
        }
        let folder = self.folder.clone();
        let _ = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(folder)).await;
    }
}

/// Ends its SSH server and connections, and kills what runs on it.
async fn switch_off(slot: &Slot) {
    slot.power.off.cancel();
    slot.power.listeners.close();
    slot.power.listeners.wait().await;
    if let Some(machine) = &slot.machine {
        machine.kill_units().await;
    }
}
