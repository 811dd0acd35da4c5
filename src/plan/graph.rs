//! In which order the steps of a plan go.
//!
//! A step becomes one operation, a replacement two. The graph is built so that it cannot have a cycle:
//!
//! 1. What is put waits for what it depends on, through resources that stay as they are; what is removed waits for
//!    the removal of everything that stood on it; what cannot stand beside something that goes waits for that. No
//!    removal waits for a put yet, so there is no way round.
//! 2. Machines that go wait for those that come, where that closes no circle: so no new one gets an old one's address.
//!    Where it may get it, the rule that lets the old one in goes before there is one for the new.
//! 3. Then come wishes, each taken only if it closes no circle: the old one of a replacement goes after the new one is
//!    there; what goes stays until nothing that is put stands on it any more; nodes that run are replaced one after
//!    another.
//!
//! Then those that one call does are taken together ([`batch`]).

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::plan::action::Action;
use crate::plan::batch;
use crate::plan::nodes::{Node, Nodes};
use crate::plan::order::Order;
use crate::plan::rollout::{self, Traffic};
use crate::plan::standing::{Old, Steps, clashes, holder, new_machine};
use crate::plan::{Plan, Step};
use crate::resource::{Kind, ResourceAddress};

pub(super) use crate::plan::standing::stands_on;

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
    /// To which resource; the old one of a replacement that makes the new one first has its deposed address.
    pub address: ResourceAddress,
    /// What.
    pub verb: Verb,
    /// Indices of the operations that must be done before.
    pub after: Vec<usize>,
    /// Index of the operation whose call does this one too, which is right before those that it leads; none when it has
    /// calls of its own.
    pub with: Option<usize>,
    /// The address of the step it belongs to.
    pub step: ResourceAddress,
    /// What that step begins with, when it is a replacement.
    pub order: Option<Order>,
    /// What becomes of the traffic to the node that it is about.
    pub traffic: Traffic,
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
    let graph = Graph::of(plan);
    let orders = graph.orders();
    let leaders = batch::leaders(&sort(&graph.edges)?, &graph.edges, &graph.steps);
    let order = together(&graph.edges, &leaders)?;
    let index: BTreeMap<Node, usize> = order.iter().enumerate().map(|(index, node)| (*node, index)).collect();
    let operation = |node: &Node| Operation {
        address: address_of(*node, &graph.steps, &orders),
        verb: node.1,
        after: graph.edges[node].iter().map(|before| index[before]).collect(),
        with: Some(leaders[node]).filter(|leader| leader != node).map(|leader| index[&leader]),
        step: node.0.clone(),
        order: orders.get(node.0).copied(),
        traffic: graph.traffic(*node),
    };
    Ok(order.iter().map(operation).collect())
}

/// What an operation works on: the old one of a replacement is deposed before anything new is made.
fn address_of(
    (address, verb): Node<'_>,
    steps: &Steps<'_>,
    orders: &BTreeMap<ResourceAddress, Order>,
) -> ResourceAddress {
    let old = steps.get(address).and_then(|step| step.current.as_ref());
    // What is on a machine is deposed with it, wanted again or not.
    let machine = address.on_same_machine(Kind::Instance);
    let is_on_machine = Kind::ON_MACHINES.contains(&address.kind);
    let order = if is_on_machine { orders.get(&machine) } else { orders.get(address) };
    match (verb, order, old) {
        (Verb::Delete, Some(Order::NewFirst), Some(old)) => address.deposed(&old.id),
        (Verb::Delete | Verb::Put, _, _) => address.clone(),
    }
}

/// What each node waits for.
pub(super) type Edges<'p> = BTreeMap<Node<'p>, BTreeSet<Node<'p>>>;

/// What waits for what.
pub(super) struct Graph<'p> {
    steps: Steps<'p>,
    edges: Edges<'p>,
}

impl<'p> Graph<'p> {
    /// Of a plan.
    pub(super) fn of(plan: &'p Plan) -> Self {
        let steps: Steps<'p> = plan.steps.iter().map(|step| (&step.address, step)).collect();
        let nodes = Nodes::of(plan);
        let edges: Edges<'p> = nodes.all().map(|node| (node, must_wait_for(node, &nodes, &steps))).collect();
        let mut graph = Self { steps, edges };
        for wish in machines_before_machines(&nodes) {
            graph.wish(wish);
        }
        graph.part_rules_of_one_address(&nodes);
        for wish in wishes(&nodes, &graph.steps) {
            graph.wish(wish);
        }
        graph
    }

