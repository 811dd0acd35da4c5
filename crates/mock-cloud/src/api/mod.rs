//! One handler an action, one group of actions a file.
//!
//! [`execute`] takes a call through: 1. parameters against the facts, 2. the client token, 3. the region,
//! 4. the handler. A handler first checks everything, then calls [`Call::begin_effect`] (where a dry run ends),
//! then changes the world. 5. A refusal gets the HTTP status that is documented for it.

pub mod alb_balancers;
pub mod alb_certificates;
pub mod alb_forwarding;
pub mod alb_limits;
pub mod alb_listeners;
pub mod alb_options;
pub mod alb_reads;
pub mod alb_rule_form;
pub mod alb_rule_reads;
pub mod alb_rules;
pub mod alb_server_groups;
pub mod alb_servers;
pub mod alidns;
pub mod alidns_reads;
pub mod catalogue;
pub mod certificate_chain;
pub mod certificates;
pub mod certificates_reads;
pub mod cloud_assistant;
pub mod console;
pub mod disk_changes;
pub mod disk_form;
pub mod disks;
pub mod elastic_ips;
pub mod images;
pub mod instance_names;
pub mod instances;
pub mod instances_power;
pub mod instances_reads;
pub mod interfaces;
pub mod key_pairs;
pub mod nat_gateways;
mod oidc;
pub mod once;
pub mod page;
pub mod places;
pub mod price_table;
pub mod prices;
pub mod provenance;
pub mod public_addresses;
pub mod quotas;
pub mod redis_accounts;
pub mod redis_catalogue;
pub mod redis_changes;
pub mod redis_create;
pub mod redis_instances;
pub mod redis_network;
pub mod redis_order;
pub mod redis_places;
pub mod redis_prices;
pub mod redis_reads;
pub mod redis_rules;
pub mod redis_security;
pub mod rows;
pub mod run_access;
pub mod run_billing;
pub mod run_instances;
pub mod run_network;
pub mod security_groups;
pub mod security_rules;
pub mod snat_entries;
pub mod sts;
pub mod tags;
pub mod vpc;
pub mod vswitch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde_json::Value;

use crate::facts::{errors, facts};
use crate::wire::{ApiError, Parameters};
use crate::world::World;
use crate::world::account::Caller;
use crate::world::ids::Ids;
use crate::world::regions;

/// A handler.
pub type Handler = fn(&mut Call<'_>) -> Result<Value, ApiError>;

/// Which action a call asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// `Ecs`, `Vpc`, `Alb`, `Alidns`, `R-kvstore`, `cas`, `Sts`.
    pub product: String,
    /// `RunInstances`.
    pub action: String,
}

impl std::fmt::Display for Operation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}", self.product, self.action)
    }
}

/// What a caller may send beside what an action knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Unknown parameters are ignored, as the real cloud does.
    AsTheCloud,
    /// Unknown parameters are refused.
    Strict,
}

/// What surrounds a call.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Who calls.
    pub caller: &'a Caller,
    /// Region of a call that names none.
    pub region: &'a str,
    /// What to do with unknown parameters.
    pub strictness: Strictness,
    /// How many instances there is stock for; enough when absent.
    pub stock: Option<u32>,
}

/// How a call ended.
#[derive(Debug)]
pub struct Outcome {
    /// Reply or refusal.
    pub answer: Result<Value, ApiError>,
    /// Parameters the action does not know.
    pub ignored: BTreeSet<String>,
    /// Region it was for.
    pub region: String,
}

/// One call inside a handler.
#[derive(Debug)]
pub struct Call<'a> {
    /// Everything that exists.
    pub world: &'a mut World,
    /// What was sent.
    pub parameters: &'a Parameters,
    /// Region it is for.
    pub region: String,
    /// Which action.
    pub operation: &'a Operation,
    /// Who calls.
    pub caller: &'a Caller,
    /// What makes this call this call: its client token, else a digest of its parameters.
    pub identity: String,
}

