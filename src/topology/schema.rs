//! What the YAML may say: shapes and defaults, no rules.
//!
//! Every field's meaning, unit, range and default stands here; `examples/chatroom.yaml` shows them in use.

mod instance;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

pub use crate::topology::app::EnvironmentForm;
use crate::topology::duration::Seconds;
pub use crate::topology::existing::{ChosenFields, ExistingForm};
pub use crate::topology::expiry::ExpiryForm;
use crate::topology::json_schema::Scalar;
pub use crate::topology::json_schema::VariableForm;
pub use crate::topology::login::{HostKeysForm, KeyForm, PasswordFields, SudoForm};
use crate::topology::model::Moment;
pub use crate::topology::schema::instance::{
    Access, DataDiskFields, DiskFields, DiskForm, Instance, InstanceSsh, SpotForm, UserDataForm,
};

/// A whole topology file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Document {
    /// Variables of this file, by name: a default, or `{ type: number, default: 5000, description: the port }`.
    /// `${NAME}` puts one anywhere into a value; `--var` and `--vars` give them other values.
    #[serde(default)]
    pub variables: BTreeMap<String, VariableForm>,
    /// Name of the stack: 2 to 30 lower-case letters, digits and hyphens, beginning with a letter.
    pub stack: String,
    /// Region, such as `cn-hangzhou`.
    pub region: String,
    /// The network; everything in it has a default but the zones.
    pub network: Network,
    /// How machines are logged into.
    pub ssh: Ssh,
    /// Machines by name. Default: `ecs01` and `ecs02` (public, in the first two vSwitches) and `ecs03` via `ecs01`.
    #[serde(default)]
    pub instances: BTreeMap<String, Instance>,
    /// Redis, which carries messages between the nodes. Default: on the last instance.
    #[serde(default)]
    pub redis: Redis,
    /// The chat node. Default: on every instance that does not have Redis.
    #[serde(default)]
    pub node: Node,
    /// A server of your own in place of the chat node, on the same instances. It has a Redis only if one is written.
    pub app: Option<App>,
    /// The ALB and its listener.
    #[serde(default)]
    pub load_balancer: LoadBalancer,
    /// The name people open. Required: an ALB made since late 2024 refuses its own name.
    pub dns: Option<Dns>,
    /// Tags of everything the stack makes that can have some, by key: `{ team: chat }`. Keys have 1 to 128 characters,
    /// values too; 13 of them at most, since a resource has 20 and Albatross needs some. Default: none.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Scalar>")]
    pub tags: BTreeMap<String, String>,
    /// How long instances live: the cloud releases each that long after it was made, or after `apply --extend`; 30m to
    /// 1095d. What is beside them stays, and is paid. Default: `never`.
    pub expires: Option<ExpiryForm>,
    /// Whether servers, rules and listeners that others put into what this stack made are removed; default `false`:
    /// they are shown and kept.
    #[serde(default)]
    pub exclusive: bool,
    /// Whether plans that would delete or replace anything of the stack are refused; default `false`.
    #[serde(default)]
    pub protect: bool,
    /// Where the state is that several people share: `oss://BUCKET/PREFIX`, with `?region=REGION` behind it when the bucket
    /// is not in the region of the stack. Default: in the state folder of this machine alone.
    pub state: Option<String>,
    /// Addresses of products that are not asked at their official hosts, by product: `ecs: https://ecs.example.com`.
    #[serde(default)]
    pub endpoints: BTreeMap<String, String>,
    /// Commands of the operator's machine, run before and after what Albatross does.
    #[serde(default)]
    pub hooks: Hooks,
    /// What `verify` expects, and from where it looks.
    #[serde(default)]
    pub verify: Verify,
    /// What `outputs` and the end of `apply` show beside all else, by name: texts with what is known when everything is
    /// made, such as `${instances.ecs01.public_address}`.
    #[serde(default)]
    pub outputs: BTreeMap<String, String>,
}

/// The network.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Network {
    /// The VPC; default: one is made with `192.168.0.0/16`.
    #[serde(default)]
    pub vpc: Vpc,
    /// Short form of `vswitches`: one is made in each zone, named `a`, `b`, ..., with a /24 of the VPC each.
    #[serde(default)]
    pub zones: Vec<String>,
    /// vSwitches by name.
    #[serde(default)]
    pub vswitches: BTreeMap<String, VSwitch>,
    /// The security group of all instances; default: one is made.
    #[serde(default)]
    pub security_group: SecurityGroup,
}

/// A VPC to make or to use.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Vpc {
    /// Address range of a VPC to make, /8 to /28; default `192.168.0.0/16`.
    pub cidr: Option<String>,
    /// An existing VPC, which is then never changed or deleted: its id, or what it is chosen by, `{ tag: { team: network } }`
    /// or `{ name: shared }`.
    pub id: Option<ExistingForm>,
}

