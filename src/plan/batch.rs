//! Which operations one call does together.
//!
//! Operations of one kind that do the same, and of which none waits for another over whatever lies between, are done by
//! one call where the cloud has one for several. They are told apart by their *level*, the longest way to an operation
//! that waits for nothing: of two on one level neither waits for the other, and since every edge leads to a lower level, no
//! circle comes of taking them together. What is replaced goes and comes by itself.

use std::collections::BTreeMap;

use crate::plan::Step;
use crate::plan::action::Action;
use crate::plan::graph::{Edges, Verb};
use crate::plan::nodes::Node;
use crate::plan::standing::Steps;
use crate::resource::Kind;

/// How many one call takes: of rules, instances and servers the cloud takes a hundred at least.
pub const MOST: usize = 100;

/// What operations of one call have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Alike<'p> {
    level: usize,
    verb: Verb,
    kind: Kind,
    /// What the call names once: a group, a type; whether it names rules by their ids.
    within: [&'p str; 3],
}

/// Of each operation, the first one that is done by the same call; itself where it has a call of its own. The order is one
/// in which each comes after those it waits for.
pub(super) fn leaders<'p>(
    order: &[Node<'p>],
    edges: &Edges<'p>,
    steps: &Steps<'p>,
) -> BTreeMap<Node<'p>, Node<'p>> {
    let levels = levels(order, edges);
    let mut alike: BTreeMap<Alike<'p>, Vec<Node<'p>>> = BTreeMap::new();
    for (node, level) in &levels {
        let within = steps.get(node.0).and_then(|step| within(step, node.1));
        if let Some(within) = within {
            let key = Alike { level: *level, verb: node.1, kind: node.0.kind, within };
            alike.entry(key).or_default().push(*node);
        }
    }
    let mut leaders: BTreeMap<Node<'p>, Node<'p>> = order.iter().map(|node| (*node, *node)).collect();
    for batch in alike.values().flat_map(|nodes| nodes.chunks(MOST)) {
        leaders.extend(batch.iter().map(|node| (*node, batch[0])));
    }
    leaders
}

fn levels<'p>(order: &[Node<'p>], edges: &Edges<'p>) -> BTreeMap<Node<'p>, usize> {
    let mut levels = BTreeMap::new();
    for node in order {
        let before = edges.get(node).into_iter().flatten();
        let level = before.filter_map(|before| levels.get(before)).max().map_or(0, |level| level + 1);
        levels.insert(*node, level);
    }
    levels
}

/// What has to be the same for one call; none where there is no call for several.
fn within(step: &Step, verb: Verb) -> Option<[&str; 3]> {
    let field = |name: &str| {
        step.current.as_ref().and_then(|current| current.fields.get(name)).map_or("", String::as_str)
    };
    match (verb, &step.action, step.address.kind) {
        (Verb::Put, Action::Create, Kind::SecurityRule | Kind::Server) => Some([""; 3]),
        (Verb::Delete, _, _) if step.address.is_deposed() => None,
        (Verb::Delete, Action::Delete, Kind::Instance) => Some([""; 3]),
        (Verb::Delete, Action::Delete, Kind::Server) => Some([field("group"), field("server_type"), ""]),
        (Verb::Delete, Action::Delete, Kind::SecurityRule) => {
            Some([field("group"), "", if field("rule").is_empty() { "" } else { "rule" }])
        }
        _ => None,
    }
}
