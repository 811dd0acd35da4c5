//! What a topology asks for, resource by resource, each with what must be there before it.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::Ipv4Net;

use crate::base::flow::Flow;
use crate::base::ids::{CloudId, InstanceName, StackName, VSwitchName};
use crate::resource::ownership::{record_remark, remark};
use crate::resource::settings;
use crate::resource::spec::{
    AppSpec, CertificateOrigin, CertificateSpec, Exposure, HostSpec, InstanceSpec, KeyPairSpec,
    ListenerCertificate, ListenerRuleSpec, ListenerSpec, LoadBalancerSpec, Peer, Persistence, READY_PATH,
    RecordSpec, RedisAccess, RedisAccountSpec, RedisInstanceSpec, RedisSpec, ReleaseSpec, RolloutSpec,
    SecurityGroupSpec, SecurityRuleSpec, Series, ServerGroupSpec, ServerSpec, Source, Spec, VSwitchSpec,
    VpcSpec,
};
use crate::resource::tags::{self, UserTags};
use crate::resource::{Kind, ResourceAddress};
use crate::topology::duration::Seconds;
use crate::topology::model::{self, HostedRedis, ManagedRedis, Protocol, Reach, RedisPlace, Topology};

/// The account by which the nodes log into a managed Redis.
const ACCOUNT: &str = "chat_node";

/// The path that the chat node answers while it lives, with or without Redis.
const ALIVE_PATH: &str = "/healthz";

/// The port of SSH that needs no name.
const SSH: u16 = 22;

/// Nodes that are let to Redis one by one, each by a rule for its address; the quota of a group is 200 rules.
pub const NODES_BY_ADDRESS: usize = 100;

/// Name of the listener that leads to the other one, and of its rule.
pub const REDIRECT: &str = "redirect";

/// One resource that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its address.
    pub address: ResourceAddress,
    /// What it shall be.
    pub spec: Spec,
    /// The name it shall have in consoles.
    pub name: Option<String>,
    /// The tags it shall have beside those that say whose it is.
    pub tags: UserTags,
    /// What must be there first.
    pub depends_on: BTreeSet<ResourceAddress>,
}

impl Resource {
    /// The machine it lives on, when it lives on one.
    pub fn host(&self) -> Option<&InstanceName> {
        match &self.spec {
            Spec::HostKey(host) => Some(host.instance()),
            Spec::Redis(redis) => Some(redis.host.instance()),
            Spec::Release(release) => Some(release.host.instance()),
            Spec::Vpc(_)
            | Spec::VSwitch(_)
            | Spec::SecurityGroup(_)
            | Spec::SecurityRule(_)
            | Spec::KeyPair(_)
            | Spec::Instance(_)
            | Spec::RedisInstance(_)
            | Spec::RedisAccount(_)
            | Spec::LoadBalancer(_)
            | Spec::ServerGroup(_)
            | Spec::Server(_)
            | Spec::Certificate(_)
            | Spec::Listener(_)
            | Spec::ListenerRule(_)
            | Spec::Record(_) => None,
        }
    }
}

/// All that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desired {
    /// By address, so in the order of creation.
    pub resources: BTreeMap<ResourceAddress, Resource>,
    /// Whether what others put into resources of the stack is removed.
    pub exclusive: bool,
    /// Whether the time of instances that go by themselves begins anew.
    pub extends: bool,
}

impl Desired {
    /// Every machine, and how it is logged into.
    pub fn hosts(&self) -> impl Iterator<Item = &HostSpec> {
        self.resources.values().filter_map(|resource| resource.spec.host_key())
    }

    /// Without what lives on machines, for a cloud that has none.
    #[must_use]
    pub fn without_hosts(mut self) -> Self {
        self.resources.retain(|address, _| !address.kind.is_on_host());
        self
    }

