//! What others have changed since the stack was last applied, and what they have put into it.
//!
//! Three values of a field are told apart: what the topology says, what was last applied, and what is there now. A
//! difference of the last two is drift, whatever the topology says. Pure, as all of planning.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::base::ids::CloudId;
use crate::base::word::{self, Word};
use crate::plan::action::Action;
use crate::plan::{Step, by_address};
use crate::resource::observed::{Applied, Foreign, Observation, Observed, Owner, Tie};
use crate::resource::settings::{changes_by_itself, is_shown_only};
use crate::resource::{Kind, ResourceAddress};

/// What others have done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// Resources of the stack that are not as they were left.
    pub resources: Vec<Drifted>,
    /// Things in resources of the stack that are none of its own.
    pub foreign: Vec<NotOurs>,
}

/// A resource that is not as it was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drifted {
    /// Which one.
    pub address: ResourceAddress,
    /// The id it was left with.
    pub id: CloudId,
    /// Whether it is not there any more.
    pub gone: bool,
    /// When it was to go by itself, where that is why it is gone.
    pub expired: Option<String>,
    /// Its fields that changed; empty when it is gone.
    pub changes: Vec<FieldDrift>,
    /// What the plan does about it.
    pub then: Then,
}

/// A field that is not as it was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldDrift {
    /// Its name.
    pub field: String,
    /// As it was left.
    pub applied: String,
    /// As it is.
    pub now: String,
    /// Whether no call that we use could bring it back.
    pub shown_only: bool,
}

/// What a plan does about drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// It is made again, or anew.
    Recreated,
    /// It is changed back, or to what the topology says now.
    Updated,
    /// It is removed, as the topology does not have it.
    Removed,
    /// Nothing: it is as the topology says, or no call changes it.
    Kept,
}

/// Something that others have put into a resource of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotOurs {
    /// The resource it is in.
    pub container: ResourceAddress,
    /// Its kind.
    #[serde(deserialize_with = "word::deserialize")]
    pub kind: Word,
    /// Its id.
    pub id: CloudId,
    /// What it is.
    pub words: String,
    /// The stack that made it, when one did.
    pub stack: Option<String>,
    /// What the plan means for it.
    pub fate: Fate,
}

/// What a plan means for something of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It stays as it is.
    Kept,
    /// It is a part of a resource that goes, and goes with it.
    GoesWith,
    /// The resource it is in cannot go while it is there.
    InTheWay,
}

impl Drift {
    /// Compares what was left with what is there, in the light of what a plan does.
    pub(super) fn find(observed: &Observed, steps: &[Step]) -> Self {
        let (resources, steps_by_address) = (observed.applied.iter(), by_address(steps));
        let resources =
            resources.filter_map(|(address, applied)| drifted(address, applied, observed, &steps_by_address));
        let foreign =
            observed.foreign.iter().map(|foreign| not_ours(foreign, goes(foreign, steps))).collect();
        Self { resources: resources.collect(), foreign }
    }

    /// For a removal of everything: what is not as it was left goes all the same, what others have in it may not.
    pub(super) fn in_the_way(observed: &Observed, steps: &[Step]) -> Self {
        let goes = |foreign: &Foreign| goes(foreign, steps) || foreign.tie == Tie::InTheWay;
        let foreign = observed.foreign.iter().map(|foreign| not_ours(foreign, goes(foreign))).collect();
        Self { resources: Vec::new(), foreign }
    }

    /// Things of others in what shall go.
    pub fn obstacles(&self) -> impl Iterator<Item = &NotOurs> {
        self.foreign.iter().filter(|one| one.fate == Fate::InTheWay)
    }

    /// The same for a plan that leaves these steps out: nothing comes of them.
    pub(super) fn without(mut self, left_out: &[Step]) -> Self {
        let is_left_out = |address: &ResourceAddress| left_out.iter().any(|step| step.address == *address);
        for drifted in self.resources.iter_mut().filter(|one| is_left_out(&one.address)) {
            drifted.then = Then::Kept;
        }
        for foreign in self.foreign.iter_mut().filter(|one| is_left_out(&one.container)) {
            foreign.fate = Fate::Kept;
        }
        self
    }

    /// Compares alone, for those who plan nothing.
    pub fn of(observed: &Observed) -> Self {
        Self::find(observed, &[])
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.foreign.is_empty()
    }
}

