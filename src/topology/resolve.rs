//! Fills in what a topology leaves out.
//!
//! In two steps: [`with_default_shape`] before the rules run, so that they see the machines and vSwitches that will
//! be there; [`resolve`] after them, when every value is known to be good.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::PathBuf;

use ipnet::Ipv4Net;

use crate::base::address::ServiceAddress;
use crate::base::bucket::BucketLocation;
use crate::base::disk::{DataDisk, DiskOptions};
use crate::base::ids::{CloudId, InstanceName, RegionId, StackName, VSwitchName, ZoneId};
use crate::base::spot::Spot;
use crate::topology::admission::{self, parse as parse_admission};
use crate::topology::count;
use crate::topology::disk::Gibibytes;
use crate::topology::duration::Seconds;
use crate::topology::findings::Findings;
use crate::topology::model::{
    Address, Admission, App, Certificate, Choice, Chosen, Dns, Edition, Eviction, Existing, Hooks, HostKeys,
    HostedRedis, Instance, Key, Listener, LoadBalancer, Login, ManagedRedis, Node, Persistence, Protocol,
    Reach, Redis, RedisPlace, Rollout, Series, Service, ServiceKind, Ssh, Sudo, Topology, UserData, VSwitch,
    Vantage, Variable, Verify, Vpc, Whom,
};
use crate::topology::outputs::output;
use crate::topology::schema::{
    self, CertificateForm, ChosenFields, DataDiskFields, DiskFields, DiskForm, Document, EnvironmentForm,
    ExistingForm, ExpiryForm, HostKeysForm, KeyForm, SpotForm, SudoForm, UserDataForm,
};

/// Range of a VPC that is made without one being given.
pub(super) const DEFAULT_VPC: &str = "192.168.0.0/16";
/// Port of the chat node, as in the tutorial.
pub(super) const DEFAULT_NODE_PORT: u16 = 5000;
/// The path that an app answers while it is well.
const DEFAULT_HEALTH_PATH: &str = "/healthz";
/// Port of Redis.
pub(super) const DEFAULT_REDIS_PORT: u16 = 6379;
/// Version of a managed Redis; every class that has Streams has it.
pub(super) const DEFAULT_ENGINE: &str = "5.0";
/// How often the node pings; well inside the cloud's own 15 s idle timeout.
pub(super) const DEFAULT_PING_INTERVAL: Seconds = Seconds::new(10);
/// Both timeouts of the listener. The cloud's default for a silent connection is 15 s, short for a chatroom.
pub(super) const DEFAULT_LISTENER_TIMEOUT: Seconds = Seconds::new(60);
/// Who logs in.
pub(super) const DEFAULT_USER: &str = "root";
/// Port of SSH servers.
pub(super) const DEFAULT_SSH_PORT: u16 = 22;
/// Nodes that are away at once, as Nomad has it.
pub(super) const DEFAULT_MAX_PARALLEL: u16 = 1;
/// How long a release must have been ready, as Nomad has it.
pub(super) const DEFAULT_MIN_HEALTHY_TIME: Seconds = Seconds::new(10);
/// By when a release must count. A node starts in a second, so Nomad's five minutes would only prolong an outage.
pub(super) const DEFAULT_HEALTHY_DEADLINE: Seconds = Seconds::new(60);
/// How long a hook may take.
const DEFAULT_HOOK_TIMEOUT: Seconds = Seconds::new(300);
/// Small current instance types that most zones have, cheapest first.
const DEFAULT_TYPES: [&str; 4] = ["ecs.e-c1m2.large", "ecs.u1-c1m2.large", "ecs.c7.large", "ecs.c6.large"];
/// Alibaba Cloud Linux 3.
const DEFAULT_IMAGE: &str = "acs:alibaba_cloud_linux_3_2104_lts_x64";
const DEFAULT_DISK: u32 = 40;
/// What a page answers when all is well.
const DEFAULT_STATUS: u16 = 200;
const DEFAULT_TTL: u32 = 600;

