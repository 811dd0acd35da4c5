//! The state of the region: a pure model in logical time.
//!
//! 1. A handler of [`crate::api`] changes a resource and schedules what follows as an [`Event`];
//! 2. [`World::advance`] moves the clock to the moment it is given and applies every event that is due;
//! 3. [`World::desired`] says what the data plane should look like, [`World::observe`] takes in how far it is;
//! 4. what has to be done outside (a Cloud Assistant script on a real host) waits in [`World::errands`].
//!
//! Nothing here reads a clock, draws a random number or opens a socket: the same calls at the same moments with
//! the same seed give the same world.

pub mod account;
pub mod bucket;
pub mod census;
pub mod certificate;
pub mod cloud_assistant;
pub mod desired;
pub mod disk;
pub mod dns;
pub mod elastic_ip;
pub mod event;
pub mod ids;
pub mod instance;
pub mod load_balancer;
pub mod meta;
pub mod nat_gateway;
pub mod network;
pub mod pace;
pub mod redis;
pub mod regions;
pub mod rule;
pub mod security_group;
pub mod server_group;
pub mod session;
pub mod tls_policy;
pub mod token;
pub mod transition;
pub mod view;

use std::collections::{BTreeMap, BTreeSet};

use crate::plane::HostKind;
use crate::plane::spec::{Health, Host, HostState, Status, health_key};
use account::{Account, KeyPair};
use bucket::Bucket;
use certificate::Certificate;
use cloud_assistant::{Errand, Invocation};
use disk::Disk;
use dns::{Domain, DomainRecord};
use elastic_ip::Eip;
use event::Event;
use ids::Ids;
use instance::Instance;
use load_balancer::{Job, Listener, LoadBalancer};
use meta::Meta;
use nat_gateway::{NatGateway, SnatEntry};
use network::{NetworkInterface, VSwitch, Vpc};
use pace::{Pace, Step};
use redis::RedisInstance;
use rule::Rule;
use security_group::SecurityGroup;
use server_group::ServerGroup;
use session::Sessions;
use token::Tokens;
use transition::{Transitions, What};

/// Milliseconds since 1970, UTC.
pub type Moment = i64;

/// What does not change while the world runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Region of calls that name none.
    pub region: String,
    /// How long transitions take.
    pub pace: Pace,
    /// Decides every id.
    pub seed: u64,
    /// Kind of hosts: with real ones an instance runs when its host is ready.
    pub hosts: HostKind,
    /// Domains the account owns.
    pub domains: Vec<String>,
}

/// What a host printed on its console.
#[derive(Debug, Clone)]
pub struct Console {
    /// The last lines.
    pub text: String,
    /// When they changed.
    pub updated: Moment,
}

/// Everything that exists.
#[derive(Debug, Clone)]
pub struct World {
    /// The present moment.
    pub now: Moment,
    /// Fixed settings.
    pub settings: Settings,
    /// The one account.
    pub account: Account,
    /// VPCs by id, as all maps below.
    pub vpcs: BTreeMap<String, Vpc>,
    /// vSwitches.
    pub vswitches: BTreeMap<String, VSwitch>,
    /// Elastic addresses.
    pub eips: BTreeMap<String, Eip>,
    /// NAT gateways.
    pub nat_gateways: BTreeMap<String, NatGateway>,
    /// Entries of NAT gateways.
    pub snat_entries: BTreeMap<String, SnatEntry>,
    /// Network interfaces of instances and of load balancers.
    pub network_interfaces: BTreeMap<String, NetworkInterface>,
    /// Security groups, those the ALB manages included.
    pub security_groups: BTreeMap<String, SecurityGroup>,
    /// Key pairs by region and name.
    pub key_pairs: BTreeMap<(String, String), KeyPair>,
    /// ECS instances.
    pub instances: BTreeMap<String, Instance>,
    /// Disks.
    pub disks: BTreeMap<String, Disk>,
    /// What hosts print on their consoles.
    pub consoles: BTreeMap<String, Console>,
    /// Cloud Assistant invocations.
    pub invocations: BTreeMap<String, Invocation>,
    /// ALB instances.
    pub load_balancers: BTreeMap<String, LoadBalancer>,
    /// ALB listeners.
    pub listeners: BTreeMap<String, Listener>,
    /// Forwarding rules of ALB listeners.
    pub rules: BTreeMap<String, Rule>,
    /// ALB server groups.
    pub server_groups: BTreeMap<String, ServerGroup>,
    /// ALB jobs.
    pub jobs: BTreeMap<String, Job>,
    /// Domains by name.
    pub domains: BTreeMap<String, Domain>,
    /// DNS records.
    pub records: BTreeMap<String, DomainRecord>,
    /// Uploaded certificates by `CertId`.
    pub certificates: BTreeMap<i64, Certificate>,
    /// Buckets by name.
    pub buckets: BTreeMap<String, Bucket>,
    /// Redis and Tair instances.
    pub redis_instances: BTreeMap<String, RedisInstance>,
    /// Revision of each that its server has reached.
    redis_in_force: BTreeMap<String, u64>,
    /// Zone and instance type of what is sold out.
    pub sold_out: BTreeSet<(String, String)>,
    /// Sessions of assumed roles.
    pub sessions: Sessions,
    /// Client tokens.
    pub tokens: Tokens,
    /// Source of ids.
    pub ids: Ids,
    /// What has to be done outside.
    pub errands: Vec<Errand>,
    /// What has happened by itself.
    pub transitions: Transitions,
    revision: u64,
    /// By when they are due; each with when it began.
    events: BTreeMap<(Moment, u64), (Moment, Event)>,
    next_event: u64,
    ready_hosts: BTreeSet<String>,
    health: BTreeMap<String, BTreeMap<String, Health>>,
}

