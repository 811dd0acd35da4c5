//! Reads what there is of a stack: from the cloud by tag and remark, from the hosts over SSH.
//!
//! 1. What the journal knows by id and one call tells is asked for by id, all other kinds by lists, at once; each
//!    resource says by its tags which one it is.
//! 2. What the journal knows and no list shows is asked for by id, for a short while when it is young: lists lag behind
//!    writes, and somebody may have taken a tag away.
//! 3. Hosts that run and whose key is pinned are read over verified SSH, all at once. One that cannot be reached makes
//!    its resources unknown, never an error.
//!
//! Nothing is changed, in the cloud or on the hosts. [`from_journal`] asks nobody: it believes what was written down.

mod foreign;
mod images;
mod lookup;
mod machines;
mod observations;
mod placing;
mod reader;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::apply::error::ApplyError;
use crate::apply::provider::{Known, Provider};
use crate::base::ids::CloudId;
use crate::base::retry::{Backoff, Deadline};
use crate::base::{clock, expiry};
use crate::plan::desired::Desired;
use crate::resource::observed::{Applied, Observation, Observed, Output, Owner};
use crate::resource::phase::Phase;
use crate::resource::spec::Wanted;
use crate::resource::{Kind, ResourceAddress};
use crate::state::{Memory, Remembered};

/// How long a list may lag behind what the journal knows for sure.
const LAG: Duration = Duration::from_secs(10);

/// Whether hosts are read too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The cloud alone: destroy needs no host.
    Cloud,
    /// The cloud and the hosts.
    CloudAndHosts,
}

/// Reads what there is.
///
/// # Errors
/// When the cloud cannot be asked.
pub async fn refresh(provider: &Provider, desired: &Desired, depth: Depth) -> Result<Observed, ApplyError> {
    let memory = provider.ledger.memory();
    let deadline = Deadline::after(LAG);
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
    let mut observed = loop {
        let observed = reader::read(provider, desired, &memory).await?;
        let may_lag =
            is_missing_something(&memory, &observed) || shows_what_leaves(&memory, desired, &observed);
        if !may_lag || !backoff.wait(&deadline).await {
            break observed;
        }
    };
    mark_tainted(&memory, &mut observed);
    observed.applied = applied(&memory, provider.now_there());
    if desired.exclusive {
        foreign::claim(&mut observed);
    }
    match depth {
        Depth::CloudAndHosts => {
            let families = images::families(desired, &observed);
            let machines = machines::read(provider, desired, &mut observed);
            let ((), newest_images) = tokio::join!(machines, images::newest(provider, families));
            observed.newest_images = newest_images;
        }
        Depth::Cloud => observed.applied.retain(|address, _| !address.kind.is_on_host()),
    }
    Ok(observed)
}

/// Reads what there is before everything goes: what others have in the network of the stack would stand in the way.
///
/// What bears the stack's own tags there, and is none of its resources, has been seen by one of two lists only: one of
/// them lags, so both are read again.
///
/// # Errors
/// When the cloud cannot be asked.
pub async fn refresh_to_remove(
    provider: &Provider,
    desired: &Desired,
    depth: Depth,
) -> Result<Observed, ApplyError> {
    let stack = provider.stack.as_str();
    let deadline = Deadline::after(LAG);
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
    loop {
        let mut observed = refresh(provider, desired, depth).await?;
        let obstacles = foreign::obstacles(provider, &observed).await?;
        let lists_agree = obstacles.iter().all(|obstacle| obstacle.stack.as_deref() != Some(stack));
        if lists_agree || !backoff.wait(&deadline).await {
            observed.foreign.extend(obstacles);
            return Ok(observed);
        }
    }
}

/// What there is as far as it was written down; nobody is asked, so what others did since is not in it.
pub fn from_journal(provider: &Provider, desired: &Desired) -> Observed {
    let memory = provider.ledger.memory();
    let mut observed = Observed::default();
    for (address, remembered) in &memory.resources {
        if let Some(found) = remembered_as_found(remembered) {
            observed.resources.insert(address.clone(), found);
        }
    }
    for (address, resource) in &desired.resources {
        if let Some(id) = resource.spec.existing() {
            let found = observed.resources.remove(address).filter(|found| found.id == *id);
            let found = found.unwrap_or_else(|| Observation::new(id.clone()));
            observed.resources.insert(address.clone(), found.of_others());
        }
    }
    for (address, found) in &mut observed.resources {
        let wanted = desired.resources.get(address).map(|resource| resource.spec.wanted());
        for (field, wanted) in wanted.into_iter().flatten() {
            // What the cloud chose may not have been written down yet: it was one of the choices.
            if let (Wanted::OneOf(values), false) = (&wanted, found.fields.contains_key(field)) {
                found.fields.extend(values.first().map(|value| (field.to_owned(), value.clone())));
            }
        }
    }
    mark_tainted(&memory, &mut observed);
    let known = Known::from_observed(&observed);
    machines::compute(provider, desired, &known, &mut observed);
    observed
}

