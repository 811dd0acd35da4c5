//! What we believe after reading a topology: validated, references resolved, defaults filled in.

mod existing;

use std::collections::BTreeMap;
use std::path::PathBuf;

use ipnet::Ipv4Net;

use crate::base::address::ServiceAddress;
use crate::base::bucket::BucketLocation;
use crate::base::disk::{DataDisk, DiskOptions};
use crate::base::flow::Flow;
use crate::base::ids::{CloudId, InstanceName, RegionId, StackName, VSwitchName, ZoneId};
use crate::base::spot::Spot;
use crate::topology::duration::Seconds;
pub use crate::topology::model::existing::{Choice, Chosen, Existing};
pub use crate::topology::schema::{Address, Edition, Eviction, Persistence, Protocol, ServiceKind};

/// A valid topology.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// Name of the stack.
    pub stack: StackName,
    /// Where it is.
    pub region: RegionId,
    /// Its VPC.
    pub vpc: Vpc,
    /// Its vSwitches.
    pub vswitches: BTreeMap<VSwitchName, VSwitch>,
    /// An existing security group to use.
    pub security_group: Option<CloudId>,
    /// What is let in beside what the stack needs.
    pub allow: Vec<Admission>,
    /// What is there already and not named by its id: until it is looked up, its id is what it is chosen by.
    pub chosen: Vec<Chosen>,
    /// How machines are logged into.
    pub ssh: Ssh,
    /// Its machines.
    pub instances: BTreeMap<InstanceName, Instance>,
    /// Redis.
    pub redis: Redis,
    /// The chat node, or where and how the app runs that is in its place.
    pub node: Node,
    /// A server of anybody's own in place of the chat node.
    pub app: Option<App>,
    /// The ALB.
    pub load_balancer: LoadBalancer,
    /// The name people open.
    pub dns: Dns,
    /// Tags of everything that is made and can have some.
    pub tags: BTreeMap<String, String>,
    /// Whether what others put into resources of the stack is removed.
    pub exclusive: bool,
    /// Whether nothing of it may be deleted or replaced.
    pub protect: bool,
    /// Where the state is that several people share.
    pub state: Option<BucketLocation>,
    /// Addresses of products that are not asked at their official hosts, by code.
    pub endpoints: BTreeMap<String, ServiceAddress>,
    /// Commands of the operator's machine.
    pub hooks: Hooks,
    /// What a verification expects.
    pub verify: Verify,
    /// Outputs that it names itself.
    pub outputs: Vec<Output>,
}

/// An output that the topology names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// What it is made of.
    pub parts: Vec<OutputPart>,
}

/// A part of an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputPart {
    /// As it stands.
    Text(String),
    /// What is told of resources by these names, with commas between them.
    Told(Vec<String>),
}

/// A VPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vpc {
    /// One to make.
    Create(Ipv4Net),
    /// One that is there.
    Existing(CloudId),
}

/// A vSwitch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VSwitch {
    /// Its zone.
    pub zone: ZoneId,
    /// Its range.
    pub cidr: Ipv4Net,
    /// Set when it exists already.
    pub existing: Option<CloudId>,
}

/// Somebody who is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// To what.
    pub flow: Flow,
    /// Who.
    pub from: Whom,
}

/// Who is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Those with an address in a range.
    Range(Ipv4Net),
    /// The load balancer.
    LoadBalancer,
    /// These instances.
    Instances(Vec<InstanceName>),
}

/// How machines are logged into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// Ranges SSH is opened to.
    pub allow_from: Vec<Ipv4Net>,
    /// The operator's key.
    pub key: Key,
    /// How a machine is logged into unless it says otherwise.
    pub login: Login,
    /// Who says which host key is right.
    pub host_keys: HostKeys,
}

/// The operator's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// The one that is made once.
    Own,
    /// A private key in a file.
    File(PathBuf),
    /// One that the running agent has: with this fingerprint, or its only one.
    Agent(Option<String>),
}

/// How a machine is logged into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Login name.
    pub user: String,
    /// Port of its SSH server.
    pub port: u16,
    /// How commands are run as root.
    pub sudo: Sudo,
}