/// Adds the vSwitches of `zones`, the tutorial's three machines (two with a managed Redis), and who runs what.
pub(super) fn with_default_shape(mut document: Document, findings: &mut Findings<'_>) -> Document {
    add_vswitches(&mut document.network);
    if document.instances.is_empty() {
        add_instances(&mut document);
    }
    if document.has_redis() && document.redis.on.is_none() && document.redis.managed().is_none() {
        // Of those that are counted the first: it stays where it is when the count changes.
        let last = document.instances.iter().next_back();
        let name = |(name, instance): (&String, &schema::Instance)| match instance.count {
            Some(_) => format!("{name}-1"),
            None => name.clone(),
        };
        document.redis.on = last.map(name);
    }
    count::expand(&mut document, findings);
    if document.node.on.is_empty() {
        let redis = document.redis.on.as_deref();
        document.node.on =
            document.instances.keys().filter(|name| Some(name.as_str()) != redis).cloned().collect();
    }
    let home = document.node.on.first().and_then(|node| document.instances.get(node));
    let home = home.and_then(|instance| instance.vswitch.clone());
    let redis = &mut document.redis;
    for managed in [&mut redis.tair, &mut redis.classic].into_iter().flatten() {
        managed.vswitch = managed.vswitch.take().or_else(|| home.clone());
    }
    if document.load_balancer.vswitches.is_empty() {
        document.load_balancer.vswitches = document.network.vswitches.keys().cloned().collect();
    }
    document
}

fn add_vswitches(network: &mut schema::Network) {
    let vpc: Option<Ipv4Net> = network.vpc.cidr.as_deref().unwrap_or(DEFAULT_VPC).parse().ok();
    let Some(ranges) = vpc.and_then(|vpc| vpc.subnets(24.max(vpc.prefix_len())).ok()) else {
        return;
    };
    for ((zone, range), letter) in network.zones.iter().zip(ranges).zip('a'..='z') {
        network.vswitches.entry(letter.to_string()).or_insert_with(|| schema::VSwitch {
            zone: zone.clone(),
            cidr: range.to_string(),
            id: None,
        });
    }
}

fn add_instances(document: &mut Document) {
    let vswitches: Vec<String> = document.network.vswitches.keys().cloned().collect();
    let (Some(first), Some(second)) = (vswitches.first(), vswitches.get(1).or(vswitches.first())) else {
        return;
    };
    let instance = |vswitch: &str, access, via: Option<&str>| schema::Instance {
        declared: String::new(),
        count: None,
        vswitch: Some(vswitch.to_owned()),
        vswitches: Vec::new(),
        access,
        via: via.map(str::to_owned),
        ssh: schema::InstanceSsh::default(),
        types: Vec::new(),
        image: None,
        disk: None,
        data_disks: Vec::new(),
        spot: None,
        user_data: None,
        tags: BTreeMap::new(),
        expires: None,
        protect: false,
    };
    let public = Some(schema::Access::Public);
    document.instances.insert("ecs01".to_owned(), instance(first, public, None));
    document.instances.insert("ecs02".to_owned(), instance(second, public, None));
    if document.has_redis() && document.redis.managed().is_none() {
        document.instances.insert("ecs03".to_owned(), instance(first, None, Some("ecs01")));
    }
}