    fn add(
        &mut self,
        address: ResourceAddress,
        spec: Spec,
        depends_on: impl IntoIterator<Item = ResourceAddress>,
    ) {
        let depends_on = depends_on.into_iter().collect();
        self.resources.insert(
            address.clone(),
            Resource { address, spec, name: None, tags: UserTags::new(), depends_on },
        );
    }

    fn all(&self, kind: Kind) -> Vec<ResourceAddress> {
        self.resources.keys().filter(|address| address.kind == kind).cloned().collect()
    }
}

/// What a topology names by files of the operator's machine: digests of it.
#[derive(Debug, Clone, Default)]
pub struct Brought {
    /// Of the certificate chain.
    pub certificate: Option<String>,
    /// Of what instances are told at their first start.
    pub user_data: BTreeMap<InstanceName, String>,
}

/// Lists what a topology asks for. The public key is the operator's.
pub fn desired(topology: &Topology, public_key: &str, brought: &Brought) -> Desired {
    let mut desired = Desired { exclusive: topology.exclusive, ..Desired::default() };
    network(topology, &mut desired);
    rules(topology, &mut desired);
    machines(topology, public_key, brought, &mut desired);
    service(topology, &mut desired);
    load_balancer(topology, &mut desired);
    certificate(topology, brought.certificate.as_deref(), &mut desired);
    front(topology, &mut desired);
    for resource in desired.resources.values_mut() {
        resource.name = settings::name(&topology.stack, &resource.address);
        resource.tags = user_tags(topology, resource);
    }
    desired
}

/// What was there before is nobody's to tag.
fn user_tags(topology: &Topology, resource: &Resource) -> UserTags {
    let address = &resource.address;
    if tags::tagger(address.kind).is_none() || resource.spec.existing().is_some() {
        return UserTags::new();
    }
    let instance = || topology.instances.get(&InstanceName::new(&address.name));
    match (address.kind == Kind::Instance).then(instance).flatten() {
        Some(instance) => instance.tags.clone(),
        None => topology.tags.clone(),
    }
}

fn only(kind: Kind) -> ResourceAddress {
    ResourceAddress::only(kind)
}

fn source(existing: Option<&CloudId>) -> Source {
    existing.map_or(Source::Created, |id| Source::Existing(id.clone()))
}

fn network(topology: &Topology, desired: &mut Desired) {
    let vpc = match &topology.vpc {
        model::Vpc::Create(cidr) => VpcSpec { source: Source::Created, cidr: Some(*cidr) },
        model::Vpc::Existing(id) => VpcSpec { source: Source::Existing(id.clone()), cidr: None },
    };
    desired.add(only(Kind::Vpc), Spec::Vpc(vpc), []);
    for (name, vswitch) in &topology.vswitches {
        let spec = VSwitchSpec {
            source: source(vswitch.existing.as_ref()),
            zone: vswitch.zone.to_string(),
            cidr: vswitch.cidr,
        };
        desired.add(ResourceAddress::new(Kind::VSwitch, name), Spec::VSwitch(spec), [only(Kind::Vpc)]);
    }
    let group = SecurityGroupSpec { source: source(topology.security_group.as_ref()) };
    desired.add(only(Kind::SecurityGroup), Spec::SecurityGroup(group), [only(Kind::Vpc)]);
}

/// SSH from where the operator is, the node's port from the ALB's vSwitches, Redis from the nodes, and what the topology
/// lets in beside that; nothing else. A managed Redis has an allow list of its own.
fn rules(topology: &Topology, desired: &mut Desired) {
    let mut rules = Rules { stack: &topology.stack, desired };
    for port in login_ports(topology) {
        for range in &topology.ssh.allow_from {
            rules.open(ssh_rule(port, *range), Flow::tcp(port), Peer::Range(*range));
        }
    }
    for (vswitch, range) in balancer_ranges(topology) {
        rules.open(format!("node-{vswitch}"), Flow::tcp(topology.node.port), Peer::Range(range));
    }
    if let RedisPlace::OnHost(_) = topology.redis.place {
        let doors: BTreeMap<String, Peer> =
            topology.node.on.iter().map(|node| door_to_redis(topology, node)).collect();
        for (name, peer) in doors {
            rules.open(name, Flow::tcp(topology.redis.port), peer);
        }
    }
    for model::Admission { flow, from } in &topology.allow {
        for (name, peer) in peers(topology, from) {
            rules.admit(*flow, &name, peer);
        }
    }
}

