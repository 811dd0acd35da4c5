//! ALB server groups and the servers in them.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde::Serialize;

use crate::world::World;
use crate::world::event::Event;
use crate::world::load_balancer::Listener;
use crate::world::meta::Meta;
use crate::world::pace::Step;

/// Status of a server group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ServerGroupStatus {
    /// Being made.
    Creating,
    /// Ready for changes.
    Available,
    /// A change is under way.
    Configuring,
    /// Being deleted.
    Deleting,
}

/// Status of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ServerStatus {
    /// Being added.
    Adding,
    /// In use.
    Available,
    /// A change is under way.
    Configuring,
    /// Being removed.
    Removing,
}

/// One server group.
#[derive(Debug, Clone, Serialize)]
pub struct ServerGroup {
    /// `sgp-...`.
    pub id: String,
    /// `ServerGroupName`.
    pub name: String,
    /// `Instance`, `Ip`, `Fc`.
    pub kind: String,
    /// Its VPC.
    pub vpc: String,
    /// `HTTP`, `HTTPS`, `gRPC`.
    pub protocol: String,
    /// `Wrr`, `Wlc`, `Sch`.
    pub scheduler: String,
    /// State.
    pub status: ServerGroupStatus,
    /// How servers are probed.
    pub health_check: HealthCheck,
    /// Sticky sessions.
    pub sticky: Sticky,
    /// Connection draining, with its timeout in seconds.
    pub drain: Option<i64>,
    /// Slow start, with its duration in seconds.
    pub slow_start: Option<i64>,
    /// Balanced over all zones.
    pub cross_zone: bool,
    /// Connections to servers are kept.
    pub keepalive: bool,
    /// Servers, in the order they were added.
    pub servers: Vec<Server>,
    /// Region, age, tags.
    pub meta: Meta,
}

/// How servers are probed.
#[derive(Debug, Clone, Serialize)]
pub struct HealthCheck {
    /// Off: every server counts as healthy.
    pub enabled: bool,
    /// `HTTP`, `HTTPS`, `TCP`, `gRPC`.
    pub protocol: String,
    /// Asked path.
    pub path: String,
    /// Asked host.
    pub host: String,
    /// `HEAD`, `GET`, `POST`.
    pub method: String,
    /// `HTTP1.0`, `HTTP1.1`.
    pub http_version: String,
    /// 0 is the server's own.
    pub port: u16,
    /// Seconds between probes.
    pub interval: u32,
    /// Seconds a probe may take.
    pub timeout: u32,
    /// Successes before it is healthy.
    pub healthy_threshold: u32,
    /// Failures before it is not.
    pub unhealthy_threshold: u32,
    /// `http_2xx`, ...
    pub codes: Vec<String>,
}

/// Sticky sessions.
#[derive(Debug, Clone, Serialize)]
pub struct Sticky {
    /// On or off.
    pub enabled: bool,
    /// `Insert` or `Server`.
    pub kind: String,
    /// Cookie of the `Server` kind.
    pub cookie: String,
    /// Seconds an inserted cookie lives.
    pub timeout: i64,
}

/// One server of a group.
#[derive(Debug, Clone, Serialize)]
pub struct Server {
    /// Instance id, or the address itself.
    pub id: String,
    /// `Ecs`, `Ip`.
    pub kind: String,
    /// Address in the VPC.
    pub address: Ipv4Addr,
    /// Port.
    pub port: u16,
    /// 0 to 100.
    pub weight: u16,
    /// Free text.
    pub description: String,
    /// State.
    pub status: ServerStatus,
}

impl Server {
    /// Key within its group; the data plane uses the same.
    pub fn key(&self) -> String {
        format!("{}:{}", self.id, self.port)
    }
}

impl World {
    /// Listeners and rules that send traffic to a group.
    pub fn users_of_group<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a str> {
        let rules = self.rules.values().filter(move |rule| rule.groups().contains(&group));
        self.listeners_of_group(group).chain(rules.map(|rule| rule.id.as_str()))
    }

    /// ALB instances that send traffic to a group, each once.
    pub fn balancers_of_group<'a>(&'a self, group: &'a str) -> BTreeSet<&'a str> {
        let rules = self.rules.values().filter(move |rule| rule.groups().contains(&group));
        let listeners = self.listeners_of_group(group).chain(rules.map(|rule| rule.listener.as_str()));
        let listeners = listeners.filter_map(|id| self.listeners.get(id));
        listeners.map(|listener| listener.load_balancer.as_str()).collect()
    }

    /// How many listeners and rules of an ALB use a group.
    pub fn uses_of_group(&self, balancer: &str, group: &str) -> usize {
        let own: Vec<&Listener> =
            self.listeners.values().filter(|listener| listener.load_balancer == balancer).collect();
        let by_default = own.iter().filter(|listener| listener.server_group == group).count();
        let rules = own.iter().flat_map(|listener| self.rules_of(&listener.id));
        by_default + rules.filter(|rule| rule.groups().contains(&group)).count()
    }

    /// Servers behind an ALB: those of a group count once for each listener and each rule that uses it.
    pub fn servers_of_balancer(&self, balancer: &str) -> usize {
        let count = |group: &str| self.server_groups.get(group).map_or(0, |group| group.servers.len());
        let own = |listener: &&Listener| listener.load_balancer == balancer;
        let listeners: Vec<&Listener> = self.listeners.values().filter(own).collect();
        let by_default: usize = listeners.iter().map(|listener| count(&listener.server_group)).sum();
        let rules = listeners.iter().flat_map(|listener| self.rules_of(&listener.id));
        by_default + rules.flat_map(|rule| rule.groups()).map(count).sum::<usize>()
    }

    /// Listeners whose default action forwards to a group.
    pub fn listeners_of_group<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a str> {
        let listeners = self.listeners.values().filter(move |listener| listener.server_group == group);
        listeners.map(|listener| listener.id.as_str())
    }

    /// Puts a group into a state that passes by itself.
    pub fn configure_server_group(&mut self, id: &str) {
        let group = self.server_groups.get_mut(id);
        if let Some(group) = group.filter(|group| group.status != ServerGroupStatus::Deleting) {
            group.status = ServerGroupStatus::Configuring;
            self.schedule(Step::ServerGroup, Event::ServerGroupSettled(id.to_owned()));
        }
    }

    pub(super) fn server_group_settled(&mut self, id: &str) {
        let Some(group) = self.server_groups.get_mut(id) else {
            return;
        };
        match group.status {
            ServerGroupStatus::Deleting => {
                self.server_groups.remove(id);
            }
            ServerGroupStatus::Creating | ServerGroupStatus::Configuring | ServerGroupStatus::Available => {
                group.status = ServerGroupStatus::Available;
                group.servers.retain(|server| server.status != ServerStatus::Removing);
                for server in &mut group.servers {
                    server.status = ServerStatus::Available;
                }
            }
        }
    }
}
