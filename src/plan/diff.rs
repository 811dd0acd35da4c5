//! Field by field: what is not as it shall be.

use std::collections::BTreeMap;

use crate::base::word::Word;
use crate::plan::Step;
use crate::plan::action::{AFTER_APPLY, Change};
use crate::plan::desired::Resource;
use crate::resource::observed::{Observation, Observed, Output, Owner};
use crate::resource::settings::is_shown_only;
use crate::resource::spec::{Spec, Wanted};
use crate::resource::tags::{self, NO_TAG};
use crate::resource::{Kind, ResourceAddress};
use crate::resource::{disks, replacement};

/// The fields of a resource that are not as they shall be.
pub(super) fn changes(
    resource: &Resource,
    current: &Observation,
    observed: &Observed,
    earlier: &BTreeMap<ResourceAddress, Step>,
) -> Vec<Change> {
    let kind = resource.address.kind;
    let differs = |(field, wanted): (&'static str, Wanted)| {
        let seen = current.fields.get(field);
        if seen.is_none() && may_be_untold(kind, field) {
            return None;
        }
        let from = seen.cloned().unwrap_or_default();
        let to = match wanted {
            Wanted::Exactly(value) => value,
            Wanted::OneOf(values) if values.contains(&from) => from.clone(),
            Wanted::OneOf(values) => values.first().cloned().unwrap_or_default(),
            Wanted::Outputs(addresses, output) => outputs(&addresses, output, earlier),
            Wanted::Computed if stands_on_something_new(&resource.spec, earlier) => AFTER_APPLY.to_owned(),
            Wanted::Computed => observed
                .computed
                .get(&(resource.address.clone(), field))
                .cloned()
                .unwrap_or_else(|| AFTER_APPLY.to_owned()),
        };
        (from != to).then(|| change(kind, field, (from, to)))
    };
    let name = compared_name(resource, current).map(|name| ("name", Wanted::Exactly(name)));
    let by_field = resource.spec.wanted().into_iter().chain(name).filter_map(differs);
    by_field.chain(disks_to_go(resource, current)).chain(tag_changes(resource, current)).collect()
}

fn change(kind: Kind, field: Word, (from, to): (String, String)) -> Change {
    let forces_replacement = replacement::reason(kind, field, (&from, &to)).is_some();
    Change { field, from, to, forces_replacement }
}

/// Data disks of a machine that the topology does not have any more.
fn disks_to_go(resource: &Resource, current: &Observation) -> Vec<Change> {
    let Spec::Instance(spec) = &resource.spec else { return Vec::new() };
    let not_wanted = disks::not_wanted(&current.fields, spec).into_iter();
    not_wanted
        .map(|(field, size)| change(Kind::Instance, field, (size.to_owned(), disks::NO_DISK.to_owned())))
        .collect()
}

/// Tags that are missing, that have another value, or that the topology does not have any more. Which of those that are
/// there count was decided when they were read; where none was read, nothing is known of them.
fn tag_changes(resource: &Resource, current: &Observation) -> Vec<Change> {
    if current.owner == Owner::Other {
        return Vec::new();
    }
    let there = current.fields.iter().filter_map(|(field, value)| Some((tags::key(field)?, value)));
    let changes = there.filter_map(|(key, from)| {
        let to = resource.tags.get(key).map_or_else(|| NO_TAG.to_owned(), |value| tags::shown(value));
        let change = Change { field: tags::field(key), from: from.clone(), to, forces_replacement: false };
        (change.from != change.to).then_some(change)
    });
    changes.collect()
}

/// What was adopted keeps the name it came with; only an instance's is in the topology.
fn compared_name(resource: &Resource, current: &Observation) -> Option<String> {
    let kind = resource.address.kind;
    let keeps_its_own = current.owner == Owner::Adopted && kind != Kind::Instance;
    let is_compared = current.fields.contains_key("name")
        && current.owner != Owner::Other
        && !keeps_its_own
        && !is_shown_only(kind, "name");
    resource.name.clone().filter(|_| is_compared)
}

/// Whether a field of something that is there may not be told by the cloud: then it is taken to be as it shall be.
/// An instance of an earlier version has no tag for its image, its journal no word on spot and user data, and lists of
/// disks lag; passwords are read on machines, where they can be read.
fn may_be_untold(kind: Kind, field: &str) -> bool {
    matches!(
        (kind, field),
        (Kind::Instance, "image" | "spot" | "user_data" | "expires") | (Kind::RedisAccount, "password")
    ) || (kind == Kind::Instance && disks::is_of_disk(field))
}

/// A release knows Redis by address and password, and how much it holds: another machine, another Redis, another class
/// or another password makes another release.
fn stands_on_something_new(spec: &Spec, earlier: &BTreeMap<ResourceAddress, Step>) -> bool {
    let is_another = |step: &Step| {
        let (kind, action) = (step.address.kind, &step.action);
        action.makes_new()
            || (kind == Kind::RedisInstance && action.changes_field("class"))
            || (kind == Kind::RedisAccount && action.changes_field("password"))
    };
    spec.redis().iter().filter_map(|address| earlier.get(address)).any(is_another)
}

/// The outputs of resources that stay as they are, sorted and joined; otherwise nobody knows yet.
fn outputs(
    addresses: &[ResourceAddress],
    output: Output,
    earlier: &BTreeMap<ResourceAddress, Step>,
) -> String {
    let known = |address: &ResourceAddress| {
        let step = earlier.get(address).filter(|step| !step.action.makes_new())?;
        step.current.as_ref()?.outputs.get(&output).cloned()
    };
    let values = addresses.iter().map(known).collect::<Option<Vec<String>>>();
    values.map_or_else(|| AFTER_APPLY.to_owned(), |values| output.joined(values))
}
