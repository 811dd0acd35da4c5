//! The region at a glance, for its page: what there is, how it is, what goes through it, what is wrong and under way.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::plane::spec::{Conditions, Status, TrafficMap, health_key};
use crate::server::admin::json_reply;
use crate::server::connection::HttpReply;
use crate::server::{Cloud, now};
use crate::world::World;
use crate::world::load_balancer::LoadBalancer;

/// What the parts of the picture are made from.
struct Sight<'a> {
    world: &'a World,
    plane: &'a Status,
    traffic: &'a TrafficMap,
    troubles: &'a crate::plane::spec::Troubles,
}

impl Cloud {
    /// Everything the page shows.
    pub(super) fn region_at_a_glance(self: &Arc<Self>) -> HttpReply {
        let (plane, traffic) = (self.plane.status(), self.plane.traffic());
        let (calls, calls_total) = self.log.last();
        let under_way = self.gates.under_way();
        let mut state = self.lock();
        // Reading the report takes its news away from the time keeper, so they are taken in here.
        state.world.observe(&plane);
        self.settle(&mut state);
        let troubles = state.faults.troubles(&state.world, now());
        let sight = Sight { world: &state.world, plane: &plane, traffic: &traffic, troubles: &troubles };
        let in_flight: Vec<Value> = sight.events().into_iter().chain(under_way).collect();
        json_reply(&json!({
            "region": self.options.region(),
            "hosts_mode": self.hosts_word(),
            "pace": self.options.pace.as_str(),
            "account": state.world.account.id,
            "hosts": sight.hosts(),
            "balancers": sight.balancers(),
            "names": sight.names(),
            "redis": sight.redis(),
            "cuts": troubles.cuts,
            "resources": state.world.census(),
            "calls": calls,
            "calls_total": calls_total,
            "faults": state.faults.pending(&state.world, now()),
            "in_flight": in_flight,
        }))
    }
}

impl Sight<'_> {
    fn hosts(&self) -> Vec<Value> {
        let mut instances: Vec<_> = self.world.instances.values().collect();
        instances.sort_by_key(|instance| (&instance.name, &instance.id));
        let host = |instance: &crate::world::instance::Instance| {
            let host = self.plane.hosts.get(&instance.id);
            json!({
                "id": instance.id,
                "name": instance.name,
                "type": instance.instance_type,
                "zone": instance.zone,
                "private_address": instance.private_address,
                "public_address": instance.public_address,
                "status": instance.status,
                "state": host.map(|host| &host.state),
                "processes": host.map(|host| host.processes.clone()).unwrap_or_default(),
                "conditions": words(&self.troubles.of(&instance.id)),
            })
        };
        instances.into_iter().map(host).collect()
    }

    fn balancers(&self) -> Vec<Value> {
        self.world.load_balancers.values().map(|balancer| self.balancer(balancer)).collect()
    }

    fn balancer(&self, balancer: &LoadBalancer) -> Value {
        let own = || self.world.listeners.values().filter(|own| own.load_balancer == balancer.id);
        let listeners: Vec<Value> = own()
            .map(|listener| {
                let (protocol, status) = (&listener.protocol, &listener.status);
                json!({"id": listener.id, "protocol": protocol, "port": listener.port, "status": status})
            })
            .collect();
        let servers: Vec<Value> = own()
            .flat_map(|listener| self.servers(&balancer.id, &listener.id, &listener.server_group))
            .collect();
        json!({
            "id": balancer.id,
            "name": balancer.name,
            "status": balancer.status,
            "dns_name": balancer.dns_name,
            "listeners": listeners,
            "servers": servers,
        })
    }

    /// The servers of the group of a listener's default action.
    fn servers(&self, balancer: &str, listener: &str, group_id: &str) -> Vec<Value> {
        let Some(group) = self.world.server_groups.get(group_id) else { return Vec::new() };
        let health = self.plane.health.get(&health_key(listener, group_id, group_id));
        let traffic = self.traffic.get(&(balancer.to_owned(), group_id.to_owned()));
        let server = |server: &crate::world::server_group::Server| {
            let key = server.key();
            let host = self.world.instances.values().find(|own| own.private_address == server.address);
            json!({
                "key": key,
                "host": host.map(|host| &host.id),
                "weight": server.weight,
                "health": health.and_then(|health| health.get(&key)),
                "traffic": traffic.and_then(|traffic| traffic.get(&key)).copied().unwrap_or_default(),
            })
        };
        group.servers.iter().map(server).collect()
    }

    fn names(&self) -> Vec<Value> {
        let name = |record: &crate::world::dns::DomainRecord| {
            let name = match record.host.as_str() {
                "@" => record.domain.clone(),
                host => format!("{host}.{}", record.domain),
            };
            let is_stale = self.troubles.stale_names.contains(&name.to_ascii_lowercase());
            json!({"name": name, "kind": record.kind, "value": record.value, "ttl": record.ttl, "is_stale": is_stale})
        };
        self.world.records.values().map(name).collect()
    }

    /// Managed ones.
    fn redis(&self) -> Vec<Value> {
        let all = self.world.redis_instances.values();
        all.map(|redis| json!({"id": redis.id, "name": redis.name, "status": redis.status})).collect()
    }

    /// What the world is going to do by itself.
    fn events(&self) -> Vec<Value> {
        self.world
            .upcoming()
            .map(|(due, event)| {
                let event = serde_json::to_value(event).unwrap_or_default();
                let (what, of) = match event.as_object().and_then(|event| event.iter().next()) {
                    Some((what, of)) => (what.clone(), of.as_str().map(str::to_owned)),
                    None => (event.as_str().unwrap_or_default().to_owned(), None),
                };
                json!({"what": what, "of": of, "ends_in": due - self.world.now})
            })
            .collect()
    }
}

/// What is wrong with an instance, as the names of what it has to put up with.
fn words(conditions: &Conditions) -> Vec<&'static str> {
    let all = [
        ("is_off", conditions.is_off),
        ("is_frozen", conditions.is_frozen),
        ("is_full", conditions.is_full),
        ("stops_redis", conditions.stops_redis),
        ("kills_node", conditions.kills_node),
        ("fails_checks", conditions.fails_checks),
        ("ssh_cut", conditions.ssh_cut.is_some()),
        ("ssh_rate", conditions.ssh_rate.is_some()),
        ("loss", conditions.loss.is_some()),
        ("delay", conditions.delay.is_some()),
    ];
    all.into_iter().filter(|(_, is_wrong)| *is_wrong).map(|(word, _)| word).collect()
}
