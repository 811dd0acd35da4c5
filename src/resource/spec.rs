//! What a resource shall be.
//!
//! Each spec is typed; for comparing and showing, [`Spec::wanted`] gives its fields as text or as references to
//! other resources. What is compared is thus what is shown.

mod app;
mod front;
mod redis;

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

pub use self::app::AppSpec;
pub use self::front::{
    CertificateOrigin, CertificateSpec, ListenerCertificate, ListenerRuleSpec, ListenerSpec,
};
pub use self::redis::{RedisAccess, RedisAccountSpec, RedisInstanceSpec, Series};
use crate::base::disk::{DataDisk, DiskOptions};
use crate::base::expiry::{self, NEVER};
use crate::base::flow::Flow;
use crate::base::ids::{CloudId, InstanceName};
use crate::base::spot::Spot;
use crate::base::word::{self, Word};
use crate::resource::disks;
use crate::resource::observed::{Output, range_of};
use crate::resource::settings::settings;
use crate::resource::{Kind, ResourceAddress};

/// What a field shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// This.
    Exactly(String),
    /// Any of these; the first is taken when there is none yet.
    OneOf(Vec<String>),
    /// What other resources turn out to be; their outputs, sorted and joined by commas.
    Outputs(Vec<ResourceAddress>, Output),
    /// What refresh worked out from the hosts' addresses and the release's files.
    Computed,
}

/// Where a resource comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Made by us.
    Created,
    /// There before us, named by id; never changed or deleted.
    Existing(CloudId),
}

/// What a resource shall be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spec {
    /// A network.
    Vpc(VpcSpec),
    /// A vSwitch.
    VSwitch(VSwitchSpec),
    /// A security group.
    SecurityGroup(SecurityGroupSpec),
    /// A rule.
    SecurityRule(SecurityRuleSpec),
    /// A key pair.
    KeyPair(KeyPairSpec),
    /// A machine.
    Instance(InstanceSpec),
    /// A pinned host key.
    HostKey(HostSpec),
    /// Redis on a machine.
    Redis(RedisSpec),
    /// A managed Redis.
    RedisInstance(RedisInstanceSpec),
    /// The nodes' account of a managed Redis.
    RedisAccount(RedisAccountSpec),
    /// A load balancer.
    LoadBalancer(LoadBalancerSpec),
    /// A server group.
    ServerGroup(ServerGroupSpec),
    /// A chat node on a machine.
    Release(ReleaseSpec),
    /// A machine in the group.
    Server(ServerSpec),
    /// A certificate.
    Certificate(CertificateSpec),
    /// A listener.
    Listener(ListenerSpec),
    /// A rule of a listener.
    ListenerRule(ListenerRuleSpec),
    /// A DNS record.
    Record(RecordSpec),
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcSpec {
    /// Where it comes from.
    pub source: Source,
    /// Its range; unknown for one that was there before.
    pub cidr: Option<Ipv4Net>,
}

/// A vSwitch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VSwitchSpec {
    /// Where it comes from.
    pub source: Source,
    /// Its zone.
    pub zone: String,
    /// Its range.
    pub cidr: Ipv4Net,
}

/// A security group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroupSpec {
    /// Where it comes from.
    pub source: Source,
}

/// Who a rule lets in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Peer {
    /// A range.
    Range(Ipv4Net),
    /// One instance, by its private address.
    Instance(InstanceName),
}

impl Peer {
    /// The machine it is, if it is one.
    pub fn machine(&self) -> Option<ResourceAddress> {
        match self {
            Self::Range(_) => None,
            Self::Instance(name) => Some(ResourceAddress::new(Kind::Instance, name)),
        }
    }

    /// The source of its rule, as the cloud has it; none while nobody knows the private address of a machine.
    pub fn source(&self, private_address: impl FnOnce(&ResourceAddress) -> Option<String>) -> Option<String> {
        match self {
            Self::Range(range) => Some(range.to_string()),
            Self::Instance(_) => Some(range_of(&private_address(&self.machine()?)?)),
        }
    }
}

/// A rule that lets something in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityRuleSpec {
    /// What.
    pub flow: Flow,
    /// From there.
    pub from: Peer,
    /// Says whose rule it is, and which.
    pub description: String,
}