/// The rules of a stack's security group.
struct Rules<'d> {
    stack: &'d StackName,
    desired: &'d mut Desired,
}

impl Rules<'_> {
    fn open(&mut self, name: String, flow: Flow, from: Peer) {
        let group = only(Kind::SecurityGroup);
        let needs = std::iter::once(group).chain(from.machine());
        let address = ResourceAddress::new(Kind::SecurityRule, name);
        let description = remark(self.stack, &address);
        let spec = SecurityRuleSpec { flow, from, description };
        self.desired.add(address, Spec::SecurityRule(spec), needs);
    }

    /// Lets somebody in, unless a rule does already: of two rules that say the same the cloud keeps one. What is let
    /// in by another part of the topology later has the name that it would have there.
    fn admit(&mut self, flow: Flow, name: &str, from: Peer) {
        let same =
            |spec: &Spec| matches!(spec, Spec::SecurityRule(rule) if rule.flow == flow && rule.from == from);
        if self.desired.resources.values().any(|one| same(&one.spec)) {
            return;
        }
        let name = match (flow.single_tcp_port(), &from) {
            (Some(SSH), Peer::Range(range)) => ssh_rule(SSH, *range),
            _ => format!("{}-from-{name}", flow.name()),
        };
        self.open(name, flow, from);
    }
}

/// The rule by which a node reaches Redis on its machine. A group takes a limited number of rules, so very many nodes are
/// let in by the vSwitches that they are in.
fn door_to_redis(topology: &Topology, node: &InstanceName) -> (String, Peer) {
    if topology.node.on.len() <= NODES_BY_ADDRESS {
        return (format!("redis-{node}"), Peer::Instance(node.clone()));
    }
    let home = &topology.instances[node].vswitch;
    (format!("redis-from-{home}"), Peer::Range(topology.vswitches[home].cidr))
}

/// Everybody that is meant, each with a name.
fn peers(topology: &Topology, whom: &model::Whom) -> Vec<(String, Peer)> {
    match whom {
        model::Whom::Range(range) => vec![(range_name(*range), Peer::Range(*range))],
        model::Whom::LoadBalancer => {
            let ranges = balancer_ranges(topology);
            ranges.map(|(vswitch, range)| (format!("balancer-{vswitch}"), Peer::Range(range))).collect()
        }
        model::Whom::Instances(names) => {
            names.iter().map(|name| (name.to_string(), Peer::Instance(name.clone()))).collect()
        }
    }
}

fn ssh_rule(port: u16, range: Ipv4Net) -> String {
    match port {
        SSH => format!("ssh-{}", range_name(range)),
        port => format!("ssh-{port}-{}", range_name(range)),
    }
}

/// The ports that are logged into from outside. Behind another machine the group's own members reach each other.
fn login_ports(topology: &Topology) -> BTreeSet<u16> {
    let public = topology.instances.values().filter(|instance| instance.reach == Reach::Public);
    public.map(|instance| instance.login.port).collect()
}

/// The vSwitches the load balancer is in, and their addresses, from which it asks the nodes.
fn balancer_ranges(topology: &Topology) -> impl Iterator<Item = (&VSwitchName, Ipv4Net)> {
    topology.load_balancer.vswitches.iter().map(|name| (name, topology.vswitches[name].cidr))
}

/// `203.0.113.0-24`: a slash would be odd in an address.
fn range_name(range: Ipv4Net) -> String {
    range.to_string().replace('/', "-")
}