    fn traffic(&self, (address, verb): Node<'p>) -> Traffic {
        match self.steps.get(address) {
            Some(step) if verb == Verb::Put => rollout::traffic(step, &self.steps),
            Some(_) | None => Traffic::Stays,
        }
    }

    /// Whether each replacement makes the new one first.
    pub(super) fn orders(&self) -> BTreeMap<ResourceAddress, Order> {
        let replaced = self.steps.values().filter(|step| matches!(step.action, Action::Replace(_)));
        let order = |step: &&'p Step| {
            let old_waits = self.edges[&(&step.address, Verb::Delete)].contains(&(&step.address, Verb::Put));
            (step.address.clone(), if old_waits { Order::NewFirst } else { Order::OldFirst })
        };
        let mut orders: BTreeMap<ResourceAddress, Order> = replaced.clone().map(order).collect();
        // What lives on a machine comes and goes with it.
        for step in replaced.filter(|step| Kind::ON_MACHINES.contains(&step.address.kind)) {
            let machine = orders.get(&step.address.on_same_machine(Kind::Instance)).copied();
            orders.extend(machine.map(|order| (step.address.clone(), order)));
        }
        orders
    }

    /// Lets a rule for a new machine wait until those are gone whose address that machine may get. They wait for nothing
    /// yet, so no circle comes of it.
    fn part_rules_of_one_address(&mut self, nodes: &Nodes<'p>) {
        let of = |verb| nodes.of_kind(verb, Kind::SecurityRule).iter();
        let pairs = of(Verb::Put).flat_map(|new| of(Verb::Delete).map(move |old| (*new, *old)));
        let waiting: Vec<_> = pairs.filter(|(new, old)| self.may_be_of_one_address(*new, *old)).collect();
        for (new, old) in waiting {
            self.edges.entry(new).or_default().insert(old);
        }
    }

    fn may_be_of_one_address(&self, new: Node<'p>, old_node: Node<'p>) -> bool {
        let (Some(step), Some(old)) = (self.steps.get(new.0), old(old_node, &self.steps)) else {
            return false;
        };
        let Some(machine) = new_machine(step, old, &self.steps) else { return false };
        match holder(old, &self.steps) {
            Some(holder) => self.waits((machine, Verb::Put), (holder, Verb::Delete)),
            None => true,
        }
    }

    /// Lets one node wait for another, unless that one waits for it.
    fn wish(&mut self, (node, before): (Node<'p>, Node<'p>)) {
        if node != before && !self.waits(before, node) {
            self.edges.entry(node).or_default().insert(before);
        }
    }

    /// Whether one node waits for another, over whatever lies between.
    fn waits(&self, node: Node<'p>, before: Node<'p>) -> bool {
        let mut seen = BTreeSet::from([node]);
        let mut left = vec![node];
        while let Some(one) = left.pop() {
            if one == before {
                return true;
            }
            let next = self.edges.get(&one).into_iter().flatten().copied();
            left.extend(next.filter(|next| seen.insert(*next)));
        }
        false
    }
}

fn old<'p>(node: Node<'p>, steps: &Steps<'p>) -> Option<Old<'p>> {
    steps.get(node.0).and_then(|step| Old::of(step)).filter(|_| node.1 == Verb::Delete)
}

/// What there is no way around.
fn must_wait_for<'p>(node: Node<'p>, nodes: &Nodes<'p>, steps: &Steps<'p>) -> BTreeSet<Node<'p>> {
    let goes = |other: &Node<'p>| old(*other, steps);
    match node.1 {
        Verb::Put => {
            let mut before = BTreeSet::new();
            puts_below(node.0, nodes, steps, &mut before);
            let in_the_way = |other: &&Node<'p>| {
                steps.get(node.0).is_some_and(|step| goes(other).is_some_and(|old| clashes(step, old, steps)))
            };
            // Only what is of one kind clashes.
            before.extend(nodes.of_kind(Verb::Delete, node.0.kind).iter().filter(in_the_way).copied());
            before
        }
        Verb::Delete => {
            let holds = is_held(node.0.kind);
            removals_above(node, nodes, steps).into_iter().filter(|_| holds).collect()
        }
    }
}