/// A key pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPairSpec {
    /// Public key in OpenSSH form.
    pub public_key: String,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceSpec {
    /// Its vSwitch.
    pub vswitch: ResourceAddress,
    /// Types, first choice first.
    pub types: Vec<String>,
    /// Image family. A newer image of the same family is no change.
    pub image: String,
    /// System disk in GiB.
    pub disk: u32,
    /// What it is made as.
    #[serde(default, skip_serializing_if = "DiskOptions::is_default")]
    pub disk_options: DiskOptions,
    /// Disks beside it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data_disks: Vec<DataDisk>,
    /// Whether it has a public address.
    pub exposure: Exposure,
    /// How long it lives, when not for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Duration>,
    /// Whether the cloud may take it back.
    #[serde(default)]
    pub spot: Spot,
    /// A digest of what it is told at its first start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data: Option<String>,
}

/// Stands for the digest where an instance is told nothing.
pub const NO_USER_DATA: &str = "none";

/// The field of how long a machine lives.
pub const EXPIRES: &str = "expires";

/// Whether a machine has a public address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exposure {
    /// It has one.
    Public,
    /// It is in the VPC only.
    Private,
}

impl Exposure {
    /// That of a machine that is reached at a public address, or is not.
    pub fn of(is_public: bool) -> Self {
        if is_public { Self::Public } else { Self::Private }
    }

    /// Mbit/s out to the Internet it is made with; traffic is what is paid. 0 gives no public address.
    pub fn bandwidth(self) -> u32 {
        match self {
            Self::Public => 10,
            Self::Private => 0,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
        }
    }
}

/// How a machine is logged into: a chain of machines, the first public, the last the one meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSpec {
    /// From the outside in.
    pub route: Vec<InstanceName>,
    /// Login name.
    pub user: String,
    /// The id of the machine meant, when it is deposed: its successor has the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deposed: Option<CloudId>,
}

impl HostSpec {
    /// The machine meant.
    ///
    /// # Panics
    /// Never: a route has at least the machine itself.
    pub fn instance(&self) -> &InstanceName {
        self.route.last().expect("a route has at least the machine itself")
    }

    /// The address of what is on the machine meant, or of the machine itself.
    pub fn address(&self, kind: Kind) -> ResourceAddress {
        ResourceAddress { deposed: self.deposed.clone(), ..ResourceAddress::new(kind, self.instance()) }
    }
}

/// Redis on a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedisSpec {
    /// Where.
    pub host: HostSpec,
    /// Its port.
    pub port: u16,
    /// MiB.
    pub max_memory: u32,
    /// Whether it survives a restart.
    pub persistence: Persistence,
    /// The machines whose nodes talk through it, and the nodes' port: a new Redis is done when they are back.
    pub nodes: Vec<HostSpec>,
    /// The nodes' port.
    pub node_port: u16,
    /// The path that a node answers when it is ready.
    #[serde(default = "ready_path")]
    pub node_health: String,
}

/// The path that the chat node answers when it is ready.
pub const READY_PATH: &str = "/readyz";

fn ready_path() -> String {
    READY_PATH.to_owned()
}

/// What of Redis survives a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Persistence {
    /// Nothing.
    None,
    /// Everything but the last second.
    AppendOnly,
}

/// A load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancerSpec {
    /// Where it comes from.
    pub source: Source,
    /// Zone and vSwitch.
    pub zones: Vec<(String, ResourceAddress)>,
    /// `Internet` or `Intranet`.
    #[serde(deserialize_with = "word::deserialize")]
    pub address_type: Word,
    /// `Basic` or `Standard`.
    #[serde(deserialize_with = "word::deserialize")]
    pub edition: Word,
}

/// A server group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerGroupSpec {
    /// Path that is probed with HEAD.
    pub health_path: String,
}

/// A chat node on a machine, or an app in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseSpec {
    /// Where.
    pub host: HostSpec,
    /// Its port.
    pub port: u16,
    /// The Redis it talks through.
    pub redis: RedisAccess,
    /// Redis' port.
    pub redis_port: u16,
    /// How often it pings.
    pub ping_interval: Duration,
    /// How long it waits for the answer.
    pub ping_timeout: Duration,
    /// Other origins that may connect.
    pub allowed_origins: Vec<String>,
    /// Where the load balancer comes from, whose word for its clients' addresses is taken.
    pub trusted_proxies: Vec<Ipv4Net>,
    /// With how much care another release is put in force.
    pub rollout: RolloutSpec,
    /// What runs in place of the chat node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<Box<AppSpec>>,
    /// A release that the host has kept and that is to be in force, in place of the one that follows from the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
}