/// A vSwitch to make or to use.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct VSwitch {
    /// Its zone, such as `cn-hangzhou-h`.
    pub zone: String,
    /// Its address range, /16 to /29, inside the VPC's.
    pub cidr: String,
    /// An existing vSwitch, which is then never changed or deleted; zone and range must be its own. As `vpc.id`.
    pub id: Option<ExistingForm>,
}

/// A security group to make or to use.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct SecurityGroup {
    /// An existing group: rules are added to it and removed again, the group itself is never deleted. As `vpc.id`.
    pub id: Option<ExistingForm>,
    /// What is let in beside what the stack needs, in words: `tcp 8000-8100 from 10.0.0.0/8`, `icmp from anywhere`,
    /// `9100 from bus`, `ssh from 203.0.113.7`, `8080 from load balancer`, `6380 from nodes`; default: nothing.
    #[serde(default)]
    pub allow: Vec<String>,
}

/// How machines are logged into.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Ssh {
    /// Address ranges SSH is opened to. Required, no default: nobody should open SSH to the world by accident.
    pub allow_from: Vec<String>,
    /// The operator's key: the path of a private key, `agent`, or `{ agent: FINGERPRINT }`; default: one made once in
    /// the user's configuration folder.
    pub key: Option<KeyForm>,
    /// Who logs in; default `root`. Anybody else needs `sudo`, and has to be there already.
    pub user: Option<String>,
    /// Port of the SSH servers, 1 to 65535; default 22.
    #[schemars(range(min = 1, max = 65_535))]
    pub port: Option<i64>,
    /// How commands are run as root: `false`, `true`, or where the password for it is; default `false`.
    pub sudo: Option<SudoForm>,
    /// Who says which host key is right; default `control-plane`.
    #[serde(default)]
    pub host_keys: HostKeysForm,
}

/// Redis: on an instance, or managed by the cloud as `tair` or `classic`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Redis {
    /// Instance it runs on.
    pub on: Option<String>,
    /// A Tair instance in its place: Redis by Alibaba Cloud, in memory.
    pub tair: Option<ManagedRedis>,
    /// A Redis instance of the cloud in its place.
    pub classic: Option<ManagedRedis>,
    /// 1 to 65535, managed from 1024; default 6379.
    #[schemars(range(min = 1, max = 65_535))]
    pub port: Option<i64>,
    /// MiB, at least 16; default 256. A managed one has what its class says.
    #[schemars(range(min = 16))]
    pub max_memory: Option<u32>,
    /// What survives a restart; default `append-only`. A managed one keeps all.
    pub persistence: Option<Persistence>,
}

impl Redis {
    /// Whether anything of it is written.
    pub fn is_written(&self) -> bool {
        let is_on_host = self.on.is_some() || self.max_memory.is_some() || self.persistence.is_some();
        is_on_host || self.port.is_some() || self.managed().is_some()
    }

    /// The managed one, and the field it is written in.
    pub fn managed(&self) -> Option<(&'static str, &ManagedRedis)> {
        let tair = self.tair.as_ref().map(|own| ("tair", own));
        tair.or_else(|| self.classic.as_ref().map(|own| ("classic", own)))
    }
}

/// A managed Redis, paid by use.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct ManagedRedis {
    /// Instance class, which decides memory and price: `tair.rdb.1g`, `redis.master.small.default`. Required.
    pub class: String,
    /// Version of Redis it speaks: `5.0`, `6.0` or `7.0` for Tair and cloud-native classes, `5.0` for others; default
    /// `5.0`. Older ones have no Streams.
    #[schemars(with = "Option<Scalar>")]
    pub engine: Option<String>,
    /// Name of its vSwitch, which decides its zone; default: that of the first node.
    pub vswitch: Option<String>,
    /// What goes when its memory is full; default `noeviction`: nothing, and messages are refused.
    pub eviction: Option<Eviction>,
    /// Whether plans that would delete or replace it are refused; default `false`.
    #[serde(default)]
    pub protect: bool,
}

/// What goes when the memory of a managed Redis is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Eviction {
    /// Nothing: writes are refused.
    Noeviction,
    /// What expires and was used least recently.
    VolatileLru,
    /// What expires and is used least often.
    VolatileLfu,
    /// What expires next.
    VolatileTtl,
    /// Anything that expires.
    VolatileRandom,
}

impl Eviction {
    /// As the cloud writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Noeviction => "noeviction",
            Self::VolatileLru => "volatile-lru",
            Self::VolatileLfu => "volatile-lfu",
            Self::VolatileTtl => "volatile-ttl",
            Self::VolatileRandom => "volatile-random",
        }
    }
}

/// What of Redis survives a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Persistence {
    /// Nothing.
    None,
    /// Everything but the last second.
    AppendOnly,
}

