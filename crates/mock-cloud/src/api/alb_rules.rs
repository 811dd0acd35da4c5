//! Forwarding rules of ALB listeners: made, changed, deleted.

use serde_json::{Value, json};

use crate::api::alb_balancers::{self, begin_job};
use crate::api::alb_limits::{self, Edition};
use crate::api::alb_listeners::{check_group_protocol, settled_listener};
use crate::api::alb_rule_form::{read_actions, read_conditions};
use crate::api::{Call, Handler, alb_server_groups, tags, vpc};
use crate::plane::spec::rule::{Action, ActionKind, Condition, Direction};
use crate::wire::ApiError;
use crate::world::World;
use crate::world::load_balancer::{Listener, LoadBalancer};
use crate::world::pace::Step;
use crate::world::rule::{Rule, RuleStatus};

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("CreateRule", create_rule),
    ("UpdateRuleAttribute", update_rule_attribute),
    ("DeleteRule", delete_rule),
];

fn create_rule(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let listener = settled_listener(call.world, parameters.required("ListenerId")?)?;
    let balancer = alb_balancers::find(call.world, &listener.load_balancer)?.clone();
    let name = parameters.required("RuleName")?.to_owned();
    vpc::check_name(&name, "InvalidParameter")?;
    let direction = read_direction(parameters.text("Direction"), &balancer)?;
    let priority = parameters.unsigned("Priority").ok_or_else(|| ApiError::missing("Priority"))?;
    let conditions = read_conditions(parameters)?;
    let actions = read_actions(parameters)?;
    call.region.clone_from(&balancer.meta.region);
    let tags = tags::read(parameters)?;
    let mut rule = Rule {
        id: String::new(),
        name,
        listener: listener.id.clone(),
        direction,
        priority,
        status: RuleStatus::Provisioning,
        conditions,
        actions,
        meta: call.world.meta(&call.region, tags),
    };
    check(call.world, &rule, (&listener, &balancer))?;
    let limit = Edition::of(&balancer).rules();
    if rules_of_balancer(call.world, &balancer.id) >= limit {
        let message = format!("The ALB instance {} has {limit} rules already.", balancer.id);
        return Err(ApiError::bad_request("ResourceQuotaExceeded.LoadBalancerRulesNum", message));
    }
    alb_limits::check_servers(call.world, &balancer, &rule.groups())?;
    call.begin_effect()?;
    let id = call.plain_id("rule");
    rule.id.clone_from(&id);
    call.world.rules.insert(id.clone(), rule);
    call.world.move_rule(&id, RuleStatus::Provisioning);
    let job = begin_job(call, ("rule", &id), Step::Listener);
    Ok(json!({"RuleId": id, "JobId": job}))
}

fn update_rule_attribute(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let (mut changed, listener, balancer) = settled_rule(call)?;
    let former: Vec<String> = changed.groups().into_iter().map(str::to_owned).collect();
    vpc::check_name(parameters.text("RuleName").unwrap_or_default(), "InvalidParameter")?;
    vpc::update(&mut changed.name, parameters.text("RuleName"));
    changed.priority = parameters.unsigned("Priority").unwrap_or(changed.priority);
    if parameters.has("RuleConditions") {
        changed.conditions = read_conditions(parameters)?;
    }
    if parameters.has("RuleActions") {
        changed.actions = read_actions(parameters)?;
    }
    check(call.world, &changed, (&listener, &balancer))?;
    let added: Vec<&str> =
        changed.groups().into_iter().filter(|id| !former.iter().any(|own| own == id)).collect();
    alb_limits::check_servers(call.world, &balancer, &added)?;
    call.begin_effect()?;
    let id = changed.id.clone();
    call.world.rules.insert(id.clone(), changed);
    for group in former {
        call.world.configure_server_group(&group);
    }
    call.world.move_rule(&id, RuleStatus::Configuring);
    Ok(json!({"JobId": begin_job(call, ("rule", &id), Step::Listener)}))
}

