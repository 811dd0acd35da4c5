//! Layer 2: what would change. Pure: a topology and what was observed go in, a [`Plan`] comes out.
//!
//! 1. [`desired`] lists what a topology asks for, with what each resource needs to be there first;
//! 2. [`make`] compares that with what is there, kind by kind in the order of creation, so that a resource whose
//!    base is made anew is known to change too;
//! 3. [`drift`] says what others have changed since it was last applied;
//! 4. [`select`] leaves out what was not asked for;
//! 5. [`graph`] says in which order the steps can go, and which can go together, [`batch`] which one call does, and [`order`] of each replacement
//!    whether the new one is made before the old one goes;
//! 6. [`rollout`] says whether a node is without traffic while its release is changed;
//! 7. [`forecast`] says which calls all that takes, and how long: it goes over the graph by the same [`walk`] as apply.
//!
//! The plan is data: it can be printed, and apply takes nothing else. [`saved`] keeps it in a file until it is applied.

pub mod action;
pub mod batch;
pub mod desired;
mod diff;
pub mod drift;
pub mod forecast;
pub mod graph;
mod nodes;
pub mod note;
pub mod order;
pub mod protect;
pub mod rollback;
pub mod rollout;
pub mod saved;
pub mod select;
mod standing;
pub mod walk;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::expiry::{self, NEVER};
use crate::base::ids::{RegionId, StackName};
use crate::plan::action::{Action, Change};
use crate::plan::desired::Desired;
use crate::plan::drift::Drift;
use crate::plan::note::OlderImage;
use crate::resource::observed::{Observation, Observed, Output};
use crate::resource::spec::{EXPIRES, InstanceSpec, Spec};
use crate::resource::tags::UserTags;
use crate::resource::{Kind, ResourceAddress};

/// One resource's part of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Which resource.
    pub address: ResourceAddress,
    /// What happens to it.
    pub action: Action,
    /// What it shall be; none when it is to go.
    pub spec: Option<Spec>,
    /// The tags it shall have beside those that say whose it is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: UserTags,
    /// What it is; none when it is not there.
    pub current: Option<Observation>,
    /// What must be there first.
    pub depends_on: Vec<ResourceAddress>,
}

/// What would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The stack.
    pub stack: StackName,
    /// Where.
    pub region: RegionId,
    /// In the order of creation, removals last and backwards.
    pub steps: Vec<Step>,
    /// Work that a selection leaves out; nothing is done about it.
    pub left_out: Vec<Step>,
    /// What was changed by others since.
    pub drift: Drift,
    /// Instances that run an older image than their family has.
    pub older_images: Vec<OlderImage>,
}

/// How many of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// To create.
    pub create: usize,
    /// To update in place.
    pub update: usize,
    /// To make anew.
    pub replace: usize,
    /// To delete.
    pub delete: usize,
    /// Not known before apply looks at the hosts.
    pub unknown: usize,
    /// As they shall be.
    pub keep: usize,
    /// Left out by a selection, whatever was to happen to it.
    pub left_out: usize,
}

impl Plan {
    /// How many of each.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary { left_out: self.left_out.len(), ..Summary::default() };
        for step in &self.steps {
            *match step.action {
                Action::Create => &mut summary.create,
                Action::Update(_) => &mut summary.update,
                Action::Replace(_) => &mut summary.replace,
                Action::Delete => &mut summary.delete,
                Action::Unknown(_) => &mut summary.unknown,
                Action::Keep => &mut summary.keep,
            } += 1;
        }
        summary
    }

    /// What happens to a resource, unless it is left out.
    pub fn step(&self, address: &ResourceAddress) -> Option<&Step> {
        find_step(&self.steps, address)
    }

    /// What happens to each resource, for whoever asks for many.
    pub fn by_address(&self) -> BTreeMap<&ResourceAddress, &Step> {
        by_address(&self.steps)
    }

    /// Whether anything would change.
    pub fn has_changes(&self) -> bool {
        self.steps.iter().any(|step| step.action.is_change())
    }

    /// Whether apply has anything to do; hosts that could not be read count.
    pub fn has_work(&self) -> bool {
        self.steps.iter().any(|step| step.action != Action::Keep)
    }
}

fn find_step<'p>(steps: &'p [Step], address: &ResourceAddress) -> Option<&'p Step> {
    steps.iter().find(|step| step.address == *address)
}