/// The chat node.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Node {
    /// Instances it runs on.
    #[serde(default)]
    pub on: Vec<String>,
    /// 1 to 65535; default 5000.
    #[schemars(range(min = 1, max = 65_535))]
    pub port: Option<i64>,
    /// How often it pings its clients; default 10 s. Must be shorter than the listener's timeouts.
    pub ping_interval: Option<Seconds>,
    /// How long a client may take to answer a ping; default 10 s.
    pub ping_timeout: Option<Seconds>,
    /// Web origins other than its own whose pages may connect.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// How another release is put on nodes that run.
    #[serde(default)]
    pub rollout: Rollout,
}

/// A server of your own in place of the chat node: any program for Linux that listens on a port.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct App {
    /// The program, a file of this machine; relative to the topology's file. Required.
    pub binary: String,
    /// Its arguments, as they are: no shell reads them.
    #[serde(default)]
    pub args: Vec<String>,
    /// Variables of its environment: a text, or where a secret is: `{ env: NAME }`, `{ file: PATH }`. Beside these it
    /// has `HOST` and `PORT`, where it is to listen, and `REDIS_URL` if the topology has a Redis.
    #[serde(default)]
    pub env: BTreeMap<String, EnvironmentForm>,
    /// The port it listens on, 1 to 65535; default 5000.
    #[schemars(range(min = 1, max = 65_535))]
    pub port: Option<i64>,
    /// How it is found out whether it is well.
    #[serde(default)]
    pub health: Health,
}

/// How it is found out whether an app is well.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Health {
    /// The path that it answers with a status of 200 to 299 while it is well, to GET and to HEAD; default `/healthz`.
    pub path: Option<String>,
    /// By when it must answer after its start: 1s to 1h; default 1m.
    pub within: Option<Seconds>,
}

/// How another release is put on nodes that run, in the words of Nomad's `update`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Rollout {
    /// How many nodes are away at once: 1 to one less than there are; default 1.
    #[schemars(range(min = 1))]
    pub max_parallel: Option<i64>,
    /// How long a release must have been ready before it counts, and the next node goes: 0s to 1h; default 10s.
    pub min_healthy_time: Option<Seconds>,
    /// By when it must count: longer than `min_healthy_time`, 1h at most; default 1m.
    pub healthy_deadline: Option<Seconds>,
    /// Whether the release before comes back on a node where the other one does not become ready; default `true`.
    pub auto_revert: Option<bool>,
}

/// The ALB.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct LoadBalancer {
    /// An existing ALB: a listener is added to it and removed again, the ALB itself is never deleted. As `vpc.id`.
    pub id: Option<ExistingForm>,
    /// vSwitches it has addresses in, in two zones or more; default: all.
    #[serde(default)]
    pub vswitches: Vec<String>,
    /// Default `internet`.
    pub address: Option<Address>,
    /// Default `basic`.
    pub edition: Option<Edition>,
    /// Whether plans that would delete or replace the ALB are refused; default `false`.
    #[serde(default)]
    pub protect: bool,
    /// What it listens on.
    #[serde(default)]
    pub listener: Listener,
    /// Port on which plain HTTP is answered with a redirect to the listener, 80 as a rule; only with https; default:
    /// none.
    #[schemars(range(min = 1, max = 65_535))]
    pub redirect_from: Option<i64>,
}

/// Who can reach the ALB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Address {
    /// Everybody.
    Internet,
    /// The VPC only.
    Intranet,
}

impl Address {
    /// As the cloud writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Internet => "Internet",
            Self::Intranet => "Intranet",
        }
    }
}

/// Edition of the ALB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Edition {
    /// No connection draining or slow start.
    Basic,
    /// All of it.
    Standard,
}

impl Edition {
    /// As the cloud writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Basic => "Basic",
            Self::Standard => "Standard",
        }
    }
}

/// What the ALB listens on.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Listener {
    /// Default `http`.
    pub protocol: Option<Protocol>,
    /// 1 to 65535; default 5000 for http, 443 for https.
    #[schemars(range(min = 1, max = 65_535))]
    pub port: Option<i64>,
    /// A silent connection is cut after this: 1 to 600 s; default 60 s (the cloud's own default is 15 s).
    pub idle_timeout: Option<Seconds>,
    /// A node that does not answer within this gives 504: 1 to 600 s; default 60 s.
    pub request_timeout: Option<Seconds>,
    /// The server certificate; required for https.
    pub certificate: Option<CertificateForm>,
}

/// A server certificate: the id of one that the certificate service has, `<number>-<region>`, or fields.
#[derive(Debug, Clone)]
pub enum CertificateForm {
    /// Named by id, and then never changed or deleted.
    Id(String),
    /// Brought along, or made.
    Fields(CertificateFields),
}