impl World {
    /// An empty world at this moment.
    pub fn new(settings: Settings, now: Moment) -> Self {
        let account = Account::new(settings.seed);
        let mut ids = Ids::new(settings.seed);
        for domain in &settings.domains {
            ids.know(domain);
        }
        let domains =
            settings.domains.iter().map(|name| (name.clone(), Domain::new(name, now, settings.seed)));
        Self {
            now,
            account,
            domains: domains.collect(),
            vpcs: BTreeMap::new(),
            vswitches: BTreeMap::new(),
            eips: BTreeMap::new(),
            nat_gateways: BTreeMap::new(),
            snat_entries: BTreeMap::new(),
            network_interfaces: BTreeMap::new(),
            security_groups: BTreeMap::new(),
            key_pairs: BTreeMap::new(),
            instances: BTreeMap::new(),
            disks: BTreeMap::new(),
            consoles: BTreeMap::new(),
            invocations: BTreeMap::new(),
            load_balancers: BTreeMap::new(),
            listeners: BTreeMap::new(),
            rules: BTreeMap::new(),
            server_groups: BTreeMap::new(),
            jobs: BTreeMap::new(),
            records: BTreeMap::new(),
            certificates: BTreeMap::new(),
            buckets: BTreeMap::new(),
            redis_instances: BTreeMap::new(),
            redis_in_force: BTreeMap::new(),
            sold_out: BTreeSet::new(),
            sessions: Sessions::default(),
            tokens: Tokens::default(),
            ids,
            errands: Vec::new(),
            transitions: Transitions::default(),
            revision: 0,
            events: BTreeMap::new(),
            next_event: 0,
            ready_hosts: BTreeSet::new(),
            health: BTreeMap::new(),
            settings,
        }
    }

    /// Moves the clock and applies what became due, in order.
    pub fn advance(&mut self, now: Moment) {
        while let Some(entry) = self.events.first_entry() {
            let (due, _) = *entry.key();
            if due > now {
                break;
            }
            let (since, event) = entry.remove();
            self.now = self.now.max(due);
            self.touch();
            self.transitions.add(since, self.now, What::Event(event.clone()));
            self.apply(event);
        }
        self.now = self.now.max(now);
    }

    /// Notes that something changed.
    pub fn touch(&mut self) {
        self.revision += 1;
    }

    /// Grows with every change: equal numbers mean that nothing happened in between.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The moment of the next event.
    pub fn next_due(&self) -> Option<Moment> {
        self.events.first_key_value().map(|((due, _), _)| *due)
    }

    /// What is going to happen by itself, and when.
    pub fn upcoming(&self) -> impl Iterator<Item = (Moment, &Event)> {
        self.events.iter().map(|((due, _), (_, event))| (*due, event))
    }