/// Whether the cloud refuses to remove one of this kind while something stands on it, or that would be lost with it.
/// What stands on the others only misses them.
fn is_held(kind: Kind) -> bool {
    match kind {
        Kind::Vpc
        | Kind::VSwitch
        | Kind::SecurityGroup
        | Kind::KeyPair
        | Kind::Instance
        | Kind::LoadBalancer
        | Kind::ServerGroup
        | Kind::Release
        | Kind::Certificate
        | Kind::Listener
        | Kind::ListenerRule
        | Kind::Record => true,
        Kind::HostKey
        | Kind::SecurityRule
        | Kind::Redis
        | Kind::RedisInstance
        | Kind::RedisAccount
        | Kind::Server => false,
    }
}

/// Removals of what stands on something that is to be removed.
fn removals_above<'p>(node: Node<'p>, nodes: &Nodes<'p>, steps: &Steps<'p>) -> Vec<Node<'p>> {
    let Some(lower) = old(node, steps) else { return Vec::new() };
    let mut above = nodes.above(Verb::Delete, node.0);
    above.retain(|other| old(*other, steps).is_some_and(|upper| upper.stands_on(lower)));
    above
}

/// Machines that go after those that come, each after its own successor first.
fn machines_before_machines<'p>(nodes: &Nodes<'p>) -> Vec<(Node<'p>, Node<'p>)> {
    let of = |verb| nodes.of_kind(verb, Kind::Instance).iter().copied();
    let pairs = of(Verb::Delete).flat_map(|old| of(Verb::Put).map(move |new| (old, new)));
    let (own, others): (Vec<_>, Vec<_>) = pairs.partition(|(old, new)| old.0.successor() == *new.0);
    own.into_iter().chain(others).collect()
}

/// What should wait for what, the most important first.
fn wishes<'p>(nodes: &Nodes<'p>, steps: &Steps<'p>) -> Vec<(Node<'p>, Node<'p>)> {
    let mut wishes = Vec::new();
    for old in nodes.with(Verb::Delete) {
        // The old one of a replacement, be it this plan's or an earlier one's.
        wishes.extend(nodes.get(Verb::Put, &old.0.successor()).map(|new| (old, new)));
    }
    let behind = removals_behind(nodes, steps);
    for old in nodes.with(Verb::Delete) {
        // What stands on something that goes is put elsewhere first.
        wishes.extend(nodes.above(Verb::Put, old.0).into_iter().map(|new| (old, new)));
        wishes.extend(removals_above(old, nodes, steps).into_iter().map(|above| (old, above)));
        wishes.extend(behind.get(&old).into_iter().flatten().map(|other| (old, *other)));
    }
    let running = Running::of(nodes, steps);
    for release in nodes.of_kind(Verb::Put, Kind::Release) {
        wishes.extend(running.before(*release, nodes).into_iter().map(|before| (*release, before)));
    }
    // A removal that is cut on the way and begun again still gets at the machines that are there.
    for rule in nodes.of_kind(Verb::Delete, Kind::SecurityRule).iter().filter(|node| is_way_in(node.0)) {
        wishes.extend(nodes.of_kind(Verb::Delete, Kind::Instance).iter().map(|machine| (*rule, *machine)));
    }
    // Nodes that find a changed Redis again are all still there.
    for release in nodes.of_kind(Verb::Delete, Kind::Release) {
        wishes.extend(nodes.of_kind(Verb::Put, Kind::Redis).iter().map(|redis| (*release, *redis)));
    }
    wishes
}

/// Whether it is a rule that lets operators in.
fn is_way_in(address: &ResourceAddress) -> bool {
    address.kind == Kind::SecurityRule && address.name.starts_with("ssh-")
}

/// Of each removal of a machine, or of the key it is known by, the removals of what is reached through it.
fn removals_behind<'p>(nodes: &Nodes<'p>, steps: &Steps<'p>) -> BTreeMap<Node<'p>, Vec<Node<'p>>> {
    let mut behind: BTreeMap<Node<'p>, Vec<Node<'p>>> = BTreeMap::new();
    for upper in nodes.with(Verb::Delete) {
        let route = old(upper, steps).and_then(|old| old.found.fields.get("route"));
        let names = route.into_iter().flat_map(|route| route.split(' '));
        for name in names.filter(|name| *name != upper.0.name) {
            let of = |kind| nodes.named(Verb::Delete, kind, name).iter();
            for lower in of(Kind::Instance).chain(of(Kind::HostKey)) {
                behind.entry(*lower).or_default().push(upper);
            }
        }
    }
    behind
}