fn machines(topology: &Topology, public_key: &str, brought: &Brought, desired: &mut Desired) {
    let key_pair = only(Kind::KeyPair);
    desired.add(key_pair.clone(), Spec::KeyPair(KeyPairSpec { public_key: public_key.to_owned() }), []);
    for (name, instance) in &topology.instances {
        let vswitch = ResourceAddress::new(Kind::VSwitch, &instance.vswitch);
        let spec = InstanceSpec {
            vswitch: vswitch.clone(),
            types: instance.types.clone(),
            image: instance.image.clone(),
            disk: instance.disk,
            disk_options: instance.disk_options.clone(),
            data_disks: instance.data_disks.clone(),
            expires: instance.expires.map(Seconds::duration),
            exposure: Exposure::of(instance.reach == Reach::Public),
            spot: instance.spot.clone(),
            user_data: brought.user_data.get(name).cloned(),
        };
        let address = ResourceAddress::new(Kind::Instance, name);
        let needs = [vswitch, only(Kind::SecurityGroup), key_pair.clone()];
        desired.add(address.clone(), Spec::Instance(spec), needs);
        let host = host(topology, name);
        desired.add(ResourceAddress::new(Kind::HostKey, name), Spec::HostKey(host), [address]);
    }
}

/// From the outside in: `[ecs01, ecs03]` for a machine reached through `ecs01`.
fn host(topology: &Topology, name: &InstanceName) -> HostSpec {
    let mut route = vec![name.clone()];
    while let Some(Reach::Via(via)) = topology.instances.get(&route[0]).map(|instance| &instance.reach) {
        route.insert(0, via.clone());
    }
    let login = topology.instances.get(name).map_or(&topology.ssh.login, |instance| &instance.login);
    HostSpec { route, user: login.user.clone(), deposed: None }
}

/// What must be there before a machine can be logged into.
fn login(host: &HostSpec, desired: &Desired) -> Vec<ResourceAddress> {
    let first = ResourceAddress::new(Kind::SecurityRule, "ssh-");
    let rules = desired.resources.range(first..).map(|(address, _)| address);
    let is_ssh = |rule: &&ResourceAddress| rule.kind == Kind::SecurityRule && rule.name.starts_with("ssh-");
    let ssh_rules = rules.take_while(is_ssh).cloned();
    host.route.iter().map(|name| ResourceAddress::new(Kind::HostKey, name)).chain(ssh_rules).collect()
}

fn service(topology: &Topology, desired: &mut Desired) {
    let access = match &topology.redis.place {
        RedisPlace::OnHost(hosted) => redis_on_host(topology, hosted, desired),
        RedisPlace::Managed(managed) => managed_redis(topology, managed, desired),
        RedisPlace::Absent => RedisAccess::Absent,
    };
    for name in &topology.node.on {
        let host = self::host(topology, name);
        let mut needs = login(&host, desired);
        let spec = ReleaseSpec {
            host,
            port: topology.node.port,
            redis: access.clone(),
            redis_port: topology.redis.port,
            ping_interval: topology.node.ping_interval.duration(),
            ping_timeout: topology.node.ping_timeout.duration(),
            allowed_origins: topology.node.allowed_origins.clone(),
            trusted_proxies: balancer_ranges(topology).map(|(_, range)| range).collect(),
            rollout: rollout(&topology.node.rollout),
            app: topology.app.as_ref().map(|own| Box::new(app(own))),
            kept: None,
        };
        needs.extend(match &access {
            RedisAccess::OnHost { instance, .. } => vec![
                ResourceAddress::new(Kind::Redis, instance),
                ResourceAddress::new(Kind::SecurityRule, door_to_redis(topology, name).0),
            ],
            RedisAccess::Managed(_) => [Kind::RedisInstance, Kind::RedisAccount].map(only).into(),
            RedisAccess::Absent => Vec::new(),
        });
        desired.add(ResourceAddress::new(Kind::Release, name), Spec::Release(spec), needs);
    }
}

