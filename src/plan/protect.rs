//! What a plan may not do: delete or replace what the topology protects. Pure.
//!
//! What was deposed by an earlier replacement is not protected: what took its place is.

use crate::plan::action::Action;
use crate::plan::{Plan, Step};
use crate::resource::{Kind, ResourceAddress};
use crate::topology::model::Topology;

/// Something protected that a plan would delete or replace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The resource.
    pub address: ResourceAddress,
    /// `delete` or `replace`.
    pub verb: &'static str,
    /// Where the topology protects it: `instances.ecs01.protect`.
    pub field: String,
}

/// Everything protected that a plan would delete or replace.
pub fn refusals(topology: &Topology, plan: &Plan) -> Vec<Refusal> {
    let refusal = |step: &Step| {
        let ends = match step.action {
            Action::Delete | Action::Replace(_) => !step.address.is_deposed(),
            Action::Create | Action::Update(_) | Action::Keep | Action::Unknown(_) => false,
        };
        let field = protecting_field(topology, &step.address).filter(|_| ends)?;
        Some(Refusal { address: step.address.clone(), verb: step.action.word(), field })
    };
    plan.steps.iter().filter_map(refusal).collect()
}

/// The field that protects a resource: its own before that of the whole stack.
fn protecting_field(topology: &Topology, address: &ResourceAddress) -> Option<String> {
    let instance = || topology.instances.iter().find(|(name, _)| name.as_str() == address.name);
    let own = match address.kind {
        Kind::Instance if instance().is_some_and(|(_, instance)| instance.protect) => {
            Some(format!("instances.{}.protect", address.name))
        }
        Kind::LoadBalancer if topology.load_balancer.protect => Some("load_balancer.protect".to_owned()),
        _ => None,
    };
    own.or_else(|| topology.protect.then(|| "protect".to_owned()))
}
