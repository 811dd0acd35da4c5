//! What is not any more as it was when a plan was saved, field by field.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::plan::action::{AFTER_APPLY, Action, Change};
use crate::plan::{Plan, Step, find_step};
use crate::resource::ResourceAddress;
use crate::resource::observed::{Observation, Observed, Output};

/// A plan and what it was made from.
#[derive(Debug, Clone, Copy)]
pub struct Planned<'p> {
    /// The plan.
    pub plan: &'p Plan,
    /// What there was.
    pub observed: &'p Observed,
}

/// Something that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Of what: the address of a resource, mostly.
    pub subject: String,
    /// Which field of it.
    pub field: String,
    /// What it was when the plan was made; none when it had no such field.
    pub planned: Option<String>,
    /// What it is.
    pub now: Option<String>,
}

impl Difference {
    /// When two values differ.
    pub fn between(subject: &str, field: &str, planned: &str, now: &str) -> Option<Self> {
        (planned != now).then(|| Self {
            subject: subject.to_owned(),
            field: field.to_owned(),
            planned: Some(planned.to_owned()),
            now: Some(now.to_owned()),
        })
    }
}

/// All that differs between two plans and their worlds; nothing when one can stand for the other.
pub fn differences(planned: Planned<'_>, now: Planned<'_>) -> Vec<Difference> {
    let addresses: BTreeSet<_> = addresses(planned).chain(addresses(now)).collect();
    addresses.into_iter().flat_map(|address| differences_of(address, planned, now)).collect()
}

/// The same when the saved plan has been carried out in part: what it did itself, and what is left of it to do, is no
/// difference.
pub fn differences_beside_progress(planned: Planned<'_>, now: Planned<'_>) -> Vec<Difference> {
    let addresses: BTreeSet<_> = addresses(planned).chain(addresses(now)).collect();
    let others = addresses.into_iter().filter(|address| !is_progress(address, planned.plan, now.plan));
    others.flat_map(|address| differences_of(address, planned, now)).collect()
}

fn addresses(planned: Planned<'_>) -> impl Iterator<Item = &ResourceAddress> {
    let steps = planned.plan.steps.iter().chain(&planned.plan.left_out).map(|step| &step.address);
    let observed = planned.observed;
    let computed = observed.computed.keys().map(|(address, _)| address);
    let containers = observed.foreign.iter().map(|foreign| &foreign.container);
    steps.chain(containers).chain(observed.resources.keys()).chain(observed.unknown.keys()).chain(computed)
}

fn differences_of(address: &ResourceAddress, planned: Planned<'_>, now: Planned<'_>) -> Vec<Difference> {
    let (planned, now) = (facts(address, planned), facts(address, now));
    // Of what has come or gone since, that says it all.
    let whole = planned.contains_key(ID) == now.contains_key(ID);
    let fields: BTreeSet<&String> = planned.keys().chain(now.keys()).collect();
    let fields = fields.into_iter().filter(|field| whole || [ACTION, ID].contains(&field.as_str()));
    let differing = fields.filter(|field| planned.get(*field) != now.get(*field));
    differing
        .map(|field| Difference {
            subject: address.to_string(),
            field: field.clone(),
            planned: planned.get(field).cloned(),
            now: now.get(field).cloned(),
        })
        .collect()
}

const ACTION: &str = "action";
const ID: &str = "id";

/// All that is known of a resource, as text by field.
fn facts(address: &ResourceAddress, planned: Planned<'_>) -> BTreeMap<String, String> {
    let Planned { plan, observed } = planned;
    let mut facts = BTreeMap::new();
    if let Some(current) = observed.resources.get(address) {
        facts.extend(facts_of_observation(current));
    }
    if observed.tainted.contains(address) {
        facts.insert("state".to_owned(), "broken".to_owned());
    }
    if observed.unknown.contains_key(address) {
        facts.insert("state".to_owned(), "unknown".to_owned());
    }
    for ((_, field), value) in observed.computed.iter().filter(|((one, _), _)| one == address) {
        facts.insert(format!("{field} wanted"), value.clone());
    }
    for foreign in observed.foreign.iter().filter(|foreign| foreign.container == *address) {
        facts.insert(format!("not ours, {}", foreign.address), foreign.words.clone());
    }
    let (step, left_out) = (plan.step(address), find_step(&plan.left_out, address));
    if let Some(step) = step.or(left_out) {
        let remark = if left_out.is_some() { ", left out" } else { "" };
        facts.insert(ACTION.to_owned(), format!("{}{remark}", step.action.word()));
        facts.extend(facts_of_step(step));
    }
    facts
}

