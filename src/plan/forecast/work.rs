//! What each kind of operation consists of: its changing calls in order, and what is waited for after them.

use serde::{Serialize, Serializer};

use crate::base::tagger::Tagger;
use crate::base::usual::{self, Usual};
use crate::plan::Step;
use crate::plan::action::Action;
use crate::plan::graph::{Operation, Verb};
use crate::plan::rollout::Traffic;
use crate::resource::settings::{DEFAULT_EVICTION, RECORD_VALUES};
use crate::resource::spec::{EXPIRES, RedisInstanceSpec, Series, Spec};
use crate::resource::{Kind, disks, tags};

/// Who is asked how far a thing is; those that wait in the same lane are looked at together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// The list of VPCs.
    Vpcs,
    /// The list of vSwitches.
    VSwitches,
    /// The list of instances.
    Instances,
    /// The list of Cloud Assistants.
    Assistants,
    /// The result of one command.
    Invocations,
    /// The list of network interfaces.
    Interfaces,
    /// The list of load balancers.
    LoadBalancers,
    /// One load balancer with its addresses.
    LoadBalancerDetails,
    /// The list of server groups.
    ServerGroups,
    /// The list of listeners.
    Listeners,
    /// The list of rules of listeners.
    Rules,
    /// One certificate with what ALB calls it.
    Certificates,
    /// The list of managed Redis instances.
    RedisInstances,
    /// One account of a managed Redis.
    RedisAccounts,
    /// The health of a listener's servers.
    Health,
    /// A machine, over SSH: no call of the API.
    Machine,
}

impl Lane {
    /// Whether each that waits is asked for by itself.
    pub(super) fn alone(self) -> bool {
        match self {
            Self::Invocations
            | Self::LoadBalancerDetails
            | Self::Certificates
            | Self::RedisAccounts
            | Self::Health => true,
            Self::Vpcs
            | Self::VSwitches
            | Self::Instances
            | Self::Assistants
            | Self::Interfaces
            | Self::LoadBalancers
            | Self::ServerGroups
            | Self::Listeners
            | Self::Rules
            | Self::RedisInstances
            | Self::Machine => false,
        }
    }
}

/// Something that is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wait {
    /// What: a state by its own name, else a noun.
    #[serde(rename = "for")]
    pub condition: &'static str,
    /// Who is asked.
    #[serde(skip)]
    pub lane: Lane,
    /// How long that usually takes.
    #[serde(flatten, serialize_with = "duration")]
    pub usual: Usual,
}

fn duration<S: Serializer>(usual: &Usual, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Words {
        seconds: f64,
        basis: usual::Basis,
    }
    Words { seconds: usual.takes.as_secs_f64(), basis: usual.basis }.serialize(serializer)
}

fn wait(condition: &'static str, lane: Lane, usual: Usual) -> Wait {
    Wait { condition, lane, usual }
}