/// An app as it is compared: of its secrets the names.
fn app(app: &model::App) -> AppSpec {
    let (mut env, mut secrets) = (BTreeMap::new(), BTreeSet::new());
    for (name, variable) in &app.env {
        match variable {
            model::Variable::Text(text) => drop(env.insert(name.clone(), text.clone())),
            model::Variable::FromVariable(_) | model::Variable::FromFile(_) => {
                secrets.insert(name.clone());
            }
        }
    }
    AppSpec { args: app.args.clone(), env, secrets, health_path: app.health_path.clone() }
}

fn rollout(rollout: &model::Rollout) -> RolloutSpec {
    RolloutSpec {
        max_parallel: rollout.max_parallel,
        min_healthy_time: rollout.min_healthy_time.duration(),
        healthy_deadline: rollout.healthy_deadline.duration(),
        auto_revert: rollout.auto_revert,
    }
}

fn redis_on_host(topology: &Topology, hosted: &HostedRedis, desired: &mut Desired) -> RedisAccess {
    let host = host(topology, &hosted.on);
    let needs = login(&host, desired);
    let access = RedisAccess::OnHost {
        instance: hosted.on.clone(),
        route: host.route.clone(),
        memory: hosted.max_memory,
    };
    let spec = RedisSpec {
        host,
        port: topology.redis.port,
        max_memory: hosted.max_memory,
        persistence: match hosted.persistence {
            model::Persistence::None => Persistence::None,
            model::Persistence::AppendOnly => Persistence::AppendOnly,
        },
        nodes: nodes(topology),
        node_port: topology.node.port,
        node_health: ready_path(topology).to_owned(),
    };
    desired.add(ResourceAddress::new(Kind::Redis, &hosted.on), Spec::Redis(spec), needs);
    access
}

/// What a node answers with success while it can serve.
pub fn ready_path(topology: &Topology) -> &str {
    topology.app.as_ref().map_or(READY_PATH, |app| app.health_path.as_str())
}

fn nodes(topology: &Topology) -> Vec<HostSpec> {
    topology.node.on.iter().map(|name| host(topology, name)).collect()
}

/// Whole vSwitches are let in: so a node that takes another's place is let in before it is there, and the other stays
/// in until it is gone.
fn managed_redis(topology: &Topology, managed: &ManagedRedis, desired: &mut Desired) -> RedisAccess {
    let vswitch = ResourceAddress::new(Kind::VSwitch, &managed.vswitch);
    let homes: BTreeSet<&VSwitchName> =
        topology.node.on.iter().map(|name| &topology.instances[name].vswitch).collect();
    let spec = RedisInstanceSpec {
        series: match managed.series {
            model::Series::Tair => Series::Tair,
            model::Series::Classic => Series::Classic,
        },
        class: managed.class.clone(),
        engine: managed.engine.clone(),
        vswitch: vswitch.clone(),
        port: topology.redis.port,
        eviction: managed.eviction.word(),
        allowed: homes.into_iter().map(|name| topology.vswitches[name].cidr).collect(),
    };
    desired.add(only(Kind::RedisInstance), Spec::RedisInstance(spec), [vswitch, only(Kind::Vpc)]);
    let account = RedisAccountSpec { name: ACCOUNT.to_owned(), nodes: nodes(topology) };
    let instance = [only(Kind::RedisInstance)];
    desired.add(only(Kind::RedisAccount), Spec::RedisAccount(account.clone()), instance);
    RedisAccess::Managed(account)
}