/// How commands are run as root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sudo {
    /// Who logs in is root.
    No,
    /// By sudo, which asks for nothing.
    Free,
    /// By sudo, which asks for the password in this variable.
    Variable(String),
    /// By sudo, which asks for the password in this file.
    File(PathBuf),
}

/// Who says which host key is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostKeys {
    /// The cloud.
    ControlPlane,
    /// The operator's `known_hosts`.
    KnownHosts,
    /// These lines, by the name or the id of an instance.
    Pinned(BTreeMap<String, String>),
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// The name that it is declared by under `instances`; several share one that has a count.
    pub declared: String,
    /// Its vSwitch.
    pub vswitch: VSwitchName,
    /// How it is reached.
    pub reach: Reach,
    /// How it is logged into.
    pub login: Login,
    /// Types, first choice first.
    pub types: Vec<String>,
    /// Image family.
    pub image: String,
    /// System disk in GiB.
    pub disk: u32,
    /// What it is made as.
    pub disk_options: DiskOptions,
    /// Disks beside it.
    pub data_disks: Vec<DataDisk>,
    /// Whether and at which price it is a spot instance.
    pub spot: Spot,
    /// What it is told at its first start.
    pub user_data: Option<UserData>,
    /// How long it lives, when not for ever.
    pub expires: Option<Seconds>,
    /// Its tags, those of all resources among them.
    pub tags: BTreeMap<String, String>,
    /// Whether it may not be deleted or replaced.
    pub protect: bool,
}

/// What an instance is told at its first start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserData {
    /// This text.
    Text(String),
    /// What a template comes to.
    Template {
        /// A file; relative to the topology's file.
        file: PathBuf,
        /// Its values by name.
        with: BTreeMap<String, String>,
    },
}

/// How an instance is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// At its public address.
    Public,
    /// Through another instance.
    Via(InstanceName),
}

/// Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redis {
    /// Its port.
    pub port: u16,
    /// Where it comes from.
    pub place: RedisPlace,
}

/// Where Redis comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisPlace {
    /// From the distribution's packages, on an instance.
    OnHost(HostedRedis),
    /// From the cloud.
    Managed(ManagedRedis),
    /// From nowhere: an app does without.
    Absent,
}

/// Redis on an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostedRedis {
    /// Its instance.
    pub on: InstanceName,
    /// MiB.
    pub max_memory: u32,
    /// What survives a restart.
    pub persistence: Persistence,
}

/// A managed Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedRedis {
    /// Its product line.
    pub series: Series,
    /// Its class.
    pub class: String,
    /// The version of Redis it speaks.
    pub engine: String,
    /// Its vSwitch.
    pub vswitch: VSwitchName,
    /// What goes when its memory is full.
    pub eviction: Eviction,
    /// Whether it may not be deleted or replaced.
    pub protect: bool,
}

/// Product lines of managed Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Series {
    /// Tair in memory.
    Tair,
    /// Redis as it is published.
    Classic,
}

/// The chat node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its instances.
    pub on: Vec<InstanceName>,
    /// Its port.
    pub port: u16,
    /// How often it pings.
    pub ping_interval: Seconds,
    /// How long it waits for the answer.
    pub ping_timeout: Seconds,
    /// Other origins that may connect.
    pub allowed_origins: Vec<String>,
    /// How another release is put on nodes that run.
    pub rollout: Rollout,
}

/// A server of anybody's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// The program; relative to the topology's file.
    pub binary: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables of its environment.
    pub env: BTreeMap<String, Variable>,
    /// The path that it answers while it is well.
    pub health_path: String,
}

/// The value of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// A text that everybody may read.
    Text(String),
    /// A secret, in this variable of the operator's environment.
    FromVariable(String),
    /// A secret, in this file; relative to the topology's file.
    FromFile(PathBuf),
}

/// How another release is put on nodes that run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rollout {
    /// How many nodes are away at once.
    pub max_parallel: u16,
    /// How long a release must have been ready before it counts.
    pub min_healthy_time: Seconds,
    /// By when it must count.
    pub healthy_deadline: Seconds,
    /// Whether the release before comes back.
    pub auto_revert: bool,
}

