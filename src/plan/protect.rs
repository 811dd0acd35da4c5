//! What a plan may not do: delete or replace what the topology protects. Pure.
//!
//! What was deposed by an earlier replacement is not protected: what took its place is.

use crate::plan::action::Action;
use crate::plan::{Plan, Step};
use crate::resource::{Kind, ResourceAddress};
use crate::topology::model::{RedisPlace, Series, Topology};

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
    let protected = instance().filter(|(_, one)| address.kind == Kind::Instance && one.protect);
    let is_balancer = address.kind == Kind::LoadBalancer && topology.load_balancer.protect;
    let own = if let Some((_, instance)) = protected {
        Some(format!("instances.{}.protect", instance.declared))
    } else if address.kind == Kind::RedisInstance {
        protecting_field_of_redis(topology)
    } else {
        is_balancer.then(|| "load_balancer.protect".to_owned())
    };
    own.or_else(|| topology.protect.then(|| "protect".to_owned()))
}

fn protecting_field_of_redis(topology: &Topology) -> Option<String> {
    match &topology.redis.place {
        RedisPlace::Managed(managed) if managed.protect => {
            let field = match managed.series {
                Series::Tair => "tair",
                Series::Classic => "classic",
            };
            Some(format!("redis.{field}.protect"))
        }
        RedisPlace::Managed(_) | RedisPlace::OnHost(_) | RedisPlace::Absent => None,
    }
}
