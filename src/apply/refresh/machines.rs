//! Reads what is on the machines, all at once, over verified SSH.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use crate::apply::error::ApplyError;
use crate::apply::hosts::{OnHost, Place};
use crate::apply::provider::host::{MACHINE_GOES, computed};
use crate::apply::provider::redis::digest;
use crate::apply::provider::{Known, Provider};
use crate::base::ids::{CloudId, InstanceName};
use crate::base::secret::Secret;
use crate::deploy::{node, redis};
use crate::plan::desired::{Desired, Resource};
use crate::resource::observed::{Observation, Observed, Output, Owner};
use crate::resource::settings::{AS_WRITTEN, ENABLED, LOST, ON_NODES};
use crate::resource::spec::HostSpec;
use crate::resource::{Kind, ResourceAddress};

/// Reads the machines of a stack into what was observed.
pub(super) async fn read(provider: &Provider, desired: &Desired, observed: &mut Observed) {
    let known = Known::from_observed(observed);
    compute(provider, desired, &known, observed);
    let ways = Ways { desired, observed };
    let hosts: Vec<HostSpec> =
        desired.hosts().map(|host| ways.as_it_is(host)).chain(leaving(&ways)).collect();
    let mut unread: BTreeSet<&InstanceName> = BTreeSet::new();
    let mut closed: BTreeSet<&InstanceName> = BTreeSet::new();
    let mut reads = Vec::new();
    for host in &hosts {
        match access(host, &known, observed) {
            Access::Open => reads.push(read_host(provider, host, &known)),
            Access::NotThere | Access::Closed(_) if host.deposed.is_some() => {}
            Access::NotThere => {
                unread.insert(host.instance());
            }
            Access::Closed(why) => {
                unread.insert(host.instance());
                closed.insert(host.instance());
                mark_unknown(desired, host, &why, observed);
            }
        }
    }
    let mut seen = Seen::default();
    for (host, read) in join_all(reads).await {
        match read {
            Ok(found) => seen.add(host, found),
            Err(error) => {
                provider.hosts.forget().await;
                if host.deposed.is_some() {
                    continue;
                }
                unread.insert(host.instance());
                closed.insert(host.instance());
                mark_unknown(desired, host, &error.to_string(), observed);
            }
        }
    }
    tell_password(desired, &seen, &closed, observed);
    let managed = managed_password(observed);
    observed.resources.extend(
        seen.resources(managed.as_deref(), provider.app_secrets.as_ref())
            .into_iter()
            .map(|found| marked_leaving(desired, found)),
    );
    let was_read = |address: &ResourceAddress| {
        !address.kind.is_on_host() || !unread.iter().any(|host| host.as_str() == address.name)
    };
    observed.applied.retain(|address, _| was_read(address));
}

/// The digest of the password that counts of a managed Redis.
fn managed_password(observed: &Observed) -> Option<String> {
    let account = observed.resources.get(&ResourceAddress::only(Kind::RedisAccount))?;
    account.outputs.get(&Output::Password).cloned()
}

/// Says whether a node has the password of a managed Redis. While one cannot be read nobody knows that none has.
fn tell_password(desired: &Desired, seen: &Seen, closed: &BTreeSet<&InstanceName>, observed: &mut Observed) {
    let address = ResourceAddress::only(Kind::RedisAccount);
    let counts = managed_password(observed);
    let Some(account) = observed.resources.get_mut(&address) else { return };
    let Some(spec) = desired.resources.get(&address).and_then(|one| one.spec.account()) else { return };
    let passwords = seen.hosts.iter().filter_map(|(_, found)| found.there.node.password.as_ref());
    let is_there = passwords.map(digest).any(|own| Some(&own) == counts.as_ref());
    if is_there || !spec.nodes.iter().any(|host| closed.contains(host.instance())) {
        let told = if is_there { ON_NODES } else { LOST };
        account.fields.insert("password".to_owned(), told.to_owned());
    }
}

/// What a release and Redis would be called, as far as the machines have addresses.
pub(super) fn compute(provider: &Provider, desired: &Desired, known: &Known, observed: &mut Observed) {
    for resource in desired.resources.values() {
        if let Some((field, value)) = computed(provider.program.as_ref(), &resource.spec, known) {
            observed.computed.insert((resource.address.clone(), field), value);
        }
    }
}

