//! The nodes of a plan's graph, found by what they are: nobody looks through all of them for a few.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::Plan;
use crate::plan::action::Action;
use crate::plan::graph::Verb;
use crate::plan::standing::is_of_one_machine;
use crate::resource::{Kind, ResourceAddress};

/// One half of a step.
pub(super) type Node<'p> = (&'p ResourceAddress, Verb);

/// All of a plan.
pub(super) struct Nodes<'p> {
    all: BTreeSet<Node<'p>>,
    of_kind: BTreeMap<(Verb, Kind), Vec<Node<'p>>>,
    named: BTreeMap<(Verb, Kind, &'p str), Vec<Node<'p>>>,
}

impl<'p> Nodes<'p> {
    /// Of a plan.
    pub(super) fn of(plan: &'p Plan) -> Self {
        let all: BTreeSet<Node<'p>> = plan
            .steps
            .iter()
            .flat_map(|step| verbs(&step.action).iter().map(|verb| (&step.address, *verb)))
            .collect();
        let mut of_kind: BTreeMap<_, Vec<Node<'p>>> = BTreeMap::new();
        let mut named: BTreeMap<_, Vec<Node<'p>>> = BTreeMap::new();
        for node in &all {
            let (address, verb) = *node;
            of_kind.entry((verb, address.kind)).or_default().push(*node);
            named.entry((verb, address.kind, address.name.as_str())).or_default().push(*node);
        }
        Self { all, of_kind, named }
    }

    /// All of them, in their order.
    pub(super) fn all(&self) -> impl Iterator<Item = Node<'p>> {
        self.all.iter().copied()
    }

    /// All with a verb.
    pub(super) fn with(&self, verb: Verb) -> impl Iterator<Item = Node<'p>> {
        self.all.iter().copied().filter(move |node| node.1 == verb)
    }

    /// Those of a kind, in their order.
    pub(super) fn of_kind(&self, verb: Verb, kind: Kind) -> &[Node<'p>] {
        self.of_kind.get(&(verb, kind)).map_or(&[], Vec::as_slice)
    }

    /// Those of a kind with a name: the plain one, and deposed ones.
    pub(super) fn named(&self, verb: Verb, kind: Kind, name: &'p str) -> &[Node<'p>] {
        self.named.get(&(verb, kind, name)).map_or(&[], Vec::as_slice)
    }

    /// The one with an address.
    pub(super) fn get(&self, verb: Verb, address: &ResourceAddress) -> Option<Node<'p>> {
        let named = self.of_kind(verb, address.kind);
        let place = named.binary_search_by(|node| node.0.cmp(address)).ok()?;
        Some(named[place])
    }

    /// Those that may stand on another by what they are and whose they are, in their order.
    pub(super) fn above(&self, verb: Verb, lower: &'p ResourceAddress) -> Vec<Node<'p>> {
        let of = |kind: &Kind| {
            if is_of_one_machine(*kind, lower.kind) {
                self.named(verb, *kind, &lower.name)
            } else {
                self.of_kind(verb, *kind)
            }
        };
        let mut above: Vec<Node<'p>> = lower.kind.dependents().iter().flat_map(of).copied().collect();
        above.sort_unstable();
        above
    }
}

fn verbs(action: &Action) -> &'static [Verb] {
    match action {
        Action::Create | Action::Update(_) | Action::Unknown(_) => &[Verb::Put],
        Action::Replace(_) => &[Verb::Delete, Verb::Put],
        Action::Delete => &[Verb::Delete],
        Action::Keep => &[],
    }
}