fn delete_rule(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (rule, _, _) = settled_rule(call)?;
    call.begin_effect()?;
    call.world.move_rule(&rule.id, RuleStatus::Deleting);
    Ok(json!({"JobId": begin_job(call, ("rule", &rule.id), Step::Listener)}))
}

/// The rule of a call with its listener and its ALB, when none of them is under way to another state.
fn settled_rule(call: &Call<'_>) -> Result<(Rule, Listener, LoadBalancer), ApiError> {
    let id = call.parameters.required("RuleId")?;
    let missing =
        || ApiError::not_found("ResourceNotFound.Rule", format!("The specified rule {id} does not exist."));
    let rule = call.world.rules.get(id).ok_or_else(missing)?;
    let listener = settled_listener(call.world, &rule.listener)?;
    let balancer = alb_balancers::find(call.world, &listener.load_balancer)?.clone();
    if rule.status == RuleStatus::Available {
        return Ok((rule.clone(), listener, balancer));
    }
    let message = format!("The rule {id} is {:?}.", rule.status);
    Err(ApiError::bad_request("IncorrectStatus.Rule", message))
}

fn read_direction(given: Option<&str>, balancer: &LoadBalancer) -> Result<Direction, ApiError> {
    match given {
        None | Some("Request") => Ok(Direction::Request),
        Some("Response") if Edition::of(balancer) == Edition::Basic => {
            Err(ApiError::invalid("Direction", "the Basic edition has no rules for responses"))
        }
        Some("Response") => Ok(Direction::Response),
        Some(other) => {
            Err(ApiError::invalid("Direction", format!("{other} is neither Request nor Response")))
        }
    }
}

fn rules_of_balancer(world: &World, balancer: &str) -> usize {
    let listeners = world.listeners.values().filter(|listener| listener.load_balancer == balancer);
    listeners.map(|listener| world.rules_of(&listener.id).len()).sum()
}

/// Everything a rule has to be beside its form.
fn check(
    world: &World,
    rule: &Rule,
    (listener, balancer): (&Listener, &LoadBalancer),
) -> Result<(), ApiError> {
    let siblings = world.rules_of(&listener.id);
    let rival = siblings.iter().find(|own| own.id != rule.id && own.priority == rule.priority);
    if let Some(other) = rival {
        let message = format!("The rule {} has the priority {} already.", other.id, rule.priority);
        return Err(ApiError::bad_request("Conflict.Priority", message));
    }
    check_conditions(rule, Edition::of(balancer))?;
    check_actions(rule, listener, Edition::of(balancer))?;
    check_groups(world, &rule.actions, (listener, balancer))
}

fn check_conditions(rule: &Rule, edition: Edition) -> Result<(), ApiError> {
    if rule.conditions.is_empty() {
        return Err(ApiError::missing("RuleConditions"));
    }
    let of_responses = |condition: &&Condition| {
        matches!(condition, Condition::ResponseHeader(_) | Condition::ResponseStatusCode(_))
    };
    let odd = rule.conditions.iter().find(|own| of_responses(own) && rule.direction == Direction::Request);
    if let Some(condition) = odd {
        let reason = format!("{} goes with rules for responses", condition.kind());
        return Err(ApiError::invalid("RuleConditions", reason));
    }
    let evaluations: usize = rule.conditions.iter().map(Condition::evaluations).sum();
    let wildcards: usize = rule.conditions.iter().map(Condition::wildcards).sum();
    let limit = edition.conditions();
    let exceeded = |code: &str, what: &str, count: usize| {
        let message = format!("The rule has {count} {what}; {limit} are allowed.");
        Err(ApiError::bad_request(format!("QuotaExceeded.{code}"), message))
    };
    if evaluations > limit {
        return exceeded("RuleMatchEvaluationsNum", "values to compare with", evaluations);
    }
    if wildcards > limit {
        return exceeded("RuleWildcardsNum", "values with wildcards", wildcards);
    }
    Ok(())
}