fn mark_unknown(desired: &Desired, host: &HostSpec, why: &str, observed: &mut Observed) {
    for resource in desired.resources.values().filter(|one| is_on(one, host)) {
        observed.unknown.insert(resource.address.clone(), why.to_owned());
    }
}

fn is_on(resource: &Resource, host: &HostSpec) -> bool {
    resource.address.kind.is_on_host() && resource.host() == Some(host.instance())
}

/// Machines that are there and are to go: deposed ones, and those that the topology does not have any more. What runs
/// on them is stopped before they go.
fn leaving(ways: &Ways<'_>) -> Vec<HostSpec> {
    let user = ways.desired.hosts().next().map(|host| host.user.clone());
    let machines = ways.observed.resources.iter().filter(|(address, found)| {
        let goes = address.is_deposed() || ways.wanted(&InstanceName::new(&address.name)).is_none();
        address.kind == Kind::Instance && found.owner == Owner::Stack && goes
    });
    let host = |(address, found): (&ResourceAddress, &Observation)| {
        let route = ways.to(&InstanceName::new(&address.name), found);
        Some(HostSpec { route, user: user.clone()?, deposed: address.deposed.clone() })
    };
    machines.filter_map(host).collect()
}

/// How machines are reached now: one that is to be made anew with another access still has the one it was made with.
struct Ways<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
}

impl Ways<'_> {
    fn wanted(&self, name: &InstanceName) -> Option<&HostSpec> {
        let address = ResourceAddress::new(Kind::HostKey, name);
        self.desired.resources.get(&address).and_then(|one| one.spec.host_key())
    }

    fn found(&self, name: &InstanceName) -> Option<&Observation> {
        self.observed.resources.get(&ResourceAddress::new(Kind::Instance, name))
    }

    /// A machine that the topology wants, by the way it has now.
    fn as_it_is(&self, host: &HostSpec) -> HostSpec {
        let Some(found) = self.found(host.instance()) else { return host.clone() };
        HostSpec { route: self.to(host.instance(), found), ..host.clone() }
    }

    /// Straight to a machine with a public address; to another behind the one that the topology wants before it, where
    /// it wants one that is there.
    fn to(&self, name: &InstanceName, found: &Observation) -> Vec<InstanceName> {
        if is_public(found) {
            return vec![name.clone()];
        }
        let before = self.wanted(name).and_then(|host| host.route.iter().rev().nth(1));
        let mut route = match before.map(|before| (before, self.found(before))) {
            Some((before, Some(found))) => self.to(before, found),
            Some((_, None)) | None => self.way_in(name).into_iter().collect(),
        };
        route.push(name.clone());
        route
    }

    /// Another machine with a public address, as the way to one whose own way the topology does not tell.
    fn way_in(&self, to: &InstanceName) -> Option<InstanceName> {
        let mut others = self.desired.hosts().map(HostSpec::instance).filter(|name| *name != to);
        others.find(|name| self.found(name).is_some_and(is_public)).cloned()
    }
}

fn is_public(found: &Observation) -> bool {
    found.outputs.contains_key(&Output::PublicAddress)
}

/// What is on a machine that the topology does not have any more says so: it need not be stopped at all costs.
fn marked_leaving(
    desired: &Desired,
    (address, found): (ResourceAddress, Observation),
) -> (ResourceAddress, Observation) {
    let machine = address.successor().on_same_machine(Kind::Instance);
    let stays = desired.resources.contains_key(&machine);
    (address, if stays { found } else { found.field(MACHINE_GOES, "") })
}

/// Whether a machine can be read.
enum Access {
    Open,
    /// A machine on the way is not there, or has no key pinned: nothing of ours is on it.
    NotThere,
    /// A machine on the way is there and does not run: what is on it is not known. The reason.
    Closed(String),
}

/// Every machine on the way must be there with its key pinned, and run; the first that does not decides.
fn access(host: &HostSpec, known: &Known, observed: &Observed) -> Access {
    for address in known.route(host) {
        let Some(instance) = observed.resources.get(&address) else {
            return Access::NotThere;
        };
        let status = instance.fields.get("status").map_or("", String::as_str);
        if status != "Running" {
            return Access::Closed(format!("{address} is {status}"));
        }
        if !observed.resources.contains_key(&address.on_same_machine(Kind::HostKey)) {
            return Access::NotThere;
        }
    }
    Access::Open
}