/// Turns a document that every rule accepted into the model.
pub(super) fn resolve(document: Document) -> Topology {
    let outputs = document.outputs.iter().filter_map(|(name, text)| output(&document, name, text).ok());
    let outputs = outputs.collect();
    let allow = document.network.security_group.allow.iter();
    let allow = allow.filter_map(|text| admission(text, &document)).collect();
    let chosen = chosen(&document);
    let logins: Vec<Login> =
        document.instances.values().map(|instance| login(&document.ssh, Some(&instance.ssh))).collect();
    let ssh = Ssh {
        allow_from: document.ssh.allow_from.iter().map(|text| range(text)).collect(),
        login: login(&document.ssh, None),
        key: match document.ssh.key {
            None => Key::Own,
            Some(KeyForm::Path(path)) => Key::File(path.into()),
            Some(KeyForm::Agent(fingerprint)) => Key::Agent(fingerprint),
        },
        host_keys: match document.ssh.host_keys {
            HostKeysForm::ControlPlane => HostKeys::ControlPlane,
            HostKeysForm::KnownHosts => HostKeys::KnownHosts,
            HostKeysForm::Pinned(lines) => HostKeys::Pinned(lines),
        },
    };
    Topology {
        outputs,
        allow,
        chosen,
        stack: StackName::new(document.stack),
        region: RegionId::new(document.region),
        vpc: match document.network.vpc.id {
            Some(form) => Vpc::Existing(existing_id(&form)),
            None => Vpc::Create(range(document.network.vpc.cidr.as_deref().unwrap_or(DEFAULT_VPC))),
        },
        vswitches: document.network.vswitches.into_iter().map(vswitch).collect(),
        security_group: document.network.security_group.id.as_ref().map(existing_id),
        ssh,
        instances: document
            .instances
            .into_iter()
            .zip(logins)
            .map(|written| instance(written, (&document.tags, document.expires)))
            .collect(),
        tags: document.tags,
        redis: redis(document.redis),
        node: node(document.node, document.app.as_ref()),
        app: document.app.map(app),
        load_balancer: load_balancer(document.load_balancer),
        dns: dns(document.dns),
        exclusive: document.exclusive,
        protect: document.protect,
        state: document.state.as_deref().and_then(|text| BucketLocation::parse(text).ok()),
        endpoints: document
            .endpoints
            .into_iter()
            .filter_map(|(product, text)| Some((product, ServiceAddress::parse(&text).ok()?)))
            .collect(),
        hooks: hooks(&document.hooks),
        verify: verify(document.verify),
    }
}

/// The id that is written; for what is chosen by something else that something, until it is looked up.
fn existing_id(form: &ExistingForm) -> CloudId {
    match form {
        ExistingForm::Id(id) => CloudId::new(id),
        ExistingForm::Chosen(fields) => {
            CloudId::new(choice(fields).map(|by| format!("({by})")).unwrap_or_default())
        }
    }
}

/// By what something is chosen, where that is said as it has to be.
pub(super) fn choice(fields: &ChosenFields) -> Option<Choice> {
    let tag = fields.tag.as_ref().map(|tag| tag.iter().collect::<Vec<_>>());
    match (tag.as_deref(), &fields.name) {
        (Some([(key, value)]), None) => Some(Choice::Tag((*key).clone(), (*value).clone())),
        (None, Some(name)) if !name.is_empty() => Some(Choice::Name(name.clone())),
        _ => None,
    }
}

/// What is there already, wherever it may be written.
pub(super) fn existing(document: &Document) -> Vec<(Existing, &ExistingForm)> {
    let network = &document.network;
    let vswitches = network.vswitches.iter();
    let vswitches = vswitches.map(|(name, one)| (Existing::VSwitch(VSwitchName::new(name)), one.id.as_ref()));
    let all = [(Existing::Vpc, network.vpc.id.as_ref())].into_iter().chain(vswitches).chain([
        (Existing::SecurityGroup, network.security_group.id.as_ref()),
        (Existing::LoadBalancer, document.load_balancer.id.as_ref()),
    ]);
    all.filter_map(|(what, form)| Some((what, form?))).collect()
}

fn chosen(document: &Document) -> Vec<Chosen> {
    let chosen = existing(document).into_iter().filter_map(|(what, form)| match form {
        ExistingForm::Id(_) => None,
        ExistingForm::Chosen(fields) => Some(Chosen { what, by: choice(fields)? }),
    });
    chosen.collect()
}

