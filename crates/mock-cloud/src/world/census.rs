//! How many resources there are, by kind.

use std::collections::BTreeMap;

use crate::world::World;
use crate::world::network::InterfaceOwner;

impl World {
    /// Everything created by calls, and what load balancers made by themselves. Buckets are not of a stack: what a team
    /// keeps in them stays when the stack goes.
    pub fn census(&self) -> BTreeMap<&'static str, usize> {
        let own_groups = self.security_groups.values().filter(|group| group.managed_by.is_none());
        let managed_groups = self.security_groups.values().filter(|group| group.managed_by.is_some());
        let balancer_interfaces = self
            .network_interfaces
            .values()
            .filter(|interface| matches!(interface.owner, InterfaceOwner::LoadBalancer(_)));
        BTreeMap::from([
            ("vpc", self.vpcs.len()),
            ("vswitch", self.vswitches.len()),
            ("security_group", own_groups.count()),
            ("security_group_rule", self.security_groups.values().map(|group| group.rules.len()).sum()),
            ("key_pair", self.key_pairs.len()),
            ("instance", self.instances.len()),
            ("disk", self.disks.len()),
            ("nat_gateway", self.nat_gateways.len()),
            ("snat_entry", self.snat_entries.len()),
            ("load_balancer", self.load_balancers.len()),
            ("listener", self.listeners.len()),
            ("rule", self.rules.len()),
            ("server_group", self.server_groups.len()),
            ("server", self.server_groups.values().map(|group| group.servers.len()).sum()),
            ("dns_record", self.records.len()),
            ("redis_instance", self.redis_instances.len()),
            ("certificate", self.certificates.values().filter(|own| !own.deleted).count()),
            ("eip", self.eips.len()),
            ("network_interface", balancer_interfaces.count()),
            ("managed_security_group", managed_groups.count()),
        ])
    }
}
