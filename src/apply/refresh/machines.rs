//! Reads what is on the machines, all at once, over verified SSH.

use futures_util::future::join_all;

use crate::apply::error::ApplyError;
use crate::apply::hosts::Place;
use crate::apply::provider::host::{node_settings, redis_settings};
use crate::apply::provider::{Known, Provider};
use crate::deploy::{node, redis};
use crate::plan::desired::{Desired, Resource};
use crate::resource::observed::{Observation, Observed};
use crate::resource::spec::{HostSpec, Spec};
use crate::resource::{Kind, ResourceAddress};

/// Reads the machines of a stack into what was observed.
pub(super) async fn read(provider: &Provider, desired: &Desired, observed: &mut Observed) {
    let known = Known::from_observed(observed);
    compute(provider, desired, &known, observed);
    let hosts = desired.resources.values().filter_map(|resource| resource.spec.host_key());
    let machines = hosts.filter(|host| is_readable(host, observed));
    let reads: Vec<_> = machines.map(|host| read_host(provider, host, &known)).collect();
    for (host, read) in join_all(reads).await {
        match read {
            Ok(resources) => observed.resources.extend(resources),
            Err(error) => {
                provider.hosts.forget().await;
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

/// Every machine on the way must be there with its key pinned, and run.
fn is_readable(host: &HostSpec, observed: &Observed) -> bool {
    host.route.iter().all(|name| {
        let instance = observed.resources.get(&ResourceAddress::new(Kind::Instance, name));
        let running =
            instance.and_then(|found| found.fields.get("status")).is_some_and(|status| status == "Running");
        running && observed.resources.contains_key(&ResourceAddress::new(Kind::HostKey, name))
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
    let name = host.instance();
    let there = provider.hosts.observe(Place { host, known }).await?;
    let id = known.id(&ResourceAddress::new(Kind::Instance, name))?;
    let route: Vec<&str> = host.route.iter().map(crate::base::ids::InstanceName::as_str).collect();
    let observation = |active: bool| {
        Observation::new(id.clone())
            .field("service", if active { "active" } else { "not active" })
            .field("route", route.join(" "))
            .field("user", &host.user)
    };
    let mut found = Vec::new();
    if let Some(fingerprint) = there.redis.fingerprint {
        let address = ResourceAddress::new(Kind::Redis, name);
        found.push((address, observation(there.redis.active).field("configuration", fingerprint)));
    }
    if let Some(release) = there.node.release {
        let address = ResourceAddress::new(Kind::Release, name);
        found.push((address, observation(there.node.active).field("release", release)));
    }
    Ok(found)
}