fn load_balancer(topology: &Topology, desired: &mut Desired) {
    let wanted = &topology.load_balancer;
    let vswitch = |name| ResourceAddress::new(Kind::VSwitch, name);
    let spec = LoadBalancerSpec {
        source: source(wanted.existing.as_ref()),
        zones: wanted
            .vswitches
            .iter()
            .map(|name| (topology.vswitches[name].zone.to_string(), vswitch(name)))
            .collect(),
        address_type: wanted.address.word(),
        edition: wanted.edition.word(),
    };
    let needs: Vec<_> = wanted.vswitches.iter().map(vswitch).chain([only(Kind::Vpc)]).collect();
    desired.add(only(Kind::LoadBalancer), Spec::LoadBalancer(spec), needs);
    let health_path = topology.app.as_ref().map_or(ALIVE_PATH, |app| app.health_path.as_str());
    let group = ServerGroupSpec { health_path: health_path.to_owned() };
    desired.add(only(Kind::ServerGroup), Spec::ServerGroup(group), [only(Kind::Vpc)]);
    for name in &topology.node.on {
        let spec = ServerSpec { instance: name.clone(), port: topology.node.port };
        let needs = [Kind::Release, Kind::Instance].map(|kind| ResourceAddress::new(kind, name));
        let needs = needs.into_iter().chain([only(Kind::ServerGroup)]);
        desired.add(ResourceAddress::new(Kind::Server, name), Spec::Server(spec), needs);
    }
}

/// One that is named by id is nobody's resource here.
fn certificate(topology: &Topology, brought: Option<&str>, desired: &mut Desired) {
    let origin = match &topology.load_balancer.listener.certificate {
        Some(model::Certificate::Files { .. }) => {
            CertificateOrigin::Brought(brought.unwrap_or_default().to_owned())
        }
        Some(model::Certificate::SelfSigned) => CertificateOrigin::SelfSigned,
        Some(model::Certificate::Id(_)) | None => return,
    };
    let spec = CertificateSpec { name: topology.dns.full_name(), origin };
    desired.add(only(Kind::Certificate), Spec::Certificate(spec), []);
}

/// What people meet: the listener, the redirect to it, and the name that leads there.
fn front(topology: &Topology, desired: &mut Desired) {
    let listener = &topology.load_balancer.listener;
    let spec = ListenerSpec {
        protocol: match listener.protocol {
            Protocol::Http => "HTTP",
            Protocol::Https => "HTTPS",
        },
        port: listener.port,
        idle_timeout: listener.idle_timeout.count(),
        request_timeout: listener.request_timeout.count(),
        certificate: listener.certificate.as_ref().map(|certificate| match certificate {
            model::Certificate::Id(id) => ListenerCertificate::Named(id.clone()),
            model::Certificate::Files { .. } | model::Certificate::SelfSigned => ListenerCertificate::Own,
        }),
    };
    let mut needs = desired.all(Kind::Server);
    needs.extend([only(Kind::LoadBalancer), only(Kind::ServerGroup)]);
    let of_https = needs.iter().cloned().chain(desired.all(Kind::Certificate)).collect::<Vec<_>>();
    desired.add(only(Kind::Listener), Spec::Listener(spec.clone()), of_https);
    if let Some(port) = topology.load_balancer.redirect_from {
        redirect(port, spec, needs, desired);
    }
    let record = RecordSpec {
        domain: topology.dns.domain.clone(),
        host: topology.dns.host.clone(),
        ttl: topology.dns.ttl,
        remark: record_remark(&topology.stack),
    };
    let front = [Kind::Listener, Kind::ListenerRule].into_iter().flat_map(|kind| desired.all(kind));
    let needs: Vec<ResourceAddress> = front.chain([only(Kind::LoadBalancer)]).collect();
    desired.add(only(Kind::Record), Spec::Record(record), needs);
}

/// A listener for plain HTTP, all of whose requests a rule leads to the other one. Without a rule it would forward them:
/// a listener cannot be made without a group that it forwards to.
fn redirect(port: u16, secure: ListenerSpec, needs: Vec<ResourceAddress>, desired: &mut Desired) {
    let listener = ResourceAddress::new(Kind::Listener, REDIRECT);
    let rule = ListenerRuleSpec { listener: listener.clone(), port: secure.port };
    let plain = ListenerSpec { protocol: "HTTP", port, certificate: None, ..secure };
    desired.add(listener.clone(), Spec::Listener(plain), needs);
    let address = ResourceAddress::new(Kind::ListenerRule, REDIRECT);
    desired.add(address, Spec::ListenerRule(rule), [listener, only(Kind::Listener)]);
}
