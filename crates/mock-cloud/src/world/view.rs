//! The world as people look at it.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use crate::world::World;

/// What exists, by kind; key pairs are a list, as JSON has no pairs for names.
#[derive(Debug)]
pub struct WorldView<'a>(pub &'a World);

impl Serialize for WorldView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Every field is named, so that a new kind of resource cannot be left out unseen.
        let World {
            now,
            account,
            vpcs,
            vswitches,
            eips,
            nat_gateways,
            snat_entries,
            network_interfaces,
            security_groups,
            key_pairs,
            instances,
            disks,
            invocations,
            load_balancers,
            listeners,
            rules,
            server_groups,
            jobs,
            domains,
            records,
            certificates,
            buckets,
            redis_instances,
            settings: _,
            consoles: _,
            sold_out: _,
            sessions: _,
            tokens: _,
            ids: _,
            errands: _,
            transitions: _,
            revision: _,
            events: _,
            next_event: _,
            ready_hosts: _,
            health: _,
            redis_in_force: _,
        } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("now", now)?;
        map.serialize_entry("account", account)?;
        map.serialize_entry("vpcs", vpcs)?;
        map.serialize_entry("vswitches", vswitches)?;
        map.serialize_entry("eips", eips)?;
        map.serialize_entry("nat_gateways", nat_gateways)?;
        map.serialize_entry("snat_entries", snat_entries)?;
        map.serialize_entry("network_interfaces", network_interfaces)?;
        map.serialize_entry("security_groups", security_groups)?;
        map.serialize_entry("key_pairs", &key_pairs.values().collect::<Vec<_>>())?;
        map.serialize_entry("instances", instances)?;
        map.serialize_entry("disks", disks)?;
        map.serialize_entry("invocations", invocations)?;
        map.serialize_entry("load_balancers", load_balancers)?;
        map.serialize_entry("listeners", listeners)?;
        map.serialize_entry("rules", rules)?;
        map.serialize_entry("server_groups", server_groups)?;
        map.serialize_entry("jobs", jobs)?;
        map.serialize_entry("domains", domains)?;
        map.serialize_entry("records", records)?;
        map.serialize_entry("certificates", certificates)?;
        map.serialize_entry("buckets", buckets)?;
        map.serialize_entry("redis_instances", redis_instances)?;
        map.end()
    }
}