/// Nodes that serve people are changed one after another, or as many at once as may be away, each back among the servers
/// before the next, so that a bad release stops at the first. Nobody misses those that are out of the group, and new
/// ones are not in anybody's way: they come first.
struct Running<'p> {
    /// In the order of their change, with how many of them may be away at once.
    releases: Vec<(Node<'p>, usize)>,
    places: BTreeMap<Node<'p>, usize>,
    out_of_group: BTreeSet<&'p str>,
    new_servers: Vec<Node<'p>>,
}

impl<'p> Running<'p> {
    fn of(nodes: &Nodes<'p>, steps: &Steps<'p>) -> Self {
        let puts = nodes.of_kind(Verb::Put, Kind::Release).iter();
        let mut releases: Vec<(Node<'p>, usize)> = puts
            .filter_map(|node| {
                steps.get(node.0).filter(|step| !step.action.makes_new()).map(|step| (*node, *step))
            })
            .map(|(node, step)| (node, rollout::max_parallel(step)))
            .collect();
        let out_of_group: BTreeSet<&str> = releases
            .iter()
            .filter(|((address, _), _)| rollout::is_out_of_group(address, steps))
            .map(|((address, _), _)| address.name.as_str())
            .collect();
        releases.sort_by_key(|((address, _), _)| (!out_of_group.contains(address.name.as_str()), *address));
        let places = releases.iter().enumerate().map(|(place, (node, _))| (*node, place)).collect();
        let is_new = |node: &&Node<'p>| steps.get(node.0).is_some_and(|step| step.action.makes_new());
        let new_servers = nodes.of_kind(Verb::Put, Kind::Server).iter().filter(is_new).copied().collect();
        Self { releases, places, out_of_group, new_servers }
    }

    /// What a release waits for.
    fn before(&self, node: Node<'p>, nodes: &Nodes<'p>) -> Vec<Node<'p>> {
        let Some(own) = self.places.get(&node).copied() else { return Vec::new() };
        let earlier = own.checked_sub(self.releases[own].1).map(|place| self.releases[place].0);
        let is_out = self.out_of_group.contains(node.0.name.as_str());
        let its_server = earlier
            .into_iter()
            .flat_map(|(release, _)| nodes.named(Verb::Put, Kind::Server, &release.name).iter().copied());
        let new_servers = self.new_servers.iter().copied().filter(|_| !is_out);
        let mut servers: Vec<Node<'p>> = its_server.chain(new_servers).collect();
        servers.retain(|server| server.0.name != node.0.name);
        servers.sort_unstable();
        servers.dedup();
        earlier.into_iter().chain(servers).collect()
    }
}

/// The nearest operations below, through what stays as it is.
fn puts_below<'p>(
    address: &ResourceAddress,
    nodes: &Nodes<'p>,
    steps: &Steps<'p>,
    found: &mut BTreeSet<Node<'p>>,
) {
    let Some(step) = steps.get(address) else { return };
    for below in &step.depends_on {
        match nodes.get(Verb::Put, below) {
            Some(node) => {
                found.insert(node);
            }
            None => puts_below(below, nodes, steps, found),
        }
    }
}

/// All nodes in an order, those of one call one after another.
fn together<'p>(edges: &Edges<'p>, leaders: &BTreeMap<Node<'p>, Node<'p>>) -> Result<Vec<Node<'p>>, Cycle> {
    let mut members: BTreeMap<Node<'p>, Vec<Node<'p>>> = BTreeMap::new();
    let mut of_leaders: Edges<'p> = BTreeMap::new();
    for (node, leader) in leaders {
        members.entry(*leader).or_default().push(*node);
        of_leaders.entry(*leader).or_default().extend(edges[node].iter().map(|before| leaders[before]));
    }
    Ok(sort(&of_leaders)?.iter().flat_map(|leader| members[leader].iter().copied()).collect())
}

fn sort<'p>(edges: &Edges<'p>) -> Result<Vec<Node<'p>>, Cycle> {
    let mut order = Vec::new();
    let mut done = BTreeSet::new();
    for node in edges.keys() {
        visit(*node, edges, &mut done, &mut order, &mut Vec::new())?;
    }
    Ok(order)
}

fn visit<'p>(
    node: Node<'p>,
    edges: &Edges<'p>,
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