    /// Lets an event happen once this step has taken its time.
    pub fn schedule(&mut self, step: Step, event: Event) {
        let due = self.now + self.settings.pace.milliseconds(step);
        self.schedule_at(due, event);
    }

    /// Lets an event happen at this moment.
    pub fn schedule_at(&mut self, due: Moment, event: Event) {
        self.next_event += 1;
        self.events.insert((due, self.next_event), (self.now, event));
    }

    /// What a new resource of a call gets: its region, its moment, when lists show it.
    pub fn meta(&self, region: &str, tags: BTreeMap<String, String>) -> Meta {
        let lag = self.settings.pace.milliseconds(Step::ListLag);
        Meta { region: region.to_owned(), created: self.now, visible_from: self.now + lag, tags }
    }

    /// Whether lists show a resource yet.
    pub fn shows(&self, meta: &Meta, region: &str) -> bool {
        meta.region == region && meta.visible_from <= self.now
    }

    /// Takes in how far the data plane is.
    pub fn observe(&mut self, status: &Status) {
        self.observe_consoles(status);
        self.observe_redis(&status.redis);
        let is_this_start = |id: &String, host: &Host| {
            let wanted = self.instances.get(id).map(|instance| instance.started);
            host.started.is_none_or(|started| wanted == Some(started))
        };
        let ready = status
            .hosts
            .iter()
            .filter(|(id, host)| host.state == HostState::Ready && is_this_start(id, host));
        let ready: BTreeSet<String> = ready.map(|(id, _)| id.clone()).collect();
        let awaited =
            |id: &String| self.instances.get(id).is_some_and(|instance| instance.awaits_host.is_some());
        let awaited: Vec<String> = ready.iter().filter(|id| awaited(id)).cloned().collect();
        if awaited.is_empty() && ready == self.ready_hosts && status.health == self.health {
            return;
        }
        self.touch();
        self.ready_hosts = ready;
        let before = std::mem::replace(&mut self.health, status.health.clone());
        self.note_health(&before);
        for id in awaited {
            self.host_became_ready(&id);
        }
    }

    fn observe_consoles(&mut self, status: &Status) {
        self.consoles.retain(|id, _| status.hosts.contains_key(id));
        for (id, host) in status.hosts.iter().filter(|(_, host)| !host.console.is_empty()) {
            let known = self.consoles.get(id).is_some_and(|console| console.text == host.console);
            if !known {
                let console = Console { text: host.console.clone(), updated: self.now };
                self.consoles.insert(id.clone(), console);
            }
        }
    }

    /// Whether the machine of an instance can be logged in to.
    pub fn host_is_ready(&self, instance: &str) -> bool {
        self.settings.hosts == HostKind::None || self.ready_hosts.contains(instance)
    }

    /// Health of a server of a group as the load balancer sees it that has this listener.
    pub fn server_health(&self, listener: &Listener, group: &str, server: &str) -> Health {
        if self.settings.hosts == HostKind::None {
            return Health::Healthy;
        }
        let key = health_key(&listener.id, &listener.server_group, group);
        let health = self.health.get(&key).and_then(|servers| servers.get(server));
        health.cloned().unwrap_or(Health::Initial)
    }

    /// The region of the resource with this id, whatever its kind.
    pub fn region_of(&self, id: &str) -> Option<&str> {
        let meta = self
            .vpcs
            .get(id)
            .map(|vpc| &vpc.meta)
            .or_else(|| self.vswitches.get(id).map(|vswitch| &vswitch.meta))
            .or_else(|| self.instances.get(id).map(|instance| &instance.meta))
            .or_else(|| self.security_groups.get(id).map(|group| &group.meta))
            .or_else(|| self.load_balancers.get(id).map(|balancer| &balancer.meta))
            .or_else(|| self.listeners.get(id).map(|listener| &listener.meta))
            .or_else(|| self.server_groups.get(id).map(|group| &group.meta))
            .or_else(|| self.rules.get(id).map(|rule| &rule.meta))
            .or_else(|| self.nat_gateways.get(id).map(|gateway| &gateway.meta))
            .or_else(|| self.redis_instances.get(id).map(|redis| &redis.meta))
            .or_else(|| self.eips.get(id).map(|eip| &eip.meta))?;
        Some(&meta.region)
    }
}
