//! Rules of security groups: the old form (one rule in the parameters) and the new one (`Permissions.N`).

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use crate::api::security_groups::{find, refuse_managed};
use crate::api::{Call, Handler};
use crate::wire::{ApiError, Parameters};
use crate::world::World;
use crate::world::meta::timestamp;
use crate::world::security_group::{Permission, Rule, SecurityGroup};

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("AuthorizeSecurityGroup", authorize_security_group),
    ("RevokeSecurityGroup", revoke_security_group),
    ("ModifySecurityGroupRule", modify_security_group_rule),
];

/// Rules of one group.
const LIMIT: usize = 200;

fn authorize_security_group(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("SecurityGroupId")?.to_owned();
    refuse_managed(find(call.world, &id)?)?;
    let permissions = read_permissions(call.world, call.parameters)?;
    check_sources(call.world, find(call.world, &id)?, &permissions)?;
    let known = find(call.world, &id)?.rules.clone();
    let new = permissions.into_iter().filter(|(own, _)| known.iter().all(|rule| rule.permission != *own));
    let new: Vec<(Permission, String)> = new.collect();
    if known.len() + new.len() > LIMIT {
        return Err(ApiError::forbidden(
            "AuthorizationLimitExceed",
            "A security group has at most 200 rules.",
        ));
    }
    for (permission, description) in new {
        let rule = Rule { id: call.regional_id("sgr"), permission, description, created: call.world.now };
        if let Some(group) = call.world.security_groups.get_mut(&id) {
            group.rules.push(rule);
        }
    }
    Ok(json!({}))
}

/// A group admits groups of its own VPC, and an enterprise group admits none.
fn check_sources(
    world: &World,
    group: &SecurityGroup,
    permissions: &[(Permission, String)],
) -> Result<(), ApiError> {
    let sources = permissions.iter().filter_map(|(own, _)| world.security_groups.get(&own.source_group));
    for source in sources {
        if group.kind == "enterprise" {
            let message = format!("The enterprise group {} admits no groups.", group.id);
            return Err(ApiError::bad_request("InvalidGroupAuthParameter.OperationDenied", message));
        }
        if source.vpc != group.vpc {
            let message = format!("The groups {} and {} are in two VPCs.", group.id, source.id);
            return Err(ApiError::bad_request("InvalidSourceGroupId.Mismatch", message));
        }
    }
    Ok(())
}

fn revoke_security_group(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("SecurityGroupId")?.to_owned();
    refuse_managed(find(call.world, &id)?)?;
    let rule_ids = call.parameters.texts("SecurityGroupRuleId");
    if let Some(missing) = rule_ids.iter().find(|rule| !has_rule(call.world, &id, rule)) {
        return Err(absent_rule(&id, missing));
    }
    let named = if rule_ids.is_empty() { read_permissions(call.world, call.parameters)? } else { Vec::new() };
    if let Some(group) = call.world.security_groups.get_mut(&id) {
        group.rules.retain(|rule| {
            !rule_ids.contains(&rule.id) && named.iter().all(|(permission, _)| *permission != rule.permission)
        });
    }
    Ok(json!({}))
}

/// What is given changes, the rest stays as it is; no two rules of a group become the same.
fn modify_security_group_rule(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("SecurityGroupId")?.to_owned();
    let group = find(call.world, &id)?;
    refuse_managed(group)?;
    let rule_id = call.parameters.required("SecurityGroupRuleId")?.to_owned();
    let rule = group.rules.iter().find(|rule| rule.id == rule_id).cloned();
    let rule = rule.ok_or_else(|| absent_rule(&id, &rule_id))?;
    let description = call.parameters.text("Description").map(str::to_owned);
    if description.as_ref().is_some_and(|text| !(1..=512).contains(&text.chars().count())) {
        let message = "The description must have 1 to 512 characters.";
        return Err(ApiError::bad_request("InvalidSecurityGroupDiscription.Malformed", message));
    }
    let permission = modified(call.parameters, &rule.permission)?;
    if group.rules.iter().any(|own| own.id != rule_id && own.permission == permission) {
        let message = format!("The security group {id} has a rule like this already.");
        return Err(ApiError::bad_request("InvalidParam.DuplicatePermissions", message));
    }
    let group = call.world.security_groups.get_mut(&id);
    if let Some(own) = group.and_then(|group| group.rules.iter_mut().find(|own| own.id == rule_id)) {
        own.permission = permission;
        own.description = description.unwrap_or(rule.description);
    }
    Ok(json!({}))
}

/// A permission with what is given in place of what it has; a source stays of the kind it is.
fn modified(given: &Parameters, known: &Permission) -> Result<Permission, ApiError> {
    let mut permission = known.clone();
    if let Some(protocol) = given.text("IpProtocol") {
        permission.protocol = read_protocol(protocol)?;
    }
    if let Some(ports) = given.text("PortRange") {
        ports.clone_into(&mut permission.port_range);
    }
    check_port_range(&permission.protocol, &permission.port_range)
        .ok_or_else(|| malformed("InvalidPortRange.Malformed", "PortRange"))?;
    if let Some(policy) = given.text("Policy") {
        permission.policy = read_policy(policy)?;
    }
    if let Some(priority) = given.text("Priority") {
        permission.priority = read_priority(priority)?;
    }
    if given.has("SourceCidrIp") {
        if known.source_cidr.is_empty() {
            return Err(malformed("InvalidParam.SourceCidrIp", "SourceCidrIp"));
        }
        permission.source_cidr = read_addresses(given, "SourceCidrIp")?;
    }
    Ok(permission)
}

fn absent_rule(group: &str, rule: &str) -> ApiError {
    let message = format!("The security group {group} has no rule {rule}.");
    ApiError::not_found("InvalidSecurityGroupRuleId.NotFound", message)
}

