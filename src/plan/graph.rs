//! In which order the steps of a plan go.
//!
//! A step becomes one operation, a replacement two. What is put waits for what it depends on, through resources that
//! stay as they are; what is deleted waits for everything that stood on it; what is made anew waits until the old one
//! is gone; what is no longer wanted stays until nothing new stands on it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::plan::action::Action;
use crate::plan::{Plan, Step};
use crate::resource::{Kind, ResourceAddress};

/// Which half of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Remove what is there.
    Delete,
    /// Make it, or make it as it shall be.
    Put,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// To which resource.
    pub address: ResourceAddress,
    /// What.
    pub verb: Verb,
    /// Indices of the operations that must be done before.
    pub after: Vec<usize>,
}

/// Steps that wait for each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("these steps wait for each other: {}", cycle.join(" -> "))]
pub struct Cycle {
    /// The way round.
    pub cycle: Vec<String>,
}

/// The operations of a plan, each after those it waits for.
///
/// # Errors
/// When steps wait for each other; that would be a fault of the planner.
pub fn operations(plan: &Plan) -> Result<Vec<Operation>, Cycle> {
    let steps: BTreeMap<&ResourceAddress, &Step> =
        plan.steps.iter().map(|step| (&step.address, step)).collect();
    let nodes = nodes(plan);
    let edges: BTreeMap<Node, BTreeSet<Node>> =
        nodes.iter().map(|node| (*node, waits_for(*node, &nodes, &steps))).collect();
    let order = sort(&edges)?;
    let index: BTreeMap<Node, usize> = order.iter().enumerate().map(|(index, node)| (*node, index)).collect();
    let operation = |node: &Node| Operation {
        address: node.0.clone(),
        verb: node.1,
        after: edges[node].iter().map(|before| index[before]).collect(),
    };
    Ok(order.iter().map(operation).collect())
}

type Node<'p> = (&'p ResourceAddress, Verb);

fn nodes(plan: &Plan) -> BTreeSet<Node<'_>> {
    let mut nodes = BTreeSet::new();
    for step in &plan.steps {
        let verbs: &[Verb] = match step.action {
            Action::Create | Action::Update(_) | Action::Unknown(_) => &[Verb::Put],
            Action::Replace(_) => &[Verb::Delete, Verb::Put],
            Action::Delete => &[Verb::Delete],
            Action::Keep => &[],
        };
        nodes.extend(verbs.iter().map(|verb| (&step.address, *verb)));
    }
    nodes
}

fn waits_for<'p>(
    node: Node<'p>,
    nodes: &BTreeSet<Node<'p>>,
    steps: &BTreeMap<&'p ResourceAddress, &'p Step>,
) -> BTreeSet<Node<'p>> {
    let (address, verb) = node;
    match verb {
        Verb::Put => {
            let mut before = BTreeSet::new();
            puts_below(address, nodes, steps, &mut before);
            before.extend(nodes.get(&(address, Verb::Delete)));
            before.extend(release_before(address, nodes, steps));
            before.extend(room_for(address, nodes));
            before
        }
        Verb::Delete => {
            let replaced = steps.values().any(|step| matches!(step.action, Action::Replace(_)));
            let stands_on_it = |other: &&Node<'p>| match other.1 {
                Verb::Delete => stands_on(other.0, address),
                // While something is replaced, old things must make room first.
                // A vSwitch goes first in any case: a new one may have its range.
                Verb::Put => {
                    !replaced
                        && address.kind != Kind::VSwitch
                        && address.kind.dependents().contains(&other.0.kind)
                }
            };
            nodes.iter().filter(stands_on_it).copied().collect()
        }
    }
}

/// Nodes that serve people are replaced one after another, so that a bad release stops at the first. New ones are not
/// in anybody's way.
fn release_before<'p>(
    address: &ResourceAddress,
    nodes: &BTreeSet<Node<'p>>,
    steps: &BTreeMap<&'p ResourceAddress, &'p Step>,
) -> Option<Node<'p>> {
    let is_running = |address: &ResourceAddress| {
        address.kind == Kind::Release
            && steps.get(address).is_some_and(|step| !step.action.makes_new() || step.current.is_some())
    };
    if !is_running(address) {
        return None;
    }
    let earlier =
        nodes.iter().filter(|(other, verb)| *verb == Verb::Put && *other < address && is_running(other));
    earlier.copied().next_back()
}

/// A new vSwitch waits for those that go: it may have the range of one of them.
fn room_for<'p>(address: &ResourceAddress, nodes: &BTreeSet<Node<'p>>) -> Vec<Node<'p>> {
    let is_vswitch = |node: &&Node<'p>| node.1 == Verb::Delete && node.0.kind == Kind::VSwitch;
    if address.kind == Kind::VSwitch {
        nodes.iter().filter(is_vswitch).copied().collect()
    } else {
        Vec::new()
    }
}

/// Whether a resource cannot stay when another goes.
pub(super) fn stands_on(upper: &ResourceAddress, lower: &ResourceAddress) -> bool {
    let same_machine =
        |kind: Kind| matches!(kind, Kind::Redis | Kind::Release | Kind::HostKey | Kind::Server);
    lower.kind.dependents().contains(&upper.kind)
        // What lives on a machine is named after it and does not care about the others.
        && (lower.kind != Kind::Instance || !same_machine(upper.kind) || lower.name == upper.name)
}

/// The nearest operations below, through what stays as it is.
fn puts_below<'p>(
    address: &ResourceAddress,
    nodes: &BTreeSet<Node<'p>>,
    steps: &BTreeMap<&'p ResourceAddress, &'p Step>,
    found: &mut BTreeSet<Node<'p>>,
) {
    let Some(step) = steps.get(address) else { return };
    for below in &step.depends_on {
        match nodes.get(&(below, Verb::Put)) {
            Some(node) => {
                found.insert(*node);
            }
            None => puts_below(below, nodes, steps, found),
        }
    }
}

fn sort<'p>(edges: &BTreeMap<Node<'p>, BTreeSet<Node<'p>>>) -> Result<Vec<Node<'p>>, Cycle> {
    let mut order = Vec::new();
    let mut done = BTreeSet::new();
    for node in edges.keys() {
        visit(*node, edges, &mut done, &mut order, &mut Vec::new())?;
    }
    Ok(order)
}

fn visit<'p>(
    node: Node<'p>,
    edges: &BTreeMap<Node<'p>, BTreeSet<Node<'p>>>,
    done: &mut BTreeSet<Node<'p>>,
    order: &mut Vec<Node<'p>>,
    way: &mut Vec<Node<'p>>,
) -> Result<(), Cycle> {
    if done.contains(&node) {
        return Ok(());
    }
    if way.contains(&node) {
        let cycle = way.iter().chain([&node]).map(|(address, _)| address.to_string()).collect();
        return Err(Cycle { cycle });
    }
    way.push(node);
    for before in &edges[&node] {
        visit(*before, edges, done, order, way)?;
    }
    way.pop();
    done.insert(node);
    order.push(node);
    Ok(())
}