/// A certificate that is uploaded; paths are relative to the topology's file.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct CertificateFields {
    /// The chain in PEM, the server's certificate first.
    pub file: Option<String>,
    /// Its private key in PEM, readable by its owner only.
    pub key: Option<String>,
    /// `true`: one is made that nobody else has signed, for tests.
    #[serde(default)]
    pub self_signed: bool,
}

impl<'de> Deserialize<'de> for CertificateForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CertificateVisitor)
    }
}

struct CertificateVisitor;

impl<'de> Visitor<'de> for CertificateVisitor {
    type Value = CertificateForm;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the id of a certificate, or `{ file: chain.pem, key: key.pem }`")
    }

    fn visit_str<E: de::Error>(self, id: &str) -> Result<CertificateForm, E> {
        Ok(CertificateForm::Id(id.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<CertificateForm, A::Error> {
        CertificateFields::deserialize(MapAccessDeserializer::new(access)).map(CertificateForm::Fields)
    }
}

/// What a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Plain HTTP and ws.
    Http,
    /// TLS and wss.
    Https,
}

impl Protocol {
    /// The scheme of its addresses.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port its addresses do not name.
    pub fn own_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The name people open.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Dns {
    /// A domain of this account.
    pub domain: String,
    /// Host record; default `@`, the domain itself.
    pub host: Option<String>,
    /// Seconds, 1 to 86400; default 600.
    #[schemars(range(min = 1, max = 86_400))]
    pub ttl: Option<u32>,
}

/// Commands of the operator's machine, each a list of words: a program and its arguments. No shell reads them. They run
/// in the folder of the topology, one after another; one that fails stops what comes behind it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Hooks {
    /// Before `apply` changes anything, when it has something to change.
    #[serde(default)]
    pub before_apply: Vec<Vec<String>>,
    /// When `apply` has made everything so.
    #[serde(default)]
    pub after_apply: Vec<Vec<String>>,
    /// As `before_apply`, for `deploy`.
    #[serde(default)]
    pub before_deploy: Vec<Vec<String>>,
    /// As `after_apply`, for `deploy`.
    #[serde(default)]
    pub after_deploy: Vec<Vec<String>>,
    /// As `before_apply`, for `rollback`.
    #[serde(default)]
    pub before_rollback: Vec<Vec<String>>,
    /// As `after_apply`, for `rollback`.
    #[serde(default)]
    pub after_rollback: Vec<Vec<String>>,
    /// As `before_apply`, for `destroy`.
    #[serde(default)]
    pub before_destroy: Vec<Vec<String>>,
    /// When `destroy` has removed everything that was asked for.
    #[serde(default)]
    pub after_destroy: Vec<Vec<String>>,
    /// How long each command may take: 1s to 1h; default 5m.
    pub timeout: Option<Seconds>,
}

impl Document {
    /// Whether there is a Redis: an app has one only if it is written.
    pub fn has_redis(&self) -> bool {
        self.app.is_none() || self.redis.is_written()
    }
}

impl Hooks {
    /// Each moment's commands.
    pub fn by_moment(&self) -> [(Moment, &Vec<Vec<String>>); 8] {
        [
            (Moment::BeforeApply, &self.before_apply),
            (Moment::AfterApply, &self.after_apply),
            (Moment::BeforeDeploy, &self.before_deploy),
            (Moment::AfterDeploy, &self.after_deploy),
            (Moment::BeforeRollback, &self.before_rollback),
            (Moment::AfterRollback, &self.after_rollback),
            (Moment::BeforeDestroy, &self.before_destroy),
            (Moment::AfterDestroy, &self.after_destroy),
        ]
    }
}

/// What `verify` expects, and from where it looks.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Verify {
    /// The two places that its two clients connect from: `local` is this machine, `ssh:INSTANCE` one of the stack's,
    /// through its SSH server. Default: this machine, and the first instance that is reached directly.
    #[serde(default)]
    pub vantages: Vec<String>,
    /// What is served; default `chat`.
    pub kind: Option<ServiceKind>,
    /// What is asked for, with `http` or `websocket-echo`; default `/`.
    pub path: Option<String>,
    /// What a client says, with `websocket-echo`; default: something that nobody has said before.
    pub send: Option<String>,
    /// What has to come.
    #[serde(default)]
    pub expect: Expect,
}

/// What is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceKind {
    /// The chatroom.
    Chat,
    /// A WebSocket that says something back.
    WebsocketEcho,
    /// Pages.
    Http,
}

/// What has to come.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Expect {
    /// Status of a page, with `http`: 200 to 599; default 200.
    #[schemars(range(min = 200, max = 599))]
    pub status: Option<i64>,
    /// What the body of a page has in it, with `http`.
    pub body: Option<String>,
    /// Headers of a page and what each has in it, with `http`: `{ content-type: text/html }`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What is said back, with `websocket-echo`; default: what was said.
    pub message: Option<String>,
}
