//! Elastic IP addresses: public addresses of their own, bound to an instance, an interface or a gateway.

use std::net::Ipv4Addr;

use serde::Serialize;

use crate::world::World;
use crate::world::event::Event;
use crate::world::meta::Meta;
use crate::world::pace::Step;

/// Status of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum EipStatus {
    /// Bound to nothing.
    Available,
    /// Being bound.
    Associating,
    /// Bound.
    InUse,
    /// Being taken off.
    Unassociating,
    /// Being given back.
    Releasing,
}

/// What an address is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EipUser {
    /// An ECS instance.
    Instance(String),
    /// A secondary network interface.
    NetworkInterface(String),
    /// A NAT gateway.
    NatGateway(String),
    /// An ALB, which made the address itself.
    LoadBalancer(String),
}

/// One address.
#[derive(Debug, Clone, Serialize)]
pub struct Eip {
    /// `eip-...`.
    pub id: String,
    /// The address.
    pub address: Ipv4Addr,
    /// Name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// State.
    pub status: EipStatus,
    /// What it is bound to, or on its way to or from.
    pub user: Option<EipUser>,
    /// The private address it stands for.
    pub private_address: Option<Ipv4Addr>,
    /// Mbit/s.
    pub bandwidth: u32,
    /// `PayByBandwidth` or `PayByTraffic`.
    pub internet_charge_type: String,
    /// `PostPaid` or `PrePaid`.
    pub charge_type: String,
    /// `BGP` or `BGP_PRO`.
    pub isp: String,
    /// Made and kept by a cloud service.
    pub service_managed: bool,
    /// Region, age, tags.
    pub meta: Meta,
}

impl EipUser {
    /// Id of what it is.
    pub fn id(&self) -> &str {
        match self {
            Self::Instance(id)
            | Self::NetworkInterface(id)
            | Self::NatGateway(id)
            | Self::LoadBalancer(id) => id,
        }
    }

    /// The word of `InstanceType`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Instance(_) => "EcsInstance",
            Self::NetworkInterface(_) => "NetworkInterface",
            Self::NatGateway(_) => "Nat",
            Self::LoadBalancer(_) => "SlbInstance",
        }
    }
}

impl World {
    /// Addresses bound to this, or on their way to or from it.
    pub fn eips_of<'a>(&'a self, user: &'a EipUser) -> impl Iterator<Item = &'a Eip> {
        self.eips.values().filter(move |eip| eip.user.as_ref() == Some(user))
    }

    /// The address of an instance.
    pub fn eip_of_instance(&self, instance: &str) -> Option<&Eip> {
        let user = EipUser::Instance(instance.to_owned());
        self.eips.values().find(|eip| eip.user.as_ref() == Some(&user))
    }

    /// Begins a transition that ends by itself.
    pub fn move_eip(&mut self, id: &str, through: EipStatus) {
        if let Some(eip) = self.eips.get_mut(id) {
            eip.status = through;
            self.schedule(Step::ElasticIp, Event::EipSettled(id.to_owned()));
        }
    }

    pub(super) fn eip_settled(&mut self, id: &str) {
        let Some(eip) = self.eips.get_mut(id) else {
            return;
        };
        match eip.status {
            EipStatus::Associating => eip.status = EipStatus::InUse,
            EipStatus::Unassociating => eip.set_free(),
            EipStatus::Releasing => drop(self.eips.remove(id)),
            EipStatus::Available | EipStatus::InUse => {}
        }
    }

    /// What was bound to a gone resource stays with the account.
    pub(super) fn free_eips_of(&mut self, user: &EipUser) {
        for eip in self.eips.values_mut().filter(|eip| eip.user.as_ref() == Some(user)) {
            eip.set_free();
        }
    }
}

impl Eip {
    fn set_free(&mut self) {
        self.status = EipStatus::Available;
        self.user = None;
        self.private_address = None;
    }
}
