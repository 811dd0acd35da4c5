//! How another release is put on nodes that serve people.
//!
//! A node whose program, settings or unit change is restarted. Its server leaves the group before, so that the load
//! balancer sends nobody there, and is back before the next node goes. Where it is the only one in the group nothing is
//! won by that: clients wait until it is back, and the plan says so.

use crate::plan::action::Action;
use crate::plan::standing::Steps;
use crate::plan::{Plan, Step};
use crate::resource::spec::Spec;
use crate::resource::{Kind, ResourceAddress};

/// Fields of a release that cannot change without a restart of the node.
const RESTARTING: [&str; 4] = ["release", "unit_file", "environment_file", "program"];

/// What becomes of the traffic to a node while its release is put in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// It goes on, or there is none.
    Stays,
    /// The node's server leaves the group for so long.
    LedAway,
}

/// What becomes of the traffic to the node that a step is about.
pub(super) fn traffic(step: &Step, steps: &Steps<'_>) -> Traffic {
    // On a host that could not be read it shows in apply whether the node is restarted.
    let may_restart = restarts(step) || matches!(step.action, Action::Unknown(_));
    if step.address.kind == Kind::Release && may_restart && is_member(step, steps) && has_others(step, steps)
    {
        Traffic::LedAway
    } else {
        Traffic::Stays
    }
}

/// Releases that are changed on the only node in the group: clients are without one until it is back.
pub fn gaps(plan: &Plan) -> Vec<&ResourceAddress> {
    let steps: Steps<'_> = plan.steps.iter().map(|step| (&step.address, step)).collect();
    let releases = plan.steps.iter().filter(|step| step.address.kind == Kind::Release && restarts(step));
    let alone = releases.filter(|step| is_member(step, &steps) && !has_others(step, &steps));
    alone.map(|step| &step.address).collect()
}

fn restarts(step: &Step) -> bool {
    matches!(step.action, Action::Update(_)) && step.action.changes_any(&RESTARTING)
}

/// Whether the load balancer sends traffic to the node where it listens before and afterwards.
fn is_member(step: &Step, steps: &Steps<'_>) -> bool {
    let Some(Spec::Release(spec)) = &step.spec else { return false };
    let Some(server) = server_of(&step.address, steps) else { return false };
    let stays = matches!(server.action, Action::Keep | Action::Update(_));
    let port = server.current.as_ref().filter(|_| stays).and_then(|current| current.fields.get("port"));
    port.is_some_and(|port| *port == spec.port.to_string())
}

fn has_others(step: &Step, steps: &Steps<'_>) -> bool {
    steps.values().any(|other| {
        let address = &other.address;
        let is_server = address.kind == Kind::Server && !address.is_deposed();
        is_server && address.name != step.address.name && other.action != Action::Delete
    })
}

fn server_of<'p>(release: &ResourceAddress, steps: &Steps<'p>) -> Option<&'p Step> {
    steps.get(&release.on_same_machine(Kind::Server)).copied()
}

/// Whether the server of a node has to be put into the group: then nobody misses the node.
pub(super) fn is_out_of_group(release: &ResourceAddress, steps: &Steps<'_>) -> bool {
    server_of(release, steps).is_some_and(|server| server.action == Action::Create)
}

/// How many nodes may be away at once.
pub(super) fn max_parallel(step: &Step) -> usize {
    match &step.spec {
        Some(Spec::Release(spec)) => usize::from(spec.rollout.max_parallel).max(1),
        _ => 1,
    }
}