/// A rule in words; the names of instances stand for all of their declaration.
fn admission(text: &str, document: &Document) -> Option<Admission> {
    let written = parse_admission(text, &admitted(document)).ok()?;
    let instances = |is_meant: &dyn Fn(&String, &schema::Instance) -> bool| {
        let meant = document.instances.iter().filter(|(name, instance)| is_meant(name, instance));
        Whom::Instances(meant.map(|(name, _)| InstanceName::new(name)).collect())
    };
    let from = match written.from {
        admission::Whom::Range(range) => Whom::Range(range),
        admission::Whom::LoadBalancer => Whom::LoadBalancer,
        admission::Whom::Nodes => instances(&|name, _| document.node.on.contains(name)),
        admission::Whom::Instance(own) => {
            instances(&|name, instance| name == own || instance.declared == own)
        }
    };
    Some(Admission { flow: written.flow, from })
}

/// The names of instances and of their declarations.
pub(super) fn admitted(document: &Document) -> Vec<&str> {
    let names =
        document.instances.iter().flat_map(|(name, instance)| [name.as_str(), instance.declared.as_str()]);
    let names: BTreeSet<&str> = names.filter(|name| !name.is_empty()).collect();
    names.into_iter().collect()
}

fn vswitch((name, vswitch): (String, schema::VSwitch)) -> (VSwitchName, VSwitch) {
    let value = VSwitch {
        zone: ZoneId::new(vswitch.zone),
        cidr: range(&vswitch.cidr),
        existing: vswitch.id.as_ref().map(existing_id),
    };
    (VSwitchName::new(name), value)
}

/// How a machine is logged into: as it says itself, else as is said of all.
fn login(all: &schema::Ssh, own: Option<&schema::InstanceSsh>) -> Login {
    let user = own.and_then(|own| own.user.as_ref()).or(all.user.as_ref());
    let sudo = own.and_then(|own| own.sudo.as_ref()).or(all.sudo.as_ref());
    Login {
        user: user.map_or_else(|| DEFAULT_USER.to_owned(), Clone::clone),
        port: port(own.and_then(|own| own.port).or(all.port), DEFAULT_SSH_PORT),
        sudo: match sudo {
            None | Some(SudoForm::Plain(false)) => Sudo::No,
            Some(SudoForm::Plain(true)) => Sudo::Free,
            Some(SudoForm::Password(from)) => match (&from.env, &from.file) {
                (Some(name), _) => Sudo::Variable(name.clone()),
                (None, path) => Sudo::File(PathBuf::from(path.clone().unwrap_or_default())),
            },
        },
    }
}

fn instance(
    ((name, instance), login): ((String, schema::Instance), Login),
    (tags, expires): (&BTreeMap<String, String>, Option<ExpiryForm>),
) -> (InstanceName, Instance) {
    let types = if instance.types.is_empty() {
        DEFAULT_TYPES.iter().map(ToString::to_string).collect()
    } else {
        instance.types
    };
    let value = Instance {
        declared: instance.declared,
        vswitch: VSwitchName::new(instance.vswitch.unwrap_or_default()),
        login,
        reach: instance.via.map_or(Reach::Public, |host| Reach::Via(InstanceName::new(host))),
        types,
        image: instance.image.unwrap_or_else(|| DEFAULT_IMAGE.to_owned()),
        disk: instance.disk.as_ref().and_then(DiskForm::size).map_or(DEFAULT_DISK, Gibibytes::count),
        disk_options: instance.disk.map(|form| form.fields()).map(disk_options).unwrap_or_default(),
        data_disks: instance.data_disks.into_iter().map(data_disk).collect(),
        spot: spot(instance.spot),
        user_data: instance.user_data.map(user_data),
        tags: tags.clone().into_iter().chain(instance.tags).collect(),
        expires: instance.expires.or(expires).and_then(ExpiryForm::time),
        protect: instance.protect,
    };
    (InstanceName::new(name), value)
}

fn disk_options(fields: DiskFields) -> DiskOptions {
    DiskOptions {
        category: fields.category.map(|category| category.word().to_owned()),
        performance_level: fields.performance_level.map(|level| level.word().to_owned()),
        encrypted: fields.encrypted,
    }
}

fn data_disk(fields: DataDiskFields) -> DataDisk {
    let DataDiskFields { name, size, category, performance_level, encrypted, delete_with_instance } = fields;
    let options = disk_options(DiskFields { size: None, category, performance_level, encrypted });
    let delete_with_instance = delete_with_instance.unwrap_or(true);
    DataDisk { name, size: size.count(), options, delete_with_instance }
}