/// Whether a plan removes what a thing of others is in.
fn goes(foreign: &Foreign, steps: &[Step]) -> bool {
    steps.iter().any(|step| step.address == foreign.container && step.action.removes())
}

fn not_ours(foreign: &Foreign, goes: bool) -> NotOurs {
    NotOurs {
        container: foreign.container.clone(),
        kind: foreign.address.kind.word(),
        id: foreign.found.id.clone(),
        words: foreign.words.clone(),
        stack: foreign.stack.clone(),
        fate: match (goes, foreign.tie) {
            (false, _) => Fate::Kept,
            (true, Tie::Part) => Fate::GoesWith,
            (true, Tie::InTheWay) => Fate::InTheWay,
        },
    }
}

fn drifted(
    address: &ResourceAddress,
    applied: &Applied,
    observed: &Observed,
    steps: &BTreeMap<&ResourceAddress, &Step>,
) -> Option<Drifted> {
    if observed.unknown.contains_key(address) {
        return None;
    }
    let now = observed.resources.get(address);
    let changes = now.map(|now| field_drift(address.kind, applied, now)).unwrap_or_default();
    if now.is_some() && changes.is_empty() {
        return None;
    }
    let then = then(address, &changes, steps);
    let (address, id, gone) = (address.clone(), applied.id.clone(), now.is_none());
    let expired = applied.expired.clone().filter(|_| gone);
    Some(Drifted { address, id, gone, expired, changes, then })
}

/// Fields that were written down and are different now. Those never written down say nothing.
fn field_drift(kind: Kind, applied: &Applied, now: &Observation) -> Vec<FieldDrift> {
    let id = (applied.id != now.id && kind.has_an_id_of_its_own()).then(|| FieldDrift {
        field: "id".to_owned(),
        applied: applied.id.to_string(),
        now: now.id.to_string(),
        shown_only: false,
    });
    let by_others = applied.fields.iter().filter(|(field, _)| !changes_by_itself(kind, field));
    let fields = by_others.filter_map(|(field, applied)| {
        let now = now.fields.get(field).filter(|now| *now != applied)?;
        Some(FieldDrift {
            field: field.clone(),
            applied: applied.clone(),
            now: now.clone(),
            shown_only: is_shown_only(kind, field),
        })
    });
    id.into_iter().chain(fields).collect()
}

fn then(
    address: &ResourceAddress,
    changes: &[FieldDrift],
    steps: &BTreeMap<&ResourceAddress, &Step>,
) -> Then {
    match steps.get(address).map(|step| &step.action) {
        Some(Action::Create | Action::Replace(_)) => Then::Recreated,
        Some(Action::Update(_)) if changes.iter().any(|change| !change.shown_only) => Then::Updated,
        Some(Action::Delete) => Then::Removed,
        Some(Action::Update(_) | Action::Keep | Action::Unknown(_)) | None => Then::Kept,
    }
}

/// Resources that cannot go, or not without something of others: what such a thing is in, and what that is in.
pub(super) fn blocked(observed: &Observed) -> BTreeSet<ResourceAddress> {
    let in_the_way = observed.foreign.iter().filter(|foreign| foreign.tie == Tie::InTheWay);
    let mut blocked: BTreeSet<ResourceAddress> = BTreeSet::new();
    for foreign in in_the_way {
        blocked.insert(foreign.container.clone());
        // What it uses cannot go either, such as the group that a listener forwards to.
        let uses =
            |found: &Observation| foreign.found.fields.values().any(|value| value == found.id.as_str());
        let held = observed.resources.iter().filter(|(_, found)| uses(found));
        blocked.extend(held.map(|(address, _)| address.clone()));
    }
    loop {
        let carries = |address: &&ResourceAddress| {
            let dependents = address.kind.dependents();
            blocked.iter().any(|kept| dependents.contains(&kept.kind)) && !blocked.contains(*address)
        };
        let below: Vec<ResourceAddress> = observed.resources.keys().filter(carries).cloned().collect();
        if below.is_empty() {
            return blocked;
        }
        blocked.extend(below);
    }
}

/// A step that would replace what was adopted; that is never done.
pub fn replaces_adopted(steps: &[Step]) -> Option<&Step> {
    let is_adopted =
        |step: &&Step| step.current.as_ref().is_some_and(|current| current.owner == Owner::Adopted);
    steps.iter().filter(is_adopted).find(|step| step.action.removes())
}
