//! What stands on what, and what cannot stand beside what, as far as ids and ranges tell.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;

use crate::plan::Step;
use crate::resource::observed::{Observation, Output, range_of};
use crate::resource::spec::{Source, Spec, VSwitchSpec};
use crate::resource::{Kind, ResourceAddress};

/// A resource that is there and is to go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Old<'p> {
    /// The step that removes it.
    pub(super) step: &'p Step,
    /// What it is.
    pub(super) found: &'p Observation,
}

impl<'p> Old<'p> {
    /// What a step removes, when it removes something.
    pub(super) fn of(step: &'p Step) -> Option<Self> {
        step.current.as_ref().map(|found| Self { step, found })
    }

    fn kind(self) -> Kind {
        self.step.address.kind
    }

    fn field(self, name: &str) -> Option<&'p str> {
        self.found.fields.get(name).map(String::as_str)
    }

    /// Whether it cannot stay when another goes.
    pub(super) fn stands_on(self, lower: Self) -> bool {
        if !stands_on(&self.step.address, &lower.step.address) {
            return false;
        }
        // Where it says what it stands on, that is what counts.
        let said = link(self.kind(), lower.kind()).and_then(|field| self.field(field));
        said.is_none_or(|ids| ids.split(',').any(|id| id == lower.found.id.as_str()))
    }
}

/// Whether a resource may stand on another, by what they are and whose they are.
pub(super) fn stands_on(upper: &ResourceAddress, lower: &ResourceAddress) -> bool {
    lower.kind.dependents().contains(&upper.kind)
        && (!is_of_one_machine(upper.kind, lower.kind) || lower.name == upper.name)
}

/// Whether one of a kind stands on one of another kind only where both are of the same machine: what lives there is named
/// after it and does not care about the others.
pub(super) fn is_of_one_machine(upper: Kind, lower: Kind) -> bool {
    matches!(upper, Kind::Redis | Kind::Release | Kind::HostKey | Kind::Server)
        && matches!(lower, Kind::Instance | Kind::HostKey | Kind::Release)
}

/// The field in which one kind has the id of what it stands on.
fn link(upper: Kind, lower: Kind) -> Option<&'static str> {
    match (upper, lower) {
        (Kind::VSwitch | Kind::SecurityGroup | Kind::RedisInstance | Kind::ServerGroup, Kind::Vpc) => {
            Some("vpc")
        }
        (Kind::Instance | Kind::RedisInstance, Kind::VSwitch) => Some("vswitch"),
        (Kind::LoadBalancer, Kind::VSwitch) => Some("vswitches"),
        (Kind::Instance, Kind::SecurityGroup) => Some("security_group"),
        (Kind::SecurityRule, Kind::SecurityGroup) | (Kind::Server, Kind::ServerGroup) => Some("group"),
        (Kind::Server, Kind::Instance) | (Kind::RedisAccount, Kind::RedisInstance) => Some("instance"),
        (Kind::Listener, Kind::LoadBalancer) => Some("load_balancer"),
        (Kind::Listener, Kind::ServerGroup) => Some("server_group"),
        (Kind::ListenerRule, Kind::Listener) => Some("listener"),
        _ => None,
    }
}

/// The steps of a plan, by address.
pub(super) type Steps<'p> = BTreeMap<&'p ResourceAddress, &'p Step>;

/// Whether what a step makes cannot stand beside what another is to remove: the same range in the same VPC, the same
/// port of the same load balancer, the same name.
pub(super) fn clashes(step: &Step, old: Old<'_>, steps: &Steps<'_>) -> bool {
    let Some(spec) = step.spec.as_ref().filter(|spec| spec.kind() == old.kind()) else {
        return false;
    };
    let is = |field: &str, wanted: &str| old.field(field) == Some(wanted);
    let stays = |field: &str, address: &ResourceAddress| {
        staying(address, steps).is_some_and(|found| is(field, found.id.as_str()))
    };
    let only = ResourceAddress::only;
    match spec {
        Spec::VSwitch(spec) => stays("vpc", &only(Kind::Vpc)) && overlaps(spec, old),
        Spec::Listener(spec) => {
            stays("load_balancer", &only(Kind::LoadBalancer)) && is("port", &spec.port.to_string())
        }
        Spec::Record(spec) => is("name", &format!("{} {}", spec.host, spec.domain)),
        Spec::Server(spec) => {
            stays("group", &only(Kind::ServerGroup))
                && stays("instance", &ResourceAddress::new(Kind::Instance, &spec.instance))
                && is("port", &spec.port.to_string())
        }
        Spec::SecurityRule(spec) => {
            // The address of a machine that is there; that of a new one nobody knows yet.
            let address_of = |machine: &ResourceAddress| {
                staying(machine, steps)?.outputs.get(&Output::PrivateAddress).cloned()
            };
            let same_source = spec.from.source(address_of).is_some_and(|source| is("from", &source));
            stays("group", &only(Kind::SecurityGroup))
                && is("protocol", spec.flow.protocol())
                && is("port", &spec.flow.ports())
                && same_source
        }
        Spec::Vpc(_)
        | Spec::SecurityGroup(_)
        | Spec::KeyPair(_)
        | Spec::Instance(_)
        | Spec::HostKey(_)
        | Spec::Redis(_)
        | Spec::RedisInstance(_)
        | Spec::RedisAccount(_)
        | Spec::LoadBalancer(_)
        | Spec::ServerGroup(_)
        | Spec::Release(_)
        | Spec::Certificate(_)
        | Spec::ListenerRule(_) => false,
    }
}

/// A range that cannot be read is taken to overlap.
fn overlaps(spec: &VSwitchSpec, old: Old<'_>) -> bool {
    let theirs = old.field("cidr").and_then(|text| text.parse::<Ipv4Net>().ok());
    let overlap = theirs.is_none_or(|theirs| theirs.contains(&spec.cidr) || spec.cidr.contains(&theirs));
    spec.source == Source::Created && overlap
}

/// What is there and stays.
fn staying<'p>(address: &ResourceAddress, steps: &Steps<'p>) -> Option<&'p Observation> {
    steps.get(address).filter(|step| !step.action.makes_new())?.current.as_ref()
}

/// The machine that a new rule is to let in, when it is not there yet, and an old rule lets in whoever has some address.
pub(super) fn new_machine<'p>(
    rule: &'p Step,
    old: Old<'p>,
    steps: &Steps<'p>,
) -> Option<&'p ResourceAddress> {
    let Some(Spec::SecurityRule(spec)) = &rule.spec else { return None };
    let machine = spec.from.machine()?;
    let is_of_one = old.field("from").is_some_and(|from| from.ends_with("/32"));
    let is_alike = is_of_one && old.field("port") == Some(spec.flow.ports().as_str());
    let (machine, step) = steps.get_key_value(&machine)?;
    (is_alike && step.action.makes_new()).then_some(*machine)
}

/// The machine that has the address an old rule lets in.
pub(super) fn holder<'p>(rule: Old<'p>, steps: &Steps<'p>) -> Option<&'p ResourceAddress> {
    let from = rule.field("from")?;
    let has_it = |found: &Observation| {
        found.outputs.get(&Output::PrivateAddress).is_some_and(|address| range_of(address) == from)
    };
    let mut machines = steps.values().filter(|step| step.address.kind == Kind::Instance);
    machines.find(|step| step.current.as_ref().is_some_and(has_it)).map(|step| &step.address)
}