impl Call<'_> {
    /// Ends a dry run; to be called after all checks and before the first change.
    ///
    /// # Errors
    /// `DryRunOperation` when the caller asked for one.
    pub fn begin_effect(&self) -> Result<(), ApiError> {
        if !self.parameters.flag("DryRun") {
            return Ok(());
        }
        let power = ["StartInstance", "StopInstance", "DeleteInstance", "RebootInstance"];
        let code = if power.iter().any(|prefix| self.operation.action.starts_with(prefix)) {
            "DRYRUN.SUCCESS"
        } else {
            "DryRunOperation"
        };
        Err(ApiError::bad_request(code, "Request validation has been passed with DryRun flag set."))
    }

    /// A new id with the mark of the region, `i-bp1...`.
    pub fn regional_id(&mut self, prefix: &str) -> String {
        let prefix = format!("{prefix}-{}", regions::id_mark(&self.region));
        let identity = self.identity.clone();
        self.ids().make(&prefix, &identity, 17)
    }

    /// A new id without it, as ALB has them.
    pub fn plain_id(&mut self, prefix: &str) -> String {
        let identity = self.identity.clone();
        self.ids().make(&format!("{prefix}-"), &identity, 18)
    }

    /// Thirty-two bytes that no other call gets.
    pub fn fresh_material(&mut self, kind: &str) -> [u8; 32] {
        let identity = self.identity.clone();
        self.ids().digest(kind, &identity)
    }

    /// The source of ids.
    pub fn ids(&mut self) -> &mut Ids {
        &mut self.world.ids
    }
}

/// Takes one call of the account itself through.
pub fn execute(
    world: &mut World,
    operation: &Operation,
    parameters: &Parameters,
    strictness: Strictness,
) -> Outcome {
    let region = world.settings.region.clone();
    let context = Context { caller: &Caller::Root, region: &region, strictness, stock: None };
    execute_in(world, operation, parameters, &context)
}

/// Takes one call through.
pub fn execute_in(
    world: &mut World,
    operation: &Operation,
    parameters: &Parameters,
    context: &Context<'_>,
) -> Outcome {
    let mut outcome = take_through(world, operation, parameters, context);
    outcome.answer = outcome.answer.map_err(|refusal| errors().settle(operation, refusal));
    outcome
}

fn take_through(
    world: &mut World,
    operation: &Operation,
    parameters: &Parameters,
    context: &Context<'_>,
) -> Outcome {
    let region = region_of_call(world, parameters, context.region);
    let mut outcome = Outcome { answer: Ok(Value::Null), ignored: BTreeSet::new(), region: region.clone() };
    let Some(action) = facts().action(&operation.product, &operation.action) else {
        let message = format!("Specified api is not found: mock-cloud does not know {operation}.");
        outcome.answer = Err(ApiError::not_found("InvalidAction.NotFound", message));
        return outcome;
    };
    let Some(handler) = handler(operation) else {
        let message = format!("{operation} is an action of the real cloud that mock-cloud does not emulate.");
        outcome.answer = Err(ApiError::new(501, "Mock.NotEmulated", message));
        return outcome;
    };
    match action.check(parameters) {
        Ok(unknown) => outcome.ignored = unknown,
        Err(error) => outcome.answer = Err(error),
    }
    if let (Strictness::Strict, Some(name)) = (context.strictness, outcome.ignored.first()) {
        let message = format!("{operation} has no parameter {name}; the real cloud would ignore it.");
        outcome.answer = Err(ApiError::bad_request("Mock.UnknownParameter", message));
    }
    if regions::find(&region).is_none() {
        let message = "The specified RegionId does not exist.";
        outcome.answer = Err(ApiError::not_found("InvalidRegionId.NotFound", message));
    }
    if outcome.answer.is_ok() {
        let asked = once::Asked { operation, parameters, token: action.token.as_deref(), handler, region };
        outcome.answer = once::answer(world, &asked, context);
    }
    outcome
}

/// `RegionId`, else the region of the resource that is named, else the default.
fn region_of_call(world: &World, parameters: &Parameters, default: &str) -> String {
    const NAMES: &[&str] = &[
        "VpcId",
        "VSwitchId",
        "InstanceId",
        "DBInstanceId",
        "SecurityGroupId",
        "LoadBalancerId",
        "ListenerId",
        "ServerGroupId",
        "RuleId",
        "ListenerIds.1",
        "RuleIds.1",
        "LoadBalancerIds.1",
        "AllocationId",
        "NatGatewayId",
        "ResourceId",
        "ResourceId.1",
        "InstanceId.1",
    ];
    let given = parameters.text("RegionId");
    let named = || NAMES.iter().find_map(|name| world.region_of(parameters.text(name)?));
    given.or_else(named).unwrap_or(default).to_owned()
}

