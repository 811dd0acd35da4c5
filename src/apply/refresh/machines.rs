//! Reads what is on the machines, all at once, over verified SSH.

use futures_util::future::join_all;

use crate::apply::error::ApplyError;
use crate::apply::hosts::Place;
use crate::apply::provider::host::{MACHINE_GOES, node_settings, redis_settings};
use crate::apply::provider::{Known, Provider};
use crate::base::ids::InstanceName;
use crate::deploy::{node, redis};
use crate::plan::desired::{Desired, Resource};
use crate::resource::observed::{Observation, Observed, Output, Owner};
use crate::resource::spec::{HostSpec, Spec};
use crate::resource::{Kind, ResourceAddress};

/// Reads the machines of a stack into what was observed.
pub(super) async fn read(provider: &Provider, desired: &Desired, observed: &mut Observed) {
    let known = Known::from_observed(observed);
    compute(provider, desired, &known, observed);
    let wanted = desired.resources.values().filter_map(|resource| resource.spec.host_key());
    let hosts: Vec<HostSpec> = wanted.cloned().chain(leaving(desired, observed)).collect();
    let machines = hosts.iter().filter(|host| is_readable(host, &known, observed));
    let reads: Vec<_> = machines.map(|host| read_host(provider, host, &known)).collect();
    for (host, read) in join_all(reads).await {
        match read {
            Ok(resources) => observed.resources.extend(leaving_marked(host, desired, resources)),
            Err(error) => {
                provider.hosts.forget().await;
                if host.deposed.is_some() {
                    continue;
                }
                for resource in desired.resources.values().filter(|one| is_on(one, host)) {
                    observed.unknown.insert(resource.address.clone(), error.to_string());
                }
            }
        }
    }
}

/// What a release and Redis would be called, as far as the machines have addresses.
fn compute(provider: &Provider, desired: &Desired, known: &Known, observed: &mut Observed) {
    for resource in desired.resources.values() {
        if let Some((field, value)) = computed(provider, &resource.spec, known) {
            observed.computed.insert((resource.address.clone(), field), value);
        }
    }
}

fn computed(provider: &Provider, spec: &Spec, known: &Known) -> Option<(&'static str, String)> {
    if let Spec::Redis(spec) = spec {
        let settings = redis_settings(spec, known).ok()?;
        return Some(("configuration", redis::fingerprint(&settings).ok()?));
    }
    if let Spec::Release(spec) = spec {
        let settings = node_settings(spec, known).ok()?;
        let release = node::release_id(provider.artifact.as_ref()?, &settings).ok()?;
        return Some(("release", release.to_string()));
    }
    None
}

fn is_on(resource: &Resource, host: &HostSpec) -> bool {
    resource.address.kind.is_on_host() && resource.host() == Some(host.instance())
}

/// Machines that are there and are to go: deposed ones, and those that the topology does not have any more. What runs
/// on them is stopped before they go.
fn leaving(desired: &Desired, observed: &Observed) -> Vec<HostSpec> {
    let wanted = |name: &str| {
        desired.resources.get(&ResourceAddress::new(Kind::HostKey, name)).and_then(|one| one.spec.host_key())
    };
    let user = desired.resources.values().find_map(|one| one.spec.host_key()).map(|host| host.user.clone());
    let machines = observed.resources.iter().filter(|(address, found)| {
        let goes = address.is_deposed() || wanted(&address.name).is_none();
        address.kind == Kind::Instance && found.owner == Owner::Stack && goes
    });
    let host = |(address, found): (&ResourceAddress, &Observation)| {
        let name = InstanceName::new(&address.name);
        let is_public = found.outputs.contains_key(&Output::PublicAddress);
        let between = match wanted(&address.name) {
            _ if is_public => Vec::new(),
            Some(host) if host.route.len() > 1 => host.route[..host.route.len() - 1].to_vec(),
            Some(_) | None => way_in(desired),
        };
        let route = between.into_iter().chain([name]).collect();
        Some(HostSpec { route, user: user.clone()?, deposed: address.deposed.clone() })
    };
    machines.filter_map(host).collect()
}

/// A machine with a public address, as the way to one whose own way the topology does not tell.
fn way_in(desired: &Desired) -> Vec<InstanceName> {
    let mut hosts = desired.resources.values().filter_map(|one| one.spec.host_key());
    hosts.find(|host| host.route.len() == 1).map(|host| host.route.clone()).unwrap_or_default()
}

/// What is on a machine that the topology does not have any more says so: it need not be stopped at all costs.
fn leaving_marked(
    host: &HostSpec,
    desired: &Desired,
    resources: Vec<(ResourceAddress, Observation)>,
) -> Vec<(ResourceAddress, Observation)> {
    let stays = desired.resources.contains_key(&host.address(Kind::Instance).successor());
    let mark = |(address, found): (ResourceAddress, Observation)| {
        (address, if stays { found } else { found.field(MACHINE_GOES, "") })
    };
    resources.into_iter().map(mark).collect()
}

/// Every machine on the way must be there with its key pinned, and run.
fn is_readable(host: &HostSpec, known: &Known, observed: &Observed) -> bool {
    known.route(host).iter().all(|machine| {
        let status = observed.resources.get(machine).and_then(|found| found.fields.get("status"));
        let running = status.is_some_and(|status| status == "Running");
        running && observed.resources.contains_key(&machine.on_same_machine(Kind::HostKey))
    })
}

type HostRead<'h> = (&'h HostSpec, Result<Vec<(ResourceAddress, Observation)>, ApplyError>);

async fn read_host<'h>(provider: &Provider, host: &'h HostSpec, known: &Known) -> HostRead<'h> {
    (host, observe_host(provider, host, known).await)
}

async fn observe_host(
    provider: &Provider,
    host: &HostSpec,
    known: &Known,
) -> Result<Vec<(ResourceAddress, Observation)>, ApplyError> {
    let there = provider.hosts.observe(Place { host, known }).await?;
    let id = known.id(&host.address(Kind::Instance))?;
    let route: Vec<&str> = host.route.iter().map(crate::base::ids::InstanceName::as_str).collect();
    let observation = |active: bool| {
        Observation::new(id.clone())
            .field("service", if active { "active" } else { "not active" })
            .field("route", route.join(" "))
            .field("user", &host.user)
    };
    let mut found = Vec::new();
    if let Some(fingerprint) = there.redis.fingerprint {
        let address = host.address(Kind::Redis);
        found.push((address, observation(there.redis.active).field("configuration", fingerprint)));
    }
    if let Some(release) = there.node.release {
        let address = host.address(Kind::Release);
        found.push((address, observation(there.node.active).field("release", release)));
    }
    Ok(found)
}
