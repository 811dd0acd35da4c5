//! What the data plane should look like, derived from the world.

mod redis;
mod traffic;

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::api::catalogue;
use crate::plane::spec::{self, Desired, Inside, Policy, Power, Source, Traffic};
use crate::world::World;
use crate::world::elastic_ip::EipStatus;
use crate::world::instance::Instance;
use crate::world::load_balancer::LoadBalancerStatus;
use crate::world::security_group::{Permission, SecurityGroup};

impl World {
    /// Everything the data plane should hold.
    pub fn desired(&self) -> Desired {
        let instances =
            self.instances.values().map(|instance| (instance.id.clone(), self.desired_instance(instance)));
        let balancers = self
            .load_balancers
            .values()
            .filter(|balancer| balancer.status != LoadBalancerStatus::Provisioning);
        Desired {
            instances: instances.collect(),
            security_groups: self
                .security_groups
                .values()
                .map(|group| (group.id.clone(), desired_group(group)))
                .collect(),
            load_balancers: balancers.map(|own| (own.id.clone(), self.desired_balancer(own))).collect(),
            redis: self.desired_redis(),
            domains: self.domains.keys().map(|name| (name.clone(), self.desired_records(name))).collect(),
            // Faults are not part of the world: whoever has some adds them.
            troubles: spec::Troubles::default(),
        }
    }

    fn desired_instance(&self, instance: &Instance) -> spec::Instance {
        let key_name = instance.key_pair.clone().unwrap_or_default();
        let key_pair = self.key_pairs.get(&(instance.meta.region.clone(), key_name));
        spec::Instance {
            id: instance.id.clone(),
            host_name: instance.host_name.clone(),
            image: instance.image.clone(),
            vpc: instance.vpc.clone(),
            subnet: self.subnet(instance),
            private_address: instance.private_address,
            security_groups: instance.security_groups.clone(),
            memory: u64::from(catalogue::memory_of(&instance.instance_type)) << 30,
            started: instance.started,
            public_address: instance.public_address.or_else(|| self.bound_address(&instance.id)),
            authorized_keys: key_pair.map(|pair| pair.public_key.clone()).into_iter().collect(),
            user_data: instance.user_data.clone(),
            power: if instance.is_on() { Power::On } else { Power::Off },
            refuses_ssh: false,
        }
    }

    /// Addresses of the vSwitch an instance is in.
    fn subnet(&self, instance: &Instance) -> Ipv4Net {
        let vswitch = self.vswitches.get(&instance.vswitch);
        vswitch.map_or_else(|| Ipv4Net::from(instance.private_address), |vswitch| vswitch.cidr)
    }

    /// The elastic address an instance can be reached by.
    fn bound_address(&self, instance: &str) -> Option<Ipv4Addr> {
        let eip = self.eip_of_instance(instance).filter(|eip| eip.status == EipStatus::InUse);
        eip.map(|eip| eip.address)
    }

    fn desired_records(&self, domain: &str) -> Vec<spec::Record> {
        let records = self.records_of(domain).filter(|record| record.enabled && record.line == "default");
        records
            .map(|record| spec::Record {
                host: record.host.clone(),
                kind: record.kind.clone(),
                value: record.value.clone(),
                ttl: u32::try_from(record.ttl).unwrap_or(600),
            })
            .collect()
    }
}

fn desired_group(group: &SecurityGroup) -> spec::SecurityGroup {
    let inside = if group.kind == "enterprise" { Inside::Closed } else { Inside::Open };
    let rules = group.rules.iter().filter_map(|rule| desired_rule(&rule.permission));
    spec::SecurityGroup { inside, rules: rules.collect() }
}

/// A rule as the data plane takes it; none for what there are no addresses for, such as IPv6 and prefix lists.
fn desired_rule(own: &Permission) -> Option<spec::Rule> {
    let ports = || {
        let (first, last) = own.port_range.split_once('/')?;
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    let traffic = match own.protocol.as_str() {
        "ALL" => Traffic::All,
        "TCP" => Traffic::Tcp(ports()?),
        "UDP" => Traffic::Udp(ports()?),
        "ICMP" => Traffic::Icmp,
        "GRE" => Traffic::Gre,
        _ => return None,
    };
    let source = if own.source_group.is_empty() {
        let single = own.source_cidr.parse::<Ipv4Addr>().ok().map(Ipv4Net::from);
        Source::Addresses(single.or_else(|| own.source_cidr.parse().ok())?)
    } else {
        Source::Group(own.source_group.clone())
    };
    let policy = if own.policy == "drop" { Policy::Drop } else { Policy::Accept };
    Some(spec::Rule { priority: own.priority, policy, traffic, source })
}
