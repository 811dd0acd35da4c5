//! A plan that puts a release that the hosts have kept in force again, and changes nothing else.

use crate::plan::action::{Action, Change};
use crate::plan::drift::Drift;
use crate::plan::{Plan, Step, find_step};
use crate::resource::spec::Spec;
use crate::resource::{Kind, ResourceAddress};

/// From what a plan knows of a stack: nodes that have another release in force, or do not run, get this one.
pub fn make(plan: &Plan, release: &str) -> Plan {
    let there = plan.steps.iter().filter(|step| step.current.is_some());
    let steps = there.map(|step| {
        if step.address.kind == Kind::Release {
            back_to(step, release, plan)
        } else {
            Step { action: Action::Keep, ..step.clone() }
        }
    });
    Plan {
        steps: steps.collect(),
        left_out: Vec::new(),
        drift: Drift::default(),
        older_images: Vec::new(),
        ..plan.clone()
    }
}

fn back_to(step: &Step, release: &str, plan: &Plan) -> Step {
    let mut step = step.clone();
    if let Some(Spec::Release(spec)) = &mut step.spec {
        spec.kept = Some(release.to_owned());
        // Where the load balancer looks for the node now, whatever the topology says meanwhile.
        spec.port = port_of(&step.address, plan).unwrap_or(spec.port);
    }
    let differs = |(field, wanted): (&'static str, &str)| {
        let from = step.current.as_ref().and_then(|current| current.fields.get(field)).cloned();
        let (from, to) = (from.unwrap_or_default(), wanted.to_owned());
        (from != to).then_some(Change { field, from, to, forces_replacement: false })
    };
    let changes: Vec<Change> =
        [("release", release), ("service", "active")].into_iter().filter_map(differs).collect();
    step.action = if changes.is_empty() { Action::Keep } else { Action::Update(changes) };
    step
}

fn port_of(release: &ResourceAddress, plan: &Plan) -> Option<u16> {
    let server = find_step(&plan.steps, &release.on_same_machine(Kind::Server))?;
    server.current.as_ref()?.fields.get("port")?.parse().ok()
}