/// A rule for requests ends with one action that answers or forwards.
fn check_actions(rule: &Rule, listener: &Listener, edition: Edition) -> Result<(), ApiError> {
    let actions = &rule.actions;
    let limit = edition.actions();
    if actions.len() > limit {
        let message = format!("The rule has {} actions; {limit} are allowed.", actions.len());
        return Err(ApiError::bad_request("QuotaExceeded.RuleActionsNum", message));
    }
    let invalid = |reason: &str| Err(ApiError::invalid("RuleActions", reason));
    if rule.direction == Direction::Response {
        let changes_headers = |action: &Action| {
            matches!(action.kind, ActionKind::InsertHeader { .. } | ActionKind::RemoveHeader { .. })
        };
        if actions.is_empty() || !actions.iter().all(changes_headers) {
            return invalid("rules for responses insert and remove headers only");
        }
        return Ok(());
    }
    let finals = actions.iter().filter(|action| action.kind.is_final()).count();
    if finals != 1 || !actions.last().is_some_and(|action| action.kind.is_final()) {
        return invalid("there must be one ForwardGroup, Redirect or FixedResponse, and it must be the last");
    }
    let forwards = actions.iter().any(|action| matches!(action.kind, ActionKind::ForwardGroup { .. }));
    if !forwards && actions.iter().any(|action| matches!(action.kind, ActionKind::Rewrite { .. })) {
        let message = "A Rewrite goes with a ForwardGroup only.";
        return Err(ApiError::bad_request("OperationDenied.RewriteMissingForwardGroup", message));
    }
    let to_plain = |action: &Action| matches!(&action.kind, ActionKind::Redirect(redirect) if redirect.protocol == "HTTP");
    if listener.protocol == "HTTPS" && actions.iter().any(to_plain) {
        return invalid("an HTTPS listener redirects to HTTPS only");
    }
    Ok(())
}

/// The groups of all actions exist and fit the listener and each other.
fn check_groups(
    world: &World,
    actions: &[Action],
    (listener, balancer): (&Listener, &LoadBalancer),
) -> Result<(), ApiError> {
    let denied = |code: &str, message: String| Err(ApiError::bad_request(code, message));
    let mut forwarded: Vec<&str> = Vec::new();
    for action in actions {
        let mut protocols: Vec<&str> = Vec::new();
        for id in action.kind.groups() {
            let group = alb_server_groups::find_usable(world, id)?;
            if !group.vpc.is_empty() && group.vpc != balancer.vpc {
                return denied("Mismatch.VpcId", format!("{id} and {} are in two VPCs.", balancer.id));
            }
            check_group_protocol(group, &listener.protocol, "Mismatch.Protocol")?;
            alb_limits::check_features(group, balancer)?;
            protocols.push(&group.protocol);
            if matches!(action.kind, ActionKind::TrafficMirror { .. }) {
                if group.kind == "Ip" {
                    let message = format!("The group {id} of addresses cannot mirror.");
                    return denied("OperationDenied.IpGroupCanNotUsedForMirrorAction", message);
                }
                if group.protocol != "HTTP" {
                    let message = format!("The group {id} speaks {}; only HTTP mirrors.", group.protocol);
                    return denied("OperationDenied.MirrorActionSupportHttpGroupOnly", message);
                }
                if forwarded.contains(&id) {
                    let message = format!("The group {id} is forwarded to and mirrored to.");
                    return denied("OperationDenied.SameGroupForForwardAndMirrorAction", message);
                }
            }
        }
        if protocols.windows(2).any(|pair| pair[0] != pair[1]) {
            let message = "The groups of one ForwardGroup speak different protocols.".to_owned();
            return denied("OperationDenied.ProtocolMustSameForForwardGroupAction", message);
        }
        forwarded.extend(action.kind.groups());
    }
    Ok(())
}