/// With how much care another release is put on a node that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutSpec {
    /// How many nodes may be away at once.
    pub max_parallel: u16,
    /// How long a release must have been ready before it counts.
    pub min_healthy_time: Duration,
    /// By when it must count.
    pub healthy_deadline: Duration,
    /// Whether the release before comes back where it does not.
    pub auto_revert: bool,
}

/// A machine in the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerSpec {
    /// The machine.
    pub instance: InstanceName,
    /// Port traffic goes to.
    pub port: u16,
}

/// A DNS record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordSpec {
    /// Domain of the account.
    pub domain: String,
    /// Host record.
    pub host: String,
    /// Seconds.
    pub ttl: u32,
    /// Says whose record it is.
    pub remark: String,
}

impl Spec {
    /// What kind it is the spec of.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Vpc(_) => Kind::Vpc,
            Self::VSwitch(_) => Kind::VSwitch,
            Self::SecurityGroup(_) => Kind::SecurityGroup,
            Self::SecurityRule(_) => Kind::SecurityRule,
            Self::KeyPair(_) => Kind::KeyPair,
            Self::Instance(_) => Kind::Instance,
            Self::HostKey(_) => Kind::HostKey,
            Self::Redis(_) => Kind::Redis,
            Self::RedisInstance(_) => Kind::RedisInstance,
            Self::RedisAccount(_) => Kind::RedisAccount,
            Self::LoadBalancer(_) => Kind::LoadBalancer,
            Self::ServerGroup(_) => Kind::ServerGroup,
            Self::Release(_) => Kind::Release,
            Self::Server(_) => Kind::Server,
            Self::Certificate(_) => Kind::Certificate,
            Self::Listener(_) => Kind::Listener,
            Self::ListenerRule(_) => Kind::ListenerRule,
            Self::Record(_) => Kind::Record,
        }
    }

    /// How a machine is logged into, when this is about one's host key.
    pub fn host_key(&self) -> Option<&HostSpec> {
        if let Self::HostKey(host) = self { Some(host) } else { None }
    }

    /// An account of a managed Redis.
    pub fn account(&self) -> Option<&RedisAccountSpec> {
        if let Self::RedisAccount(account) = self { Some(account) } else { None }
    }

    /// The image family of a machine.
    pub fn image(&self) -> Option<&str> {
        if let Self::Instance(instance) = self { Some(&instance.image) } else { None }
    }

    /// What a release's Redis is: the machine and the Redis on it, or the managed one and its account.
    pub fn redis(&self) -> Vec<ResourceAddress> {
        let Self::Release(release) = self else { return Vec::new() };
        match &release.redis {
            RedisAccess::OnHost { instance, .. } => {
                [Kind::Instance, Kind::Redis].map(|kind| ResourceAddress::new(kind, instance)).into()
            }
            RedisAccess::Managed(_) => {
                [Kind::RedisInstance, Kind::RedisAccount].map(ResourceAddress::only).into()
            }
            RedisAccess::Absent => Vec::new(),
        }
    }

    /// The id of a resource that was there before us.
    pub fn existing(&self) -> Option<&CloudId> {
        let source = match self {
            Self::Vpc(spec) => &spec.source,
            Self::VSwitch(spec) => &spec.source,
            Self::SecurityGroup(spec) => &spec.source,
            Self::LoadBalancer(spec) => &spec.source,
            Self::SecurityRule(_)
            | Self::KeyPair(_)
            | Self::Instance(_)
            | Self::HostKey(_)
            | Self::Redis(_)
            | Self::RedisInstance(_)
            | Self::RedisAccount(_)
            | Self::ServerGroup(_)
            | Self::Release(_)
            | Self::Server(_)
            | Self::Certificate(_)
            | Self::Listener(_)
            | Self::ListenerRule(_)
            | Self::Record(_) => return None,
        };
        match source {
            Source::Created => None,
            Source::Existing(id) => Some(id),
        }
    }

    /// Its fields, for comparing and showing.
    pub fn wanted(&self) -> BTreeMap<&'static str, Wanted> {
        if self.existing().is_some() {
            return BTreeMap::new();
        }
        let mut wanted = self.by_topology();
        wanted.extend(settings(self));
        wanted
    }

    fn by_topology(&self) -> BTreeMap<&'static str, Wanted> {
        match self {
            Self::Vpc(spec) => {
                spec.cidr.iter().map(|cidr| ("cidr", Wanted::Exactly(cidr.to_string()))).collect()
            }
            Self::VSwitch(spec) => BTreeMap::from([
                ("vpc", the(Kind::Vpc)),
                ("zone", Wanted::Exactly(spec.zone.clone())),
                ("cidr", Wanted::Exactly(spec.cidr.to_string())),
            ]),
            Self::SecurityGroup(_) => BTreeMap::from([("vpc", the(Kind::Vpc))]),
            Self::SecurityRule(spec) => spec.wanted(),
            // Any key pair of the stack will do: a second operator's key is added on the machines.
            Self::KeyPair(_) | Self::HostKey(_) => BTreeMap::new(),
            Self::Instance(spec) => spec.wanted(),
            Self::Redis(_) => BTreeMap::from([
                ("configuration", Wanted::Computed),
                ("service", Wanted::Exactly("active".to_owned())),
            ]),
            Self::RedisInstance(spec) => spec.wanted(),
            Self::RedisAccount(_) => BTreeMap::from([("instance", the(Kind::RedisInstance))]),
            Self::LoadBalancer(spec) => spec.wanted(),
            Self::ServerGroup(spec) => BTreeMap::from([
                ("vpc", the(Kind::Vpc)),
                ("health_path", Wanted::Exactly(spec.health_path.clone())),
            ]),
            Self::Release(_) => BTreeMap::from([
                ("release", Wanted::Computed),
                ("service", Wanted::Exactly("active".to_owned())),
            ]),
            Self::Server(spec) => BTreeMap::from([
                ("group", the(Kind::ServerGroup)),
                ("instance", id_of(ResourceAddress::new(Kind::Instance, &spec.instance))),
                ("port", Wanted::Exactly(spec.port.to_string())),
            ]),
            Self::Certificate(spec) => spec.wanted(),
            Self::Listener(spec) => spec.wanted(),
            Self::ListenerRule(spec) => spec.wanted(),
            Self::Record(spec) => BTreeMap::from([
                ("name", Wanted::Exactly(format!("{} {}", spec.host, spec.domain))),
                ("value", Wanted::Outputs(vec![ResourceAddress::only(Kind::LoadBalancer)], Output::DnsName)),
                ("ttl", Wanted::Exactly(spec.ttl.to_string())),
                ("remark", Wanted::Exactly(spec.remark.clone())),
            ]),
        }
    }
}