/// What an operation consists of.
type Work = (Vec<&'static str>, Vec<Wait>);

/// What one half of a step consists of.
pub(super) fn of(step: &Step, operation: &Operation) -> Work {
    match operation.verb {
        // All of it is told of the first one.
        _ if operation.with.is_some() => Work::default(),
        Verb::Delete => removal(step.address.kind),
        Verb::Put if step.spec.as_ref().is_some_and(|spec| spec.existing().is_some()) => taking_over(step),
        Verb::Put => match &step.action {
            Action::Update(_) if step.address.kind == Kind::Release => newer_release(step, operation.traffic),
            Action::Update(_) => updated(step),
            // What could not be read is most likely as it shall be; looking costs no call.
            Action::Unknown(_) => check(step.address.kind),
            Action::Create | Action::Replace(_) | Action::Delete | Action::Keep => made(step),
        },
    }
}

/// What it takes to make one, as its spec says.
fn made(step: &Step) -> Work {
    match &step.spec {
        Some(Spec::RedisInstance(spec)) => redis_instance(spec),
        _ => creation(step.address.kind),
    }
}

/// Made, then set: it takes one change at a time.
fn redis_instance(spec: &RedisInstanceSpec) -> Work {
    let creation = match spec.series {
        Series::Tair => "CreateTairInstance",
        Series::Classic => "CreateInstance",
    };
    let eviction = (spec.eviction != DEFAULT_EVICTION).then_some("ModifyInstanceConfig");
    let changes: Vec<&str> = eviction.into_iter().chain(["ModifySecurityIps"]).collect();
    let normal = wait("Normal", Lane::RedisInstances, usual::REDIS_NORMAL);
    let waits = std::iter::once(normal).chain(changes.iter().map(|_| normal_again())).collect();
    (std::iter::once(creation).chain(changes).collect(), waits)
}

fn normal_again() -> Wait {
    wait("Normal again", Lane::RedisInstances, usual::REDIS_CHANGED)
}

fn redis_account(call: &'static str) -> Work {
    let available = wait("Available", Lane::RedisAccounts, usual::REDIS_ACCOUNT);
    (vec!["TagResources", call], vec![normal_again(), available])
}

/// The calls that change a managed Redis in place, by the field that each is for.
const REDIS_CHANGES: [(&str, &str); 4] = [
    ("name", "ModifyInstanceAttribute"),
    ("class", "ModifyInstanceSpec"),
    ("eviction", "ModifyInstanceConfig"),
    ("allow_list", "ModifySecurityIps"),
];

/// What was there before is not changed; a load balancer of others still has to be ready.
fn taking_over(step: &Step) -> Work {
    let waits = if step.address.kind == Kind::LoadBalancer { load_balancer() } else { Vec::new() };
    (Vec::new(), waits)
}

fn load_balancer() -> Vec<Wait> {
    vec![wait("Active", Lane::LoadBalancers, usual::LOAD_BALANCER_ACTIVE)]
}

fn host_key() -> Vec<Wait> {
    vec![
        wait("the Cloud Assistant", Lane::Assistants, usual::ASSISTANT),
        wait("the command that reads it", Lane::Invocations, usual::INVOCATION),
    ]
}

fn on_machine(condition: &'static str, usual: Usual) -> Vec<Wait> {
    vec![wait("a login", Lane::Machine, usual::LOGIN), wait(condition, Lane::Machine, usual)]
}

fn listener() -> Vec<Wait> {
    vec![wait("Running", Lane::Listeners, usual::LISTENER), healthy()]
}

fn healthy() -> Wait {
    wait("healthy servers", Lane::Health, usual::HEALTHY)
}

/// A node that ran before gets traffic again; while its server is out of the group, it is there for nobody.
fn newer_release(step: &Step, traffic: Traffic) -> Work {
    let mut usual = usual::RELEASE;
    if let Some(Spec::Release(spec)) = &step.spec {
        usual.takes += spec.rollout.min_healthy_time;
    }
    let node = on_machine("the node", usual);
    match traffic {
        Traffic::Stays => (Vec::new(), node.into_iter().chain([healthy()]).collect()),
        Traffic::LedAway => {
            let waits = membership().into_iter().chain(node).chain(membership()).chain([healthy()]);
            (vec!["RemoveServersFromServerGroup", "AddServersToServerGroup"], waits.collect())
        }
    }
}

fn creation(kind: Kind) -> Work {
    match kind {
        Kind::Vpc => (vec!["CreateVpc"], vec![wait("Available", Lane::Vpcs, usual::VPC)]),
        Kind::VSwitch => (vec!["CreateVSwitch"], vec![wait("Available", Lane::VSwitches, usual::VSWITCH)]),
        Kind::SecurityGroup => (vec!["CreateSecurityGroup"], Vec::new()),
        Kind::KeyPair => (vec!["ImportKeyPair"], Vec::new()),
        Kind::Instance => {
            (vec!["RunInstances"], vec![wait("Running", Lane::Instances, usual::INSTANCE_RUNNING)])
        }
        Kind::HostKey => (vec!["RunCommand", "TagResources"], host_key()),
        Kind::SecurityRule => (vec!["AuthorizeSecurityGroup"], Vec::new()),
        Kind::Redis => (Vec::new(), on_machine("Redis", usual::REDIS)),
        // Its calls follow from its spec.
        Kind::RedisInstance => (Vec::new(), vec![wait("Normal", Lane::RedisInstances, usual::REDIS_NORMAL)]),
        Kind::RedisAccount => redis_account("CreateAccount"),
        Kind::LoadBalancer => (vec!["CreateLoadBalancer"], load_balancer()),
        Kind::ServerGroup => {
            let waits = vec![wait("Available", Lane::ServerGroups, usual::SERVER_GROUP)];
            (vec!["CreateServerGroup"], waits)
        }
        Kind::Release => (Vec::new(), on_machine("the node", usual::RELEASE)),
        Kind::Server => (vec!["AddServersToServerGroup"], membership()),
        Kind::Certificate => {
            let waits = vec![wait("its identifier", Lane::Certificates, usual::CERTIFICATE)];
            (vec!["UploadUserCertificate"], waits)
        }
        Kind::Listener => (vec!["CreateListener"], listener()),
        Kind::ListenerRule => (vec!["CreateRule"], vec![wait("Available", Lane::Rules, usual::LISTENER)]),
        Kind::Record => (vec!["AddDomainRecord", "UpdateDomainRecordRemark"], Vec::new()),
    }
}

/// Its servers are as they shall be when their group takes other changes again.
fn membership() -> Vec<Wait> {
    vec![wait("its group to be Available", Lane::ServerGroups, usual::SERVER_GROUP)]
}

/// A change in place, and its tags after that.
fn updated(step: &Step) -> Work {
    let (mut calls, waits) = if step.action.changes_tags_alone() { Work::default() } else { update(step) };
    let tagged = || step.action.changes().iter().filter_map(|change| tags::key(change.field));
    if tagged().any(|key| step.tags.contains_key(key)) {
        calls.push(Tagger::SETS);
    }
    if tagged().any(|key| !step.tags.contains_key(key)) {
        calls.extend(tags::tagger(step.address.kind).map(|(tagger, _)| tagger.takes_away()));
    }
    (calls, waits)
}

/// A change in place. What cannot be changed in place has no calls here: its plan is a replacement.
fn update(step: &Step) -> Work {
    let kind = step.address.kind;
    match kind {
        Kind::Vpc => (vec!["ModifyVpcAttribute"], vec![wait("Available", Lane::Vpcs, usual::VPC)]),
        Kind::Instance => {
            let (start, waits) = start(step);
            let changed =
                step.action.changes_any(&["name", "security_group"]).then_some("ModifyInstanceAttribute");
            let disks = step.action.changes().iter().filter(|change| disks::is_of_disk(change.field));
            let disks = disks.map(|change| match disks::of_data(change.field) {
                Some((_, disks::DELETE_WITH_INSTANCE)) => "ModifyDiskAttribute",
                Some(_) | None => "ResizeDisk",
            });
            let mut calls: Vec<&str> = changed.into_iter().chain(start).chain(disks).collect();
            if step.action.changes_field(EXPIRES) {
                let lives = matches!(&step.spec, Some(Spec::Instance(spec)) if spec.expires.is_some());
                calls.extend(lives.then_some("TagResources"));
                calls.push("ModifyInstanceAutoReleaseTime");
            }
            (calls, waits)
        }
        Kind::LoadBalancer => (vec!["UpdateLoadBalancerAttribute"], load_balancer()),
        Kind::Server => (vec!["UpdateServerGroupServersAttribute"], membership()),
        Kind::ServerGroup => {
            let waits = vec![wait("Available", Lane::ServerGroups, usual::SERVER_GROUP)];
            (vec!["UpdateServerGroupAttribute"], waits)
        }
        Kind::Listener => {
            let settings = step.action.changes_beside("status").then_some("UpdateListenerAttribute");
            let start = step.action.changes_field("status").then_some("StartListener");
            (settings.into_iter().chain(start).collect(), listener())
        }
        Kind::ListenerRule => {
            (vec!["UpdateRuleAttribute"], vec![wait("Available", Lane::Rules, usual::LISTENER)])
        }
        Kind::Record => {
            let calls = [
                step.action.changes_any(&RECORD_VALUES).then_some("UpdateDomainRecord"),
                step.action.changes_field("status").then_some("SetDomainRecordStatus"),
                step.action.changes_field("remark").then_some("UpdateDomainRecordRemark"),
            ];
            (calls.into_iter().flatten().collect(), Vec::new())
        }
        Kind::RedisInstance => {
            let changed = REDIS_CHANGES.iter().filter(|(field, _)| step.action.changes_field(field));
            let calls: Vec<&str> = changed.map(|(_, call)| *call).collect();
            let waits = calls.iter().map(|_| normal_again()).collect();
            (calls, waits)
        }
        Kind::RedisAccount => redis_account("ResetAccountPassword"),
        Kind::SecurityRule => (vec!["ModifySecurityGroupRule"], Vec::new()),
        Kind::VSwitch
        | Kind::SecurityGroup
        | Kind::KeyPair
        | Kind::HostKey
        | Kind::Certificate
        | Kind::Redis
        | Kind::Release => creation(kind),
    }
}

/// An instance that is stopped, or about to be, is started; one that is on its way is waited for.
fn start(step: &Step) -> Work {
    let fields = step.current.as_ref().map(|current| &current.fields);
    let status = fields.and_then(|fields| fields.get("status")).map_or("", String::as_str);
    let stopped = wait("Stopped", Lane::Instances, usual::INSTANCE_STOPPED);
    let running = wait("Running", Lane::Instances, usual::INSTANCE_RUNNING);
    match status {
        "Stopping" => (vec!["StartInstances"], vec![stopped, running]),
        "Stopped" => (vec!["StartInstances"], vec![running]),
        _ => (Vec::new(), vec![running]),
    }
}

fn check(kind: Kind) -> Work {
    let (_, waits) = creation(kind);
    (Vec::new(), waits)
}

fn removal(kind: Kind) -> Work {
    match kind {
        Kind::Vpc => (vec!["DeleteVpc"], vec![gone(Lane::Vpcs, usual::VPC)]),
        Kind::VSwitch => (vec!["DeleteVSwitch"], vec![gone(Lane::VSwitches, usual::VSWITCH)]),
        Kind::SecurityGroup => (vec!["DeleteSecurityGroup"], Vec::new()),
        Kind::KeyPair => (vec!["DeleteKeyPairs"], Vec::new()),
        Kind::Instance => (vec!["DeleteInstances"], vec![gone(Lane::Instances, usual::INSTANCE_GONE)]),
        Kind::SecurityRule => (vec!["RevokeSecurityGroup"], Vec::new()),
        Kind::LoadBalancer => {
            let interfaces = "the removal of its network interfaces";
            let waits = vec![
                gone(Lane::LoadBalancers, usual::LOAD_BALANCER_GONE),
                wait(interfaces, Lane::Interfaces, usual::INTERFACES_GONE),
            ];
            (vec!["DeleteLoadBalancer"], waits)
        }
        Kind::RedisInstance => (vec!["DeleteInstance"], vec![gone(Lane::RedisInstances, usual::REDIS_GONE)]),
        Kind::ServerGroup => (vec!["DeleteServerGroup"], Vec::new()),
        Kind::Server => (vec!["RemoveServersFromServerGroup"], membership()),
        Kind::Certificate => (vec!["DeleteUserCertificate"], Vec::new()),
        Kind::Listener => (vec!["DeleteListener"], vec![gone(Lane::Listeners, usual::LISTENER)]),
        Kind::ListenerRule => (vec!["DeleteRule"], vec![gone(Lane::Rules, usual::LISTENER)]),
        Kind::Record => (vec!["DeleteDomainRecord"], Vec::new()),
        // A host key and an account go with their instances, and what is on a machine is no matter of the cloud.
        Kind::HostKey | Kind::Redis | Kind::RedisAccount | Kind::Release => (Vec::new(), Vec::new()),
    }
}

fn gone(lane: Lane, usual: Usual) -> Wait {
    wait("removal", lane, usual)
}