/// What is on one machine.
struct Found {
    instance: CloudId,
    there: OnHost,
}

type HostRead<'h> = (&'h HostSpec, Result<Found, ApplyError>);

async fn read_host<'h>(provider: &Provider, host: &'h HostSpec, known: &Known) -> HostRead<'h> {
    (host, observe_host(provider, host, known).await)
}

async fn observe_host(provider: &Provider, host: &HostSpec, known: &Known) -> Result<Found, ApplyError> {
    let there = provider.hosts.observe(Place { host, known }).await?;
    let instance = known.id(&host.address(Kind::Instance))?;
    Ok(Found { instance, there })
}

/// What was seen on all machines; a node's password is judged by that of Redis, which is on another one. While Redis
/// moves there are two, and either may be the node's.
#[derive(Default)]
struct Seen {
    hosts: Vec<(HostSpec, Found)>,
}

impl Seen {
    fn add(&mut self, host: &HostSpec, found: Found) {
        self.hosts.push((host.clone(), found));
    }

    /// `managed` is the digest of the password that counts of a managed Redis, `secrets` are those of the app.
    fn resources(
        self,
        managed: Option<&str>,
        secrets: Option<&BTreeMap<String, Secret<String>>>,
    ) -> Vec<(ResourceAddress, Observation)> {
        let passwords: Vec<_> =
            self.hosts.iter().filter_map(|(_, found)| found.there.redis.password.as_ref()).collect();
        let resources = self.hosts.iter().flat_map(|(host, found)| {
            let is_right = |own: &redis::Password| is_right(own, &passwords, managed);
            let has_secrets = secrets.is_none_or(|secrets| *secrets == found.there.node.secrets);
            [of_redis(host, found), of_release(host, found, (is_right, has_secrets))].into_iter().flatten()
        });
        resources.collect()
    }
}

/// Whether a node's password is that of a Redis on a machine, or of the managed one; where none was seen, nobody knows.
fn is_right(own: &redis::Password, on_machines: &[&redis::Password], managed: Option<&str>) -> bool {
    let is_of_none_seen = on_machines.is_empty() && managed.is_none();
    is_of_none_seen
        || on_machines.iter().any(|right| right.expose() == own.expose())
        || managed.is_some_and(|right| digest(own) == right)
}

fn of_redis(host: &HostSpec, found: &Found) -> Option<(ResourceAddress, Observation)> {
    let redis = &found.there.redis;
    let observation = of_host(host, found, redis.active, redis.enabled)
        .field("configuration", redis.fingerprint.as_ref()?)
        .field("configuration_file", edited(redis.edited.configuration, redis::CONFIGURATION))
        .field("unit_file", edited(redis.edited.unit, redis::UNIT_FILE));
    Some((host.address(Kind::Redis), observation))
}

fn of_release(
    host: &HostSpec,
    found: &Found,
    (is_right, has_secrets): (impl Fn(&redis::Password) -> bool, bool),
) -> Option<(ResourceAddress, Observation)> {
    let node = &found.there.node;
    let is_edited =
        node.edited.environment || !has_secrets || node.password.as_ref().is_some_and(|own| !is_right(own));
    let observation = of_host(host, found, node.active, node.enabled)
        .field("release", node.release.as_ref()?)
        .field("environment_file", edited(is_edited, node::ENVIRONMENT))
        .field("unit_file", edited(node.edited.unit, node::UNIT_FILE))
        .field("program", edited(node.edited.program, node::PROGRAM));
    Some((host.address(Kind::Release), observation))
}

fn of_host(host: &HostSpec, found: &Found, active: bool, enabled: bool) -> Observation {
    let route: Vec<&str> = host.route.iter().map(InstanceName::as_str).collect();
    Observation::new(found.instance.clone())
        .field("service", if active { "active" } else { "not active" })
        .field("start", if enabled { ENABLED } else { "not enabled" })
        .field("route", route.join(" "))
        .field("user", &host.user)
}

/// Never what a file says: it may hold a password.
fn edited(is_edited: bool, path: &str) -> String {
    if is_edited { format!("edited by hand: {path}") } else { AS_WRITTEN.to_owned() }
}
