//! ECS instances and their state machine.
//!
//! Pending -> Starting -> Running -> Stopping -> Stopped -> Starting; released from Running (forced) or Stopped.

use std::net::Ipv4Addr;

use serde::Serialize;

use crate::world::elastic_ip::EipUser;
use crate::world::event::Event;
use crate::world::meta::Meta;
use crate::world::network::InterfaceOwner;
use crate::world::pace::Step;
use crate::world::transition::{Plane, What};
use crate::world::{Moment, World};

/// Status of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum InstanceStatus {
    /// Being made.
    Pending,
    /// Booting.
    Starting,
    /// Up.
    Running,
    /// Going down.
    Stopping,
    /// Down.
    Stopped,
}

/// One instance.
#[derive(Debug, Clone, Serialize)]
pub struct Instance {
    /// `i-...`.
    pub id: String,
    /// `InstanceName`.
    pub name: String,
    /// `HostName`.
    pub host_name: String,
    /// Free text.
    pub description: String,
    /// State.
    pub status: InstanceStatus,
    /// Released: it goes as soon as the cloud is done with it.
    pub releasing: bool,
    /// Its boot delay was over then, and it waits for its host.
    pub awaits_host: Option<Moment>,
    /// A reboot in progress: stopped only to start again.
    pub rebooting: bool,
    /// `ecs.e-c1m1.large`.
    pub instance_type: String,
    /// Image it was made from.
    pub image: String,
    /// `PostPaid` or `PrePaid`.
    pub charge_type: String,
    /// `NoSpot`, ...
    pub spot_strategy: String,
    /// The most a spot instance may cost an hour; 0 is no limit.
    pub spot_price_limit: f64,
    /// `KeepCharging` or `StopCharging` of the last stop.
    pub stopped_mode: String,
    /// When it is released by itself.
    pub auto_release: Option<Moment>,
    /// Where it is.
    pub vpc: String,
    /// Where it is.
    pub vswitch: String,
    /// Where it is.
    pub zone: String,
    /// Address in the vSwitch.
    pub private_address: Ipv4Addr,
    /// Address on the Internet.
    pub public_address: Option<Ipv4Addr>,
    /// Mbps inwards.
    pub bandwidth_in: i64,
    /// Mbps outwards.
    pub bandwidth_out: i64,
    /// `PayByTraffic` or `PayByBandwidth`.
    pub internet_charge_type: String,
    /// Primary network interface.
    pub network_interface: String,
    /// Groups it is in.
    pub security_groups: Vec<String>,
    /// Key pair at creation.
    pub key_pair: Option<String>,
    /// Decoded user data.
    #[serde(skip)]
    pub user_data: Option<Vec<u8>>,
    /// Refuses to be released by calls.
    pub deletion_protection: bool,
    /// `enabled` or `disabled`.
    pub http_endpoint: String,
    /// `optional` or `required`.
    pub http_tokens: String,
    /// When it was last started.
    pub started: Moment,
    /// Serial number.
    pub serial_number: String,
    /// Region, age, tags.
    pub meta: Meta,
}

impl Instance {
    /// Whether it is on its way up or up.
    pub fn is_on(&self) -> bool {
        match self.status {
            InstanceStatus::Pending | InstanceStatus::Starting | InstanceStatus::Running => !self.releasing,
            InstanceStatus::Stopping | InstanceStatus::Stopped => false,
        }
    }
}

impl World {
    pub(super) fn instance_allocated(&mut self, id: &str) {
        if self.set_status(id, InstanceStatus::Pending, InstanceStatus::Starting) {
            self.schedule(Step::InstanceBooted, Event::InstanceBooted(id.to_owned()));
        }
    }

    pub(super) fn instance_booted(&mut self, id: &str) {
        if self.host_is_ready(id) {
            self.set_status(id, InstanceStatus::Starting, InstanceStatus::Running);
        } else if let Some(instance) = self.instances.get_mut(id) {
            instance.awaits_host = Some(self.now);
        }
    }

    pub(super) fn host_became_ready(&mut self, id: &str) {
        if let Some(booted) = self.instances.get_mut(id).and_then(|instance| instance.awaits_host.take()) {
            self.set_status(id, InstanceStatus::Starting, InstanceStatus::Running);
            self.transitions.add(booted, self.now, What::Plane(Plane::HostReady(id.to_owned())));
        }
    }

    pub(super) fn instance_stopped(&mut self, id: &str) {
        if !self.set_status(id, InstanceStatus::Stopping, InstanceStatus::Stopped) {
            return;
        }
        let rebooting =
            self.instances.get_mut(id).is_some_and(|instance| std::mem::take(&mut instance.rebooting));
        if rebooting {
            self.start_instance(id);
        }
    }

    /// Starts a stopped instance.
    pub fn start_instance(&mut self, id: &str) {
        if self.set_status(id, InstanceStatus::Stopped, InstanceStatus::Starting) {
            let now = self.now;
            if let Some(instance) = self.instances.get_mut(id) {
                instance.started = now;
            }
            self.ready_hosts.remove(id);
            self.schedule(Step::InstanceBooted, Event::InstanceBooted(id.to_owned()));
        }
    }

    /// Stops a running instance.
    pub fn stop_instance(&mut self, id: &str) {
        if self.set_status(id, InstanceStatus::Running, InstanceStatus::Stopping) {
            self.schedule(Step::InstanceStopped, Event::InstanceStopped(id.to_owned()));
        }
    }

    /// Releases an instance whatever its state.
    pub fn release_instance(&mut self, id: &str) {
        if let Some(instance) = self.instances.get_mut(id) {
            instance.releasing = true;
            if instance.status != InstanceStatus::Stopped {
                instance.status = InstanceStatus::Stopping;
            }
            self.schedule(Step::InstanceGone, Event::InstanceGone(id.to_owned()));
        }
    }

    /// Its time is over; protection does not hold against that.
    pub(super) fn instance_expired(&mut self, id: &str) {
        let due = self.instances.get(id).and_then(|instance| instance.auto_release);
        if due.is_some_and(|due| due <= self.now) {
            self.release_instance(id);
        }
    }

    /// The interface of a gone instance lingers: vSwitch and security group can only be deleted after it.
    pub(super) fn instance_gone(&mut self, id: &str) {
        if self.instances.remove(id).is_none() {
            return;
        }
        let owner = InterfaceOwner::Instance(id.to_owned());
        let interfaces: Vec<String> = self
            .network_interfaces
            .values()
            .filter(|interface| interface.owner == owner)
            .map(|interface| interface.id.clone())
            .collect();
        for interface in interfaces {
            self.schedule(Step::InterfaceReleased, Event::InterfaceGone(interface));
        }
        self.disks_released(id);
        self.free_eips_of(&EipUser::Instance(id.to_owned()));
        for group in self.server_groups.values_mut() {
            group.servers.retain(|server| server.id != id);
        }
    }

    /// Moves an instance on when it is where it should be.
    fn set_status(&mut self, id: &str, from: InstanceStatus, to: InstanceStatus) -> bool {
        let instance =
            self.instances.get_mut(id).filter(|instance| instance.status == from && !instance.releasing);
        instance.map(|instance| instance.status = to).is_some()
    }
}
