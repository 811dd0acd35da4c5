//! VPCs, vSwitches, addresses and network interfaces.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::Serialize;

use crate::world::World;
use crate::world::meta::Meta;

/// Where public addresses come from: the range that is set aside for benchmarks (RFC 2544).
pub const PUBLIC: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, 0), 15);

/// Status of a VPC or vSwitch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum NetworkStatus {
    /// Being made, or being deleted.
    Pending,
    /// Ready for use.
    Available,
}

/// One VPC.
#[derive(Debug, Clone, Serialize)]
pub struct Vpc {
    /// `vpc-...`.
    pub id: String,
    /// `VpcName`.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Its addresses.
    pub cidr: Ipv4Net,
    /// State.
    pub status: NetworkStatus,
    /// `vrt-...`.
    pub router: String,
    /// `vtb-...`.
    pub route_table: String,
    /// Region, age, tags.
    pub meta: Meta,
}

/// One vSwitch.
#[derive(Debug, Clone, Serialize)]
pub struct VSwitch {
    /// `vsw-...`.
    pub id: String,
    /// `VSwitchName`.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Its VPC.
    pub vpc: String,
    /// Its zone.
    pub zone: String,
    /// Its addresses.
    pub cidr: Ipv4Net,
    /// State.
    pub status: NetworkStatus,
    /// Being deleted: nothing may be put in any more.
    pub deleting: bool,
    /// Region, age, tags.
    pub meta: Meta,
}

/// Who put a network interface into a vSwitch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InterfaceOwner {
    /// Primary interface of an instance.
    Instance(String),
    /// Made by an ALB for itself.
    LoadBalancer(String),
    /// Made by a NAT gateway for itself.
    NatGateway(String),
}

/// One network interface.
#[derive(Debug, Clone, Serialize)]
pub struct NetworkInterface {
    /// `eni-...`.
    pub id: String,
    /// Who made it.
    pub owner: InterfaceOwner,
    /// Where it is.
    pub vswitch: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Groups it is in.
    pub security_groups: Vec<String>,
    /// Region, age, tags.
    pub meta: Meta,
}

impl VSwitch {
    /// Addresses that can be given out: the first and the last three are reserved.
    fn usable(&self) -> impl Iterator<Item = Ipv4Addr> + use<> {
        let first = u32::from(self.cidr.network());
        let last = u32::from(self.cidr.broadcast());
        (first.saturating_add(1)..last.saturating_sub(2)).map(Ipv4Addr::from)
    }
}

impl World {
    /// Addresses of a vSwitch that are taken.
    fn taken(&self, vswitch: &str) -> BTreeSet<Ipv4Addr> {
        let interfaces = self.network_interfaces.values().filter(|interface| interface.vswitch == vswitch);
        let redis = self.redis_instances.values().filter(|redis| redis.vswitch == vswitch);
        let addresses = interfaces.map(|interface| interface.address);
        addresses.chain(redis.map(|redis| redis.private_address)).collect()
    }

    /// Whether something still has an address in a vSwitch.
    pub fn vswitch_is_occupied(&self, vswitch: &str) -> bool {
        !self.taken(vswitch).is_empty()
    }

    /// The lowest addresses of a vSwitch that are free, up to this many.
    pub fn free_addresses(&self, vswitch: &VSwitch, count: usize) -> Vec<Ipv4Addr> {
        let taken = self.taken(&vswitch.id);
        vswitch.usable().filter(|address| !taken.contains(address)).take(count).collect()
    }

    /// Whether an address can be asked for by name.
    pub fn address_is_free(&self, vswitch: &VSwitch, address: Ipv4Addr) -> bool {
        vswitch.usable().any(|own| own == address) && !self.taken(&vswitch.id).contains(&address)
    }

    /// How many addresses a vSwitch has left.
    pub fn available_addresses(&self, vswitch: &VSwitch) -> usize {
        let usable = (1_usize << (32 - usize::from(vswitch.cidr.prefix_len()))).saturating_sub(4);
        usable.saturating_sub(self.taken(&vswitch.id).len())
    }

    /// The next free public address.
    pub fn free_public_address(&self) -> Ipv4Addr {
        let taken = self.public_addresses();
        let first = u32::from(PUBLIC.network()) + 1;
        let mut addresses = (first..u32::from(PUBLIC.broadcast())).map(Ipv4Addr::from);
        addresses.find(|address| !taken.contains(address)).unwrap_or(Ipv4Addr::new(198, 19, 255, 254))
    }

    /// Public addresses in use.
    pub fn public_addresses(&self) -> BTreeSet<Ipv4Addr> {
        let instances = self.instances.values().filter_map(|instance| instance.public_address);
        self.eips.values().map(|eip| eip.address).chain(instances).collect()
    }

    /// vSwitches of a VPC.
    pub fn vswitches_of<'a>(&'a self, vpc: &'a str) -> impl Iterator<Item = &'a VSwitch> {
        self.vswitches.values().filter(move |vswitch| vswitch.vpc == vpc)
    }

    pub(super) fn vpc_available(&mut self, id: &str) {
        if let Some(vpc) = self.vpcs.get_mut(id) {
            vpc.status = NetworkStatus::Available;
        }
    }

    pub(super) fn vswitch_available(&mut self, id: &str) {
        if let Some(vswitch) = self.vswitches.get_mut(id).filter(|vswitch| !vswitch.deleting) {
            vswitch.status = NetworkStatus::Available;
        }
    }
}
