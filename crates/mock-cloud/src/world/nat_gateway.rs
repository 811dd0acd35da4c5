//! NAT gateways and the entries by which vSwitches reach the Internet.

use std::net::Ipv4Addr;

use serde::Serialize;

use crate::world::World;
use crate::world::elastic_ip::EipUser;
use crate::world::event::Event;
use crate::world::meta::Meta;
use crate::world::network::InterfaceOwner;
use crate::world::pace::Step;

/// Status of a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum NatGatewayStatus {
    /// Being made.
    Creating,
    /// Ready for changes.
    Available,
    /// Being deleted.
    Deleting,
}

/// Status of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum SnatEntryStatus {
    /// Being made.
    Pending,
    /// In force.
    Available,
    /// Being deleted.
    Deleting,
}

/// One NAT gateway.
#[derive(Debug, Clone, Serialize)]
pub struct NatGateway {
    /// `ngw-...`.
    pub id: String,
    /// Name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// State.
    pub status: NatGatewayStatus,
    /// Its VPC.
    pub vpc: String,
    /// Where its own address is.
    pub vswitch: String,
    /// `internet` or `intranet`.
    pub network_type: String,
    /// `MULTI_BINDED` or `NAT`.
    pub eip_bind_mode: String,
    /// Answers pings.
    pub icmp_reply: bool,
    /// `stb-...`.
    pub snat_table: String,
    /// `ftb-...`.
    pub forward_table: String,
    /// Its network interface.
    pub network_interface: String,
    /// Its address in the vSwitch.
    pub private_address: Ipv4Addr,
    /// Region, age, tags.
    pub meta: Meta,
}

/// One entry of a gateway's table.
#[derive(Debug, Clone, Serialize)]
pub struct SnatEntry {
    /// `snat-...`.
    pub id: String,
    /// Name.
    pub name: String,
    /// Its gateway.
    pub gateway: String,
    /// State.
    pub status: SnatEntryStatus,
    /// Addresses it goes out by.
    pub addresses: Vec<Ipv4Addr>,
    /// The vSwitch it serves, unless it serves a network.
    pub source_vswitch: Option<String>,
    /// The network it serves.
    pub source_cidr: String,
    /// A client keeps its address.
    pub eip_affinity: bool,
    /// Region, age, tags.
    pub meta: Meta,
}

impl World {
    /// Entries of a gateway.
    pub fn snat_entries_of<'a>(&'a self, gateway: &'a str) -> impl Iterator<Item = &'a SnatEntry> {
        self.snat_entries.values().filter(move |entry| entry.gateway == gateway)
    }

    /// Whether an entry goes out by this address.
    pub fn snat_uses(&self, address: Ipv4Addr) -> bool {
        self.snat_entries.values().any(|entry| entry.addresses.contains(&address))
    }

    pub(super) fn nat_gateway_settled(&mut self, id: &str) {
        let Some(gateway) = self.nat_gateways.get_mut(id) else {
            return;
        };
        match gateway.status {
            NatGatewayStatus::Creating | NatGatewayStatus::Available => {
                gateway.status = NatGatewayStatus::Available;
            }
            NatGatewayStatus::Deleting => self.nat_gateway_gone(id),
        }
    }

    fn nat_gateway_gone(&mut self, id: &str) {
        self.nat_gateways.remove(id);
        self.snat_entries.retain(|_, entry| entry.gateway != id);
        self.free_eips_of(&EipUser::NatGateway(id.to_owned()));
        let owner = InterfaceOwner::NatGateway(id.to_owned());
        self.network_interfaces.retain(|_, interface| interface.owner != owner);
    }

    /// Begins to delete an entry.
    pub fn delete_snat_entry(&mut self, id: &str) {
        if let Some(entry) = self.snat_entries.get_mut(id) {
            entry.status = SnatEntryStatus::Deleting;
            self.schedule(Step::SnatEntry, Event::SnatEntrySettled(id.to_owned()));
        }
    }

    pub(super) fn snat_entry_settled(&mut self, id: &str) {
        let Some(entry) = self.snat_entries.get_mut(id) else {
            return;
        };
        match entry.status {
            SnatEntryStatus::Pending | SnatEntryStatus::Available => {
                entry.status = SnatEntryStatus::Available;
            }
            SnatEntryStatus::Deleting => drop(self.snat_entries.remove(id)),
        }
    }
}
