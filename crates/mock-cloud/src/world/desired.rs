//! What the data plane should look like, derived from the world.

mod traffic;

use std::net::Ipv4Addr;

use crate::plane::spec::{self, Desired, Power};
use crate::world::World;
use crate::world::elastic_ip::EipStatus;
use crate::world::instance::Instance;
use crate::world::load_balancer::LoadBalancerStatus;

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
            load_balancers: balancers.map(|own| (own.id.clone(), self.desired_balancer(own))).collect(),
            domains: self.domains.keys().map(|name| (name.clone(), self.desired_records(name))).collect(),
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
            private_address: instance.private_address,
            public_address: instance.public_address.or_else(|| self.bound_address(&instance.id)),
            authorized_keys: key_pair.map(|pair| pair.public_key.clone()).into_iter().collect(),
            user_data: instance.user_data.clone(),
            power: if instance.is_on() { Power::On } else { Power::Off },
            refuses_ssh: false,
        }
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