/// What was used and not owned has an id among its outputs and no life of its own.
fn remembered_as_found(remembered: &Remembered) -> Option<Observation> {
    let of_others = || remembered.outputs.get(&Output::Id).map(CloudId::new);
    let (id, owner) = match &remembered.phase {
        Phase::Absent => (of_others()?, Owner::Other),
        Phase::Intended(_) => return None,
        Phase::Accepted(id) | Phase::Ready(id) | Phase::Tainted(id) => (id.clone(), Owner::Stack),
    };
    let mut found = Observation::new(id).of(if remembered.adopted { Owner::Adopted } else { owner });
    found.outputs.extend(remembered.outputs.clone());
    found.fields.clone_from(&remembered.fields);
    Some(found)
}

/// Whether the journal has just become sure of something that no list shows. What it has been sure of for longer has
/// gone.
fn is_missing_something(memory: &Memory, observed: &Observed) -> bool {
    // Where it is does not matter: what is inside of something deposed is known to be deposed when it is seen.
    let is_found = |kind: Kind, id: &CloudId| {
        observed.resources.iter().any(|(address, found)| address.kind == kind && found.id == *id)
    };
    memory.resources.iter().any(|(address, remembered)| match &remembered.phase {
        Phase::Ready(id) => {
            is_young(remembered)
                && !memory.is_leaving(address)
                && !address.kind.is_on_host()
                && !is_found(address.kind, id)
        }
        Phase::Absent | Phase::Intended(_) | Phase::Accepted(_) | Phase::Tainted(_) => false,
    })
}

/// Whether a list still shows what a command that ended wanted gone a moment ago, and what is wanted to stay now: the
/// list may lag. What it has shown for longer is there.
fn shows_what_leaves(memory: &Memory, desired: &Desired, observed: &Observed) -> bool {
    memory.resources.iter().any(|(address, remembered)| {
        memory.is_leaving(address)
            && is_young(remembered)
            && desired.resources.contains_key(address)
            && observed.resources.contains_key(address)
    })
}

fn is_young(remembered: &Remembered) -> bool {
    let age = remembered.at.map(|at| clock::now().duration_since(at));
    age.is_none_or(|age| Duration::try_from(age).is_ok_and(|age| age < LAG))
}

fn mark_tainted(memory: &Memory, observed: &mut Observed) {
    for (address, remembered) in &memory.resources {
        let Phase::Tainted(id) = &remembered.phase else { continue };
        let found = observed.resources.get(address);
        if found.is_some_and(|found| found.id == *id && found.owner == Owner::Stack) {
            observed.tainted.insert(address.clone());
        }
    }
}

/// What the journal last knew of resources that were ready; how deposed ones fare is nobody's concern, nor that of those
/// which a command that ended has taken away.
fn applied(memory: &Memory, now: Timestamp) -> BTreeMap<ResourceAddress, Applied> {
    let resources = memory.resources.iter();
    let resources = resources.filter(|(address, _)| !address.is_deposed() && !memory.is_leaving(address));
    let ready = resources.filter_map(|(address, remembered)| match &remembered.phase {
        Phase::Ready(id) => {
            let machine = address.on_same_machine(Kind::Instance);
            let outputs = memory.resources.get(&machine).map(|one| &one.outputs);
            let end = outputs.and_then(|outputs| outputs.get(&Output::ReleaseTime));
            let ends_with = address.kind == Kind::Instance || Kind::ON_MACHINES.contains(&address.kind);
            let expired = end.filter(|end| ends_with && expiry::is_past(end, now)).cloned();
            Some((address.clone(), Applied { id: id.clone(), fields: remembered.fields.clone(), expired }))
        }
        Phase::Absent | Phase::Intended(_) | Phase::Accepted(_) | Phase::Tainted(_) => None,
    });
    ready.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{RegionId, StackName};
    use crate::resource::observed::Outputs;
    use crate::state::Identity;

    /// Which of a machine, what lives on it and a server have gone by themselves at a moment.
    fn expired(now: &str) -> Vec<String> {
        let region = RegionId::new("cn-hangzhou");
        let mut memory =
            Memory::new(Identity::new("1", "http://127.0.0.1:1", region, StackName::new("chat")));
        for kind in [Kind::Instance, Kind::HostKey, Kind::Release, Kind::Server] {
            let phase = Phase::Ready(CloudId::new("i-1"));
            let end = Outputs::from([(Output::ReleaseTime, "2026-12-01T08:00Z".to_owned())]);
            let outputs = if kind == Kind::Instance { end } else { Outputs::new() };
            let remembered = Remembered { phase, outputs, ..Remembered::default() };
            memory.resources.insert(ResourceAddress::new(kind, "ecs01"), remembered);
        }
        let applied = applied(&memory, now.parse().expect("a moment"));
        let gone = applied.into_iter().filter(|(_, one)| one.expired.is_some());
        gone.map(|(address, _)| address.to_string()).collect()
    }

    #[test]
    fn what_goes_by_itself_takes_along_what_lives_on_it() {
        assert_eq!(expired("2026-12-01T07:59:59Z"), Vec::<String>::new());
        assert_eq!(expired("2026-12-01T08:00:00Z"), ["instance.ecs01", "host_key.ecs01", "release.ecs01"]);
    }
}
