//! Managed Redis instances as the data plane takes them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::plane::spec::{self, Privilege};
use crate::world::World;
use crate::world::redis::{RedisAccount, RedisInstance, RedisStatus};

/// Bytes of a megabyte, as Redis counts them.
const MEGABYTE: u64 = 1 << 20;

impl World {
    pub(super) fn desired_redis(&self) -> BTreeMap<String, spec::Redis> {
        let running = self.redis_instances.values().filter(|own| own.status != RedisStatus::Released);
        running.map(|own| (own.id.clone(), self.desired_instance_of_redis(own))).collect()
    }

    fn desired_instance_of_redis(&self, own: &RedisInstance) -> spec::Redis {
        spec::Redis {
            id: own.id.clone(),
            domain: own.domain(),
            vpc: own.vpc.clone(),
            private_address: own.private_address,
            port: own.port,
            memory: u64::try_from(own.limits.capacity).unwrap_or_default() * MEGABYTE,
            eviction: own.eviction.clone(),
            append_only: own.append_only == "yes",
            password: own.password.clone(),
            accounts: own.accounts.iter().map(|(name, account)| (name.clone(), desired(account))).collect(),
            allowed: self.allowed(own),
            restarts: own.restarts,
            revision: own.revision,
        }
    }

    /// What the allow lists say, and the instances of the security groups.
    fn allowed(&self, own: &RedisInstance) -> Vec<Ipv4Net> {
        let entries = own.allow_lists.values().flat_map(|list| &list.entries);
        let is_in = |groups: &[String]| groups.iter().any(|group| own.security_groups.contains(group));
        let members = self.instances.values().filter(|instance| is_in(&instance.security_groups));
        let members = members.map(|instance| Ipv4Net::from(instance.private_address));
        entries.filter_map(|entry| range(entry)).chain(members).collect()
    }
}

fn desired(account: &RedisAccount) -> spec::Account {
    let privilege =
        if account.privilege == "RoleReadOnly" { Privilege::ReadOnly } else { Privilege::ReadWrite };
    spec::Account { password: account.password.clone(), privilege }
}

/// An entry of an allow list: an address or a range.
fn range(entry: &str) -> Option<Ipv4Net> {
    entry.parse::<Ipv4Addr>().ok().map(Ipv4Net::from).or_else(|| entry.parse().ok())
}