/// A moment at which commands of the operator's machine are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Before anything is applied.
    BeforeApply,
    /// After everything was.
    AfterApply,
    /// Before anything is deployed.
    BeforeDeploy,
    /// After everything was.
    AfterDeploy,
    /// Before anything is rolled back.
    BeforeRollback,
    /// After everything was.
    AfterRollback,
    /// Before anything is removed.
    BeforeDestroy,
    /// After everything was.
    AfterDestroy,
}

impl Moment {
    /// Its name in a topology.
    pub fn word(self) -> &'static str {
        match self {
            Self::BeforeApply => "before_apply",
            Self::AfterApply => "after_apply",
            Self::BeforeDeploy => "before_deploy",
            Self::AfterDeploy => "after_deploy",
            Self::BeforeRollback => "before_rollback",
            Self::AfterRollback => "after_rollback",
            Self::BeforeDestroy => "before_destroy",
            Self::AfterDestroy => "after_destroy",
        }
    }
}

/// Commands of the operator's machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hooks {
    /// By moment, each a program and its arguments.
    pub commands: BTreeMap<Moment, Vec<Vec<String>>>,
    /// How long each may take.
    pub timeout: Seconds,
}

/// The ALB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadBalancer {
    /// Set when it exists already.
    pub existing: Option<CloudId>,
    /// Where it has addresses.
    pub vswitches: Vec<VSwitchName>,
    /// Who can reach it.
    pub address: Address,
    /// Its edition.
    pub edition: Edition,
    /// Whether it may not be deleted or replaced.
    pub protect: bool,
    /// What it listens on.
    pub listener: Listener,
    /// Port on which plain HTTP is answered with a redirect to the listener.
    pub redirect_from: Option<u16>,
}

/// The listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// What it speaks.
    pub protocol: Protocol,
    /// Its port.
    pub port: u16,
    /// When a silent connection is cut.
    pub idle_timeout: Seconds,
    /// When a node that does not answer is given up.
    pub request_timeout: Seconds,
    /// Server certificate, always there for https.
    pub certificate: Option<Certificate>,
}

/// A server certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificate {
    /// One that the certificate service has, by its id.
    Id(String),
    /// One to upload.
    Files {
        /// The chain; relative to the topology's file.
        chain: PathBuf,
        /// Its private key; relative to the topology's file.
        key: PathBuf,
    },
    /// One to make and to upload.
    SelfSigned,
}

/// What a verification expects, and from where it looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verify {
    /// The places of its two clients; none where nothing was said.
    pub vantages: Option<[Vantage; 2]>,
    /// What is served.
    pub service: Service,
}

/// Where a client connects from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vantage {
    /// This machine.
    Local,
    /// An instance, through its SSH server.
    Ssh(InstanceName),
}

impl Vantage {
    /// What somebody wrote, when it can be one.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "local" => Some(Self::Local),
            Some(("ssh", name)) if !name.is_empty() => Some(Self::Ssh(InstanceName::new(name))),
            None | Some(_) => None,
        }
    }
}

/// What is served, and what has to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Service {
    /// The chatroom.
    Chat,
    /// A WebSocket that says something back.
    WebsocketEcho {
        /// Its path.
        path: String,
        /// What is said; none is something that nobody has said before.
        send: Option<String>,
        /// What is said back; none is what was said.
        expect: Option<String>,
    },
    /// Pages.
    Http {
        /// What is asked for.
        path: String,
        /// The status that has to come.
        status: u16,
        /// What the body has in it.
        body: Option<String>,
        /// Headers by lower-case name, and what each has in it.
        headers: BTreeMap<String, String>,
    },
}

/// The name people open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// Domain of the account.
    pub domain: String,
    /// Host record.
    pub host: String,
    /// Seconds.
    pub ttl: u32,
}

impl Dns {
    /// The full name, `example.com` for the host `@`.
    pub fn full_name(&self) -> String {
        if self.host == "@" { self.domain.clone() } else { format!("{}.{}", self.host, self.domain) }
    }
}

impl Topology {
    /// Address people open in a browser.
    pub fn url(&self) -> String {
        let listener = &self.load_balancer.listener;
        let scheme = listener.protocol.scheme();
        let name = self.dns.full_name();
        if listener.port == listener.protocol.own_port() {
            format!("{scheme}://{name}/")
        } else {
            format!("{scheme}://{name}:{}/", listener.port)
        }
    }
}