fn facts_of_observation(current: &Observation) -> impl Iterator<Item = (String, String)> {
    let own = [(ID.to_owned(), current.id.to_string()), ("owner".to_owned(), text(&current.owner))];
    let fields = current.fields.iter().map(|(name, value)| (name.clone(), value.clone()));
    let outputs = current.outputs.iter().filter(|(output, _)| **output != Output::Id);
    own.into_iter().chain(fields).chain(outputs.map(|(output, value)| (text(output), value.clone())))
}

fn facts_of_step(step: &Step) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    if let Some(spec) = &step.spec {
        // What is wanted is a map by kind.
        let spec = serde_json::to_value(spec).unwrap_or_default();
        for (_, spec) in spec.as_object().into_iter().flatten() {
            flatten("wanted", spec, &mut facts);
        }
    }
    facts.insert("needs".to_owned(), text(&step.depends_on));
    for change in step.action.changes() {
        facts.insert(change.field.to_owned(), words(change));
    }
    facts
}

fn words(change: &Change) -> String {
    let why = if change.forces_replacement { ", forces replacement" } else { "" };
    let from = if change.from.is_empty() { "(none)" } else { &change.from };
    format!("{from} -> {}{why}", change.to)
}

fn flatten(name: &str, value: &Value, facts: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                flatten(&format!("{name} {field}"), value, facts);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            facts.insert(name.to_owned(), text(value));
        }
    }
}

/// A value as text: one that is a text as it is, others as JSON.
fn text(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether what is left to do of a resource is a part of what was planned for it.
fn is_progress(address: &ResourceAddress, planned: &Plan, now: &Plan) -> bool {
    if find_step(&now.left_out, address).is_some() {
        // Nothing was to be done about it, and nothing will be.
        return find_step(&planned.left_out, address).is_some();
    }
    match (planned.step(address), now.step(address)) {
        (Some(planned), None) => planned.action == Action::Delete,
        (Some(planned), Some(now)) => is_rest_of(planned, now),
        (None, Some(now)) => is_end_of_replaced(now, planned),
        (None, None) => false,
    }
}

fn is_rest_of(planned: &Step, now: &Step) -> bool {
    let same_wish = planned.spec == now.spec;
    same_wish
        && match &planned.action {
            Action::Create | Action::Replace(_) | Action::Unknown(_) => now.action != Action::Delete,
            Action::Update(changes) => match &now.action {
                Action::Keep => true,
                Action::Update(left) => left.iter().all(|change| is_one_of(change, changes)),
                Action::Create | Action::Replace(_) | Action::Delete | Action::Unknown(_) => false,
            },
            Action::Delete => now.action == Action::Delete && planned.current == now.current,
            Action::Keep => false,
        }
}

fn is_one_of(change: &Change, planned: &[Change]) -> bool {
    planned.iter().any(|one| {
        let same_wish = one.to == change.to || one.to == AFTER_APPLY;
        one.field == change.field && one.from == change.from && same_wish
    })
}

/// Whether it is the old one of two: its replacement was planned under the name it had.
fn is_end_of_replaced(now: &Step, planned: &Plan) -> bool {
    let address = now.address.to_string();
    let bare = address.split_once('~').map(|(bare, _)| bare);
    let replaced = |step: &Step| {
        matches!(step.action, Action::Replace(_))
            && bare.is_some_and(|bare| step.address.to_string() == bare)
            && step.current.as_ref().map(|current| &current.id)
                == now.current.as_ref().map(|current| &current.id)
    };
    now.action == Action::Delete && planned.steps.iter().any(replaced)
}
