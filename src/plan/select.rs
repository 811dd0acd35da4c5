//! Which steps of a plan are wanted: these and all they need, or all but these and all that needs them.
//!
//! One relation decides both: what a step [`needs`] to be done too. Something that is made needs what it depends on;
//! something that goes needs all that stands on it to go or to be made anew. A selection is closed under it, so no
//! step is ever left without its base.

pub mod pattern;

use std::collections::{BTreeMap, BTreeSet};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::plan::action::Action;
use crate::plan::desired::Desired;
use crate::plan::graph::stands_on;
use crate::plan::select::pattern::Pattern;
use crate::plan::{Plan, Step};
use crate::resource::spec::Spec;
use crate::resource::{Kind, ResourceAddress};
use crate::topology::nearest;

/// What is asked for; without anything, all is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// These and all they need; without any, everything.
    pub target: Vec<Pattern>,
    /// Not these, and nothing that needs them.
    pub exclude: Vec<Pattern>,
}

/// A pattern that no resource of the stack fits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no resource of this stack is `{pattern}`")]
pub struct NoSuchResource {
    /// The pattern.
    pub pattern: Pattern,
    /// The address most like it.
    pub nearest: Option<String>,
}

impl Selection {
    /// Whether all is asked for.
    pub fn is_all(&self) -> bool {
        self.target.is_empty() && self.exclude.is_empty()
    }

    /// The plan with the rest left out.
    ///
    /// # Errors
    /// When a pattern fits no resource: it is most likely mistyped.
    pub fn of(&self, plan: Plan, desired: &Desired) -> Result<Plan, NoSuchResource> {
        if self.target.is_empty() && self.exclude.is_empty() {
            return Ok(plan);
        }
        // What is asked for has no step in the plan that removes everything, once it is gone.
        let known = desired.resources.keys().chain(plan.steps.iter().map(|step| &step.address)).collect();
        self.target.iter().chain(&self.exclude).try_for_each(|pattern| fits_something(pattern, &known))?;
        let wanted = self.wanted(&plan.steps);
        let is_wanted = |step: &Step| step.action == Action::Keep || wanted.contains(&step.address);
        let (steps, left_out): (Vec<Step>, Vec<Step>) = plan.steps.into_iter().partition(is_wanted);
        Ok(Plan { drift: plan.drift.without(&left_out), steps, left_out, ..plan })
    }

    /// Whether this very resource is asked for.
    pub fn names(&self, address: &ResourceAddress) -> bool {
        let fits = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.fits(address));
        (self.target.is_empty() || fits(&self.target)) && !fits(&self.exclude)
    }

    fn wanted(&self, steps: &[Step]) -> BTreeSet<ResourceAddress> {
        let needs = needs(steps);
        let named = |patterns: &[Pattern]| {
            let addresses = steps.iter().map(|step| &step.address);
            addresses.filter(|address| patterns.iter().any(|one| one.fits(address))).collect::<Vec<_>>()
        };
        let excluded = reached(named(&self.exclude), &reversed(&needs));
        let mut begin = match self.target.as_slice() {
            [] => needs.keys().copied().collect(),
            patterns => named(patterns),
        };
        // Nothing that is excluded is needed by what is not, so it is not come to.
        begin.retain(|address| !excluded.contains(address));
        reached(begin, &needs).into_iter().cloned().collect()
    }
}

fn fits_something(pattern: &Pattern, known: &BTreeSet<&ResourceAddress>) -> Result<(), NoSuchResource> {
    if known.iter().any(|address| pattern.fits(address)) {
        return Ok(());
    }
    let names: Vec<String> = known.iter().map(ToString::to_string).collect();
    let nearest = nearest(&pattern.to_string(), names.iter().map(String::as_str)).map(str::to_owned);
    Err(NoSuchResource { pattern: pattern.clone(), nearest })
}

type Relation<'s> = BTreeMap<&'s ResourceAddress, BTreeSet<&'s ResourceAddress>>;

/// For each step the others that must be done with it.
fn needs(steps: &[Step]) -> Relation<'_> {
    let of = |step| steps.iter().filter(move |other| needs_other(step, other)).map(|other| &other.address);
    steps.iter().map(|step| (&step.address, of(step).collect())).collect()
}

fn needs_other(step: &Step, other: &Step) -> bool {
    step.address != other.address
        && ((is_put(step) && step.depends_on.contains(&other.address))
            || (step.action.removes() && other.action != Action::Keep && would_fall(other, step))
            || (other.action.removes() && makes_room(other, step)))
}

fn is_put(step: &Step) -> bool {
    step.action != Action::Delete
}

/// Whether the upper resource loses what it stands on when the lower one goes.
fn would_fall(upper: &Step, lower: &Step) -> bool {
    // A listener serves with the servers that are left.
    if (upper.address.kind, lower.address.kind) == (Kind::Listener, Kind::Server) {
        return false;
    }
    let will_stand_on_it = is_put(upper) && upper.depends_on.contains(&lower.address);
    will_stand_on_it
        || (upper.current.is_some()
            && stands_on(&upper.address, &lower.address)
            && !is_elsewhere(upper, lower))
}

/// Whether it is known that the upper resource is not on the lower one, but on another of its kind.
fn is_elsewhere(upper: &Step, lower: &Step) -> bool {
    match lower.address.kind {
        Kind::VSwitch => is_in_another_vswitch(upper, lower),
        // What lives on a machine is named after it.
        Kind::HostKey | Kind::Release => upper.address.name != lower.address.name,
        Kind::Vpc
        | Kind::SecurityGroup
        | Kind::KeyPair
        | Kind::Instance
        | Kind::SecurityRule
        | Kind::Redis
        | Kind::RedisInstance
        | Kind::RedisAccount
        | Kind::LoadBalancer
        | Kind::ServerGroup
        | Kind::Server
        | Kind::Certificate
        | Kind::Listener
        | Kind::ListenerRule
        | Kind::Record => false,
    }
}

fn is_in_another_vswitch(upper: &Step, lower: &Step) -> bool {
    let (Some(upper), Some(vswitch)) = (&upper.current, &lower.current) else {
        return false;
    };
    let ids = upper.fields.get("vswitch").or_else(|| upper.fields.get("vswitches"));
    ids.is_some_and(|ids| ids.split(',').all(|id| id != vswitch.id.as_str()))
}

/// Whether a new vSwitch gets addresses that the old one has now.
fn makes_room(old: &Step, new: &Step) -> bool {
    let Some(Spec::VSwitch(wanted)) = new.spec.as_ref().filter(|_| new.action.makes_new()) else {
        return false;
    };
    let range = old.current.as_ref().and_then(|current| current.fields.get("cidr"));
    let range = range.and_then(|text| text.parse::<Ipv4Net>().ok());
    old.address.kind == Kind::VSwitch
        && range.is_some_and(|range| range.contains(&wanted.cidr) || wanted.cidr.contains(&range))
}

fn reversed<'s>(relation: &Relation<'s>) -> Relation<'s> {
    let mut reversed: Relation<'s> = relation.keys().map(|address| (*address, BTreeSet::new())).collect();
    for (address, needed) in relation {
        for other in needed {
            reversed.entry(*other).or_default().insert(*address);
        }
    }
    reversed
}

/// These, and all that can be come to from them.
fn reached<'s>(mut open: Vec<&'s ResourceAddress>, relation: &Relation<'s>) -> BTreeSet<&'s ResourceAddress> {
    let mut found = BTreeSet::new();
    while let Some(address) = open.pop() {
        if found.insert(address) {
            open.extend(&relation[address]);
        }
    }
    found
}

#[cfg(test)]
mod tests;