impl SecurityRuleSpec {
    fn wanted(&self) -> BTreeMap<&'static str, Wanted> {
        let from = match &self.from {
            Peer::Range(range) => Wanted::Exactly(range.to_string()),
            Peer::Instance(_) => {
                Wanted::Outputs(self.from.machine().into_iter().collect(), Output::PrivateAddress)
            }
        };
        BTreeMap::from([
            ("group", the(Kind::SecurityGroup)),
            ("protocol", Wanted::Exactly(self.flow.protocol().to_owned())),
            ("port", Wanted::Exactly(self.flow.ports())),
            ("from", from),
            ("description", Wanted::Exactly(self.description.clone())),
        ])
    }
}

impl InstanceSpec {
    fn wanted(&self) -> BTreeMap<&'static str, Wanted> {
        let own = BTreeMap::from([
            ("vswitch", id_of(self.vswitch.clone())),
            ("type", Wanted::OneOf(self.types.clone())),
            ("image", Wanted::Exactly(self.image.clone())),
            ("exposure", Wanted::Exactly(self.exposure.word().to_owned())),
            ("spot", Wanted::Exactly(self.spot.word())),
            ("user_data", Wanted::Exactly(self.user_data.clone().unwrap_or_else(|| NO_USER_DATA.to_owned()))),
            (EXPIRES, Wanted::Exactly(self.expires.map_or_else(|| NEVER.to_owned(), expiry::words))),
            ("security_group", the(Kind::SecurityGroup)),
            ("status", Wanted::Exactly("Running".to_owned())),
        ]);
        own.into_iter().chain(disks::wanted(self)).collect()
    }
}

impl LoadBalancerSpec {
    fn wanted(&self) -> BTreeMap<&'static str, Wanted> {
        let vswitches = self.zones.iter().map(|(_, vswitch)| vswitch.clone()).collect();
        BTreeMap::from([
            ("vswitches", Wanted::Outputs(vswitches, Output::Id)),
            ("address_type", Wanted::Exactly(self.address_type.to_owned())),
            ("edition", Wanted::Exactly(self.edition.to_owned())),
        ])
    }
}

fn the(kind: Kind) -> Wanted {
    id_of(ResourceAddress::only(kind))
}

fn id_of(address: ResourceAddress) -> Wanted {
    Wanted::Outputs(vec![address], Output::Id)
}