/// Every emulated action.
fn handlers() -> &'static BTreeMap<(&'static str, &'static str), Handler> {
    static HANDLERS: OnceLock<BTreeMap<(&'static str, &'static str), Handler>> = OnceLock::new();
    HANDLERS.get_or_init(|| {
        let groups: &[(&'static str, &[(&'static str, Handler)])] = &[
            ("Sts", sts::ACTIONS),
            ("Vpc", vpc::ACTIONS),
            ("Vpc", vswitch::ACTIONS),
            ("Vpc", places::VPC_ACTIONS),
            ("Vpc", elastic_ips::ACTIONS),
            ("Vpc", nat_gateways::ACTIONS),
            ("Vpc", snat_entries::ACTIONS),
            ("Vpc", tags::VPC_ACTIONS),
            ("Ecs", run_instances::ACTIONS),
            ("Ecs", instances::ACTIONS),
            ("Ecs", instances_power::ACTIONS),
            ("Ecs", instances_reads::ACTIONS),
            ("Ecs", security_groups::ACTIONS),
            ("Ecs", security_rules::ACTIONS),
            ("Ecs", key_pairs::ACTIONS),
            ("Ecs", images::ACTIONS),
            ("Ecs", catalogue::ACTIONS),
            ("Ecs", cloud_assistant::ACTIONS),
            ("Ecs", console::ACTIONS),
            ("Ecs", disks::ACTIONS),
            ("Ecs", disk_changes::ACTIONS),
            ("Ecs", prices::ACTIONS),
            ("Ecs", public_addresses::ACTIONS),
            ("Ecs", quotas::ACTIONS),
            ("Ecs", places::ECS_ACTIONS),
            ("Ecs", interfaces::ACTIONS),
            ("Ecs", tags::ECS_ACTIONS),
            ("Alb", alb_balancers::ACTIONS),
            ("Alb", alb_server_groups::ACTIONS),
            ("Alb", alb_servers::ACTIONS),
            ("Alb", alb_listeners::ACTIONS),
            ("Alb", alb_reads::ACTIONS),
            ("Alb", alb_rules::ACTIONS),
            ("Alb", alb_rule_reads::ACTIONS),
            ("Alb", alb_certificates::ACTIONS),
            ("Alb", alb_options::ACTIONS),
            ("Alb", places::ALB_ACTIONS),
            ("Alb", tags::ALB_ACTIONS),
            ("Alidns", alidns::ACTIONS),
            ("Alidns", alidns_reads::ACTIONS),
            ("R-kvstore", redis_create::ACTIONS),
            ("R-kvstore", redis_instances::ACTIONS),
            ("R-kvstore", redis_changes::ACTIONS),
            ("R-kvstore", redis_reads::ACTIONS),
            ("R-kvstore", redis_security::ACTIONS),
            ("R-kvstore", redis_accounts::ACTIONS),
            ("R-kvstore", redis_places::ACTIONS),
            ("R-kvstore", redis_prices::ACTIONS),
            ("R-kvstore", tags::REDIS_ACTIONS),
            ("cas", certificates::ACTIONS),
            ("cas", certificates_reads::ACTIONS),
        ];
        let flat = groups.iter().flat_map(|(product, actions)| {
            actions.iter().map(move |(action, handler)| ((*product, *action), *handler))
        });
        flat.collect()
    })
}

fn handler(operation: &Operation) -> Option<Handler> {
    handlers().get(&(operation.product.as_str(), operation.action.as_str())).copied()
}

/// Every emulated `Product.Action`, sorted.
pub fn emulated() -> Vec<String> {
    handlers().keys().map(|(product, action)| format!("{product}.{action}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_handler_has_facts() {
        let unknown: Vec<String> = emulated().into_iter().filter(|name| !facts().has(name)).collect();
        assert!(unknown.is_empty(), "without facts: {unknown:?}");
    }
}