fn spot(form: Option<SpotForm>) -> Spot {
    match form {
        None | Some(SpotForm::Plain(false)) => Spot::No,
        Some(SpotForm::Plain(true)) => Spot::MarketPrice,
        Some(SpotForm::Limited(fields)) => Spot::Limited(fields.price_limit.to_string()),
    }
}

fn user_data(form: UserDataForm) -> UserData {
    match form {
        UserDataForm::Text(text) => UserData::Text(text),
        UserDataForm::Template(fields) => UserData::Template { file: fields.file.into(), with: fields.with },
    }
}

fn redis(redis: schema::Redis) -> Redis {
    let number = port(redis.port, DEFAULT_REDIS_PORT);
    let place = match (redis.tair, redis.classic) {
        (Some(tair), _) => RedisPlace::Managed(managed_redis(tair, Series::Tair)),
        (None, Some(classic)) => RedisPlace::Managed(managed_redis(classic, Series::Classic)),
        // Where there is to be one, it has its instance by now.
        (None, None) => match redis.on {
            None => RedisPlace::Absent,
            Some(on) => RedisPlace::OnHost(HostedRedis {
                on: InstanceName::new(on),
                max_memory: redis.max_memory.unwrap_or(256),
                persistence: redis.persistence.unwrap_or(Persistence::AppendOnly),
            }),
        },
    };
    Redis { port: number, place }
}

fn managed_redis(redis: schema::ManagedRedis, series: Series) -> ManagedRedis {
    ManagedRedis {
        series,
        class: redis.class,
        engine: redis.engine.unwrap_or_else(|| DEFAULT_ENGINE.to_owned()),
        vswitch: VSwitchName::new(redis.vswitch.unwrap_or_default()),
        eviction: redis.eviction.unwrap_or(Eviction::Noeviction),
        protect: redis.protect,
    }
}

/// Port and time of an app are its own; the rules see to it that they are written once.
fn node(node: schema::Node, app: Option<&schema::App>) -> Node {
    let mut rollout = rollout(&node.rollout);
    if let Some(within) = app.and_then(|app| app.health.within) {
        rollout.healthy_deadline = within;
    }
    Node {
        on: node.on.into_iter().map(InstanceName::new).collect(),
        port: port(app.and_then(|app| app.port).or(node.port), DEFAULT_NODE_PORT),
        ping_interval: node.ping_interval.unwrap_or(DEFAULT_PING_INTERVAL),
        ping_timeout: node.ping_timeout.unwrap_or(DEFAULT_PING_INTERVAL),
        allowed_origins: node.allowed_origins,
        rollout,
    }
}

fn app(app: schema::App) -> App {
    let variable = |form: EnvironmentForm| match form {
        EnvironmentForm::Text(text) => Variable::Text(text),
        EnvironmentForm::Secret(fields) => match (fields.env, fields.file) {
            (Some(name), _) => Variable::FromVariable(name),
            (None, path) => Variable::FromFile(path.unwrap_or_default().into()),
        },
    };
    App {
        binary: app.binary.into(),
        args: app.args,
        env: app.env.into_iter().map(|(name, form)| (name, variable(form))).collect(),
        health_path: app.health.path.unwrap_or_else(|| DEFAULT_HEALTH_PATH.to_owned()),
    }
}

fn rollout(rollout: &schema::Rollout) -> Rollout {
    let max_parallel = rollout.max_parallel.and_then(|number| u16::try_from(number).ok());
    Rollout {
        max_parallel: max_parallel.unwrap_or(DEFAULT_MAX_PARALLEL),
        min_healthy_time: rollout.min_healthy_time.unwrap_or(DEFAULT_MIN_HEALTHY_TIME),
        healthy_deadline: rollout.healthy_deadline.unwrap_or(DEFAULT_HEALTHY_DEADLINE),
        auto_revert: rollout.auto_revert.unwrap_or(true),
    }
}