fn by_address(steps: &[Step]) -> BTreeMap<&ResourceAddress, &Step> {
    steps.iter().map(|step| (&step.address, step)).collect()
}

/// Compares what is asked for with what is there.
pub fn make(stack: &StackName, region: &RegionId, desired: &Desired, observed: &Observed) -> Plan {
    let mut steps: BTreeMap<ResourceAddress, Step> = BTreeMap::new();
    for resource in desired.resources.values() {
        let mut step = step_for(resource, observed, &steps);
        if desired.extends {
            extend(&mut step);
        }
        steps.insert(step.address.clone(), step);
    }
    let mut steps: Vec<Step> = steps.into_values().collect();
    steps.extend(removals(observed, |address| !desired.resources.contains_key(address)));
    let drift = Drift::find(observed, &steps);
    let older_images = OlderImage::find(&steps, observed);
    Plan { stack: stack.clone(), region: region.clone(), steps, left_out: Vec::new(), drift, older_images }
}

/// Lets the time of an instance begin anew that is there and goes by itself.
fn extend(step: &mut Step) {
    let (Some(Spec::Instance(InstanceSpec { expires: Some(time), .. })), Some(current)) =
        (&step.spec, &step.current)
    else {
        return;
    };
    let until = current.outputs.get(&Output::ReleaseTime).map_or(NEVER, String::as_str);
    let (from, to) = (format!("until {until}"), format!("{} from now", expiry::words(*time)));
    let change = Change { field: EXPIRES, from, to, forces_replacement: false };
    match &mut step.action {
        Action::Update(changes) => {
            changes.retain(|change| change.field != EXPIRES);
            changes.push(change);
        }
        Action::Keep => step.action = Action::Update(vec![change]),
        Action::Create | Action::Replace(_) | Action::Delete | Action::Unknown(_) => {}
    }
}

/// Removes everything of a stack.
pub fn make_destroy(stack: &StackName, region: &RegionId, observed: &Observed) -> Plan {
    let blocked = drift::blocked(observed);
    let steps: Vec<Step> = removals(observed, |address| !blocked.contains(address)).collect();
    let drift = Drift::in_the_way(observed, &steps);
    let (stack, region) = (stack.clone(), region.clone());
    Plan { stack, region, steps, left_out: Vec::new(), drift, older_images: Vec::new() }
}

fn step_for(
    resource: &desired::Resource,
    observed: &Observed,
    earlier: &BTreeMap<ResourceAddress, Step>,
) -> Step {
    let current = observed.resources.get(&resource.address);
    Step {
        address: resource.address.clone(),
        action: action_for(resource, current, observed, earlier),
        spec: Some(resource.spec.clone()),
        tags: resource.tags.clone(),
        current: current.cloned(),
        depends_on: resource.depends_on.iter().cloned().collect(),
    }
}

fn action_for(
    resource: &desired::Resource,
    current: Option<&Observation>,
    observed: &Observed,
    earlier: &BTreeMap<ResourceAddress, Step>,
) -> Action {
    let host_is_new = resource
        .host()
        .and_then(|host| earlier.get(&ResourceAddress::new(Kind::Instance, host)))
        .is_some_and(|instance| instance.action.makes_new());
    if host_is_new {
        return match current {
            Some(current) => Action::Replace(vec![Change::of_machine(&current.id)]),
            None => Action::Create,
        };
    }
    if let Some(reason) = observed.unknown.get(&resource.address) {
        return Action::Unknown(reason.clone());
    }
    let Some(current) = current else {
        return Action::Create;
    };
    if observed.tainted.contains(&resource.address) {
        return Action::Replace(vec![Change::broken()]);
    }
    let changes = diff::changes(resource, current, observed, earlier);
    if changes.is_empty() {
        Action::Keep
    } else if changes.iter().any(|change| change.forces_replacement) {
        Action::Replace(changes)
    } else {
        Action::Update(changes)
    }
}

/// What others own is left alone; the rest goes, last made first.
fn removals(observed: &Observed, unwanted: impl Fn(&ResourceAddress) -> bool) -> impl Iterator<Item = Step> {
    observed
        .resources
        .iter()
        .rev()
        .filter(move |(address, current)| current.owner.may_be_removed() && unwanted(address))
        .map(|(address, current)| Step {
            address: address.clone(),
            action: Action::Delete,
            spec: None,
            tags: UserTags::new(),
            current: Some(current.clone()),
            depends_on: Vec::new(),
        })
}

#[cfg(test)]
mod tests;