fn has_rule(world: &World, group: &str, rule: &str) -> bool {
    world.security_groups.get(group).is_some_and(|group| group.rules.iter().any(|own| own.id == rule))
}

/// `Permissions.N`, or the deprecated form with one rule among the parameters.
fn read_permissions(world: &World, parameters: &Parameters) -> Result<Vec<(Permission, String)>, ApiError> {
    let mut listed = parameters.list("Permissions");
    if listed.is_empty() {
        listed.push(parameters.clone());
    }
    let read = listed.iter().map(|own| Ok((read_permission(world, own)?, own.owned("Description"))));
    let permissions: Vec<(Permission, String)> = read.collect::<Result<_, ApiError>>()?;
    for (index, (permission, _)) in permissions.iter().enumerate() {
        if permissions[..index].iter().any(|(earlier, _)| earlier == permission) {
            let message = "The same permission is given twice.";
            return Err(ApiError::bad_request("InvalidParam.DuplicatePermissions", message));
        }
    }
    Ok(permissions)
}

fn read_permission(world: &World, given: &Parameters) -> Result<Permission, ApiError> {
    let protocol = read_protocol(given.required("IpProtocol")?)?;
    let port_range = given.required("PortRange")?.to_owned();
    check_port_range(&protocol, &port_range)
        .ok_or_else(|| malformed("InvalidPortRange.Malformed", "PortRange"))?;
    let policy = read_policy(given.text("Policy").unwrap_or("accept"))?;
    let priority = read_priority(given.text("Priority").unwrap_or("1"))?;
    let source_group = given.owned("SourceGroupId");
    if !source_group.is_empty() && !world.security_groups.contains_key(&source_group) {
        return Err(ApiError::not_found(
            "InvalidSourceGroupId.NotFound",
            "The source security group does not exist.",
        ));
    }
    let source_cidr = read_addresses(given, "SourceCidrIp")?;
    let has_source = !source_cidr.is_empty() || !source_group.is_empty();
    if !has_source && !["SourcePrefixListId", "Ipv6SourceCidrIp"].iter().any(|name| given.has(name)) {
        return Err(ApiError::bad_request(
            "MissingParameter.Source",
            "One of the source parameters is needed.",
        ));
    }
    Ok(Permission {
        direction: "ingress",
        protocol,
        port_range,
        source_cidr,
        source_group,
        destination_cidr: read_addresses(given, "DestCidrIp")?,
        source_port_range: given.owned("SourcePortRange"),
        policy,
        priority,
    })
}

fn malformed(code: &str, name: &str) -> ApiError {
    ApiError::bad_request(code, format!("The specified {name} is not valid."))
}

fn read_protocol(text: &str) -> Result<String, ApiError> {
    let protocol = text.to_ascii_uppercase();
    let known = ["TCP", "UDP", "ICMP", "ICMPV6", "GRE", "ALL"].contains(&protocol.as_str());
    if known { Ok(protocol) } else { Err(malformed("InvalidIpProtocol.ValueNotSupported", "IpProtocol")) }
}

fn read_policy(text: &str) -> Result<String, ApiError> {
    let policy = text.to_ascii_lowercase();
    let known = ["accept", "drop"].contains(&policy.as_str());
    if known { Ok(policy) } else { Err(malformed("InvalidPolicy.Malformed", "Policy")) }
}

fn read_priority(text: &str) -> Result<i64, ApiError> {
    let priority = text.parse().ok().filter(|priority| (1..=100).contains(priority));
    priority.ok_or_else(|| malformed("InvalidPriority.Malformed", "Priority"))
}

/// TCP and UDP take `1/200`, everything else `-1/-1`.
fn check_port_range(protocol: &str, range: &str) -> Option<()> {
    let (first, last) = range.split_once('/')?;
    let (first, last): (i32, i32) = (first.parse().ok()?, last.parse().ok()?);
    let ports = ["TCP", "UDP"].contains(&protocol);
    let good =
        (ports && 1 <= first && first <= last && last <= 65535) || (!ports && (first, last) == (-1, -1));
    good.then_some(())
}

/// An address or a network; a single address stays as it is given.
fn read_addresses(given: &Parameters, name: &str) -> Result<String, ApiError> {
    let Some(text) = given.text(name) else {
        return Ok(String::new());
    };
    let good = text.parse::<Ipv4Net>().is_ok() || text.parse::<std::net::Ipv4Addr>().is_ok();
    if good { Ok(text.to_owned()) } else { Err(malformed_addresses(name)) }
}

fn malformed_addresses(name: &str) -> ApiError {
    ApiError::bad_request(
        format!("InvalidParam.{name}"),
        format!("The specified {name} is not a valid CIDR block."),
    )
}

pub(super) fn describe_rule(rule: &Rule) -> Value {
    let own = &rule.permission;
    json!({
        "SecurityGroupRuleId": rule.id,
        "Direction": own.direction,
        "IpProtocol": own.protocol,
        "PortRange": own.port_range,
        "SourceCidrIp": own.source_cidr,
        "SourceGroupId": own.source_group,
        "SourceGroupName": "",
        "SourceGroupOwnerAccount": "",
        "SourcePortRange": own.source_port_range,
        "SourcePrefixListId": "",
        "DestCidrIp": own.destination_cidr,
        "DestGroupId": "",
        "Ipv6SourceCidrIp": "",
        "Ipv6DestCidrIp": "",
        "NicType": "intranet",
        "Policy": if own.policy == "accept" { "Accept" } else { "Drop" },
        "Priority": own.priority.to_string(),
        "Description": rule.description,
        "CreateTime": timestamp(rule.created),
    })
}