fn hooks(hooks: &schema::Hooks) -> Hooks {
    let commands = hooks.by_moment().map(|(moment, commands)| (moment, commands.clone()));
    Hooks { commands: commands.into(), timeout: hooks.timeout.unwrap_or(DEFAULT_HOOK_TIMEOUT) }
}

fn verify(verify: schema::Verify) -> Verify {
    let vantages: Vec<Vantage> = verify.vantages.iter().filter_map(|text| Vantage::parse(text)).collect();
    let path = verify.path.unwrap_or_else(|| "/".to_owned());
    let expect = verify.expect;
    Verify {
        vantages: vantages.try_into().ok(),
        service: match verify.kind.unwrap_or(ServiceKind::Chat) {
            ServiceKind::Chat => Service::Chat,
            ServiceKind::WebsocketEcho => {
                Service::WebsocketEcho { path, send: verify.send, expect: expect.message }
            }
            ServiceKind::Http => Service::Http {
                path,
                status: expect.status.and_then(|number| u16::try_from(number).ok()).unwrap_or(DEFAULT_STATUS),
                body: expect.body,
                headers: expect
                    .headers
                    .into_iter()
                    .map(|(name, value)| (name.to_ascii_lowercase(), value))
                    .collect(),
            },
        },
    }
}

fn load_balancer(load_balancer: schema::LoadBalancer) -> LoadBalancer {
    let listener = load_balancer.listener;
    let protocol = listener.protocol.unwrap_or(Protocol::Http);
    LoadBalancer {
        existing: load_balancer.id.as_ref().map(existing_id),
        vswitches: load_balancer.vswitches.into_iter().map(VSwitchName::new).collect(),
        address: load_balancer.address.unwrap_or(Address::Internet),
        edition: load_balancer.edition.unwrap_or(Edition::Basic),
        protect: load_balancer.protect,
        listener: Listener {
            protocol,
            port: port(listener.port, default_listener_port(protocol)),
            idle_timeout: listener.idle_timeout.unwrap_or(DEFAULT_LISTENER_TIMEOUT),
            request_timeout: listener.request_timeout.unwrap_or(DEFAULT_LISTENER_TIMEOUT),
            certificate: listener.certificate.map(certificate),
        },
        redirect_from: load_balancer.redirect_from.and_then(|port| u16::try_from(port).ok()),
    }
}

fn certificate(form: CertificateForm) -> Certificate {
    match form {
        CertificateForm::Id(id) => Certificate::Id(id),
        CertificateForm::Fields(fields) => match (fields.file, fields.key) {
            (Some(chain), Some(key)) => Certificate::Files { chain: chain.into(), key: key.into() },
            (Some(_), None) | (None, _) => Certificate::SelfSigned,
        },
    }
}

/// 5000 as in the tutorial, or 443.
pub(super) fn default_listener_port(protocol: Protocol) -> u16 {
    match protocol {
        Protocol::Http => 5000,
        Protocol::Https => 443,
    }
}

fn dns(dns: Option<schema::Dns>) -> Dns {
    let (domain, host, ttl) = dns.map_or((String::new(), None, None), |dns| (dns.domain, dns.host, dns.ttl));
    Dns { domain, host: host.unwrap_or_else(|| "@".to_owned()), ttl: ttl.unwrap_or(DEFAULT_TTL) }
}

fn port(written: Option<i64>, default: u16) -> u16 {
    written.and_then(|port| u16::try_from(port).ok()).unwrap_or(default)
}

fn range(text: &str) -> Ipv4Net {
    parse_range(text).unwrap_or_else(|| Ipv4Net::from(Ipv4Addr::UNSPECIFIED))
}

/// A range, or a single address as a /32; host bits must be zero.
pub(super) fn parse_range(text: &str) -> Option<Ipv4Net> {
    let range = text.parse::<Ipv4Net>().ok().or_else(|| text.parse::<Ipv4Addr>().ok().map(Ipv4Net::from))?;
    (range.addr() == range.network()).then_some(range)
}
