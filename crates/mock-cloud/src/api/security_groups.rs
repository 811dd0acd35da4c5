//! Security groups.

use serde_json::{Value, json};

use crate::api::instances::check_description;
use crate::api::page::{self, Size};
use crate::api::security_rules::describe_rule;
use crate::api::vpc::accepts;
use crate::api::{Call, Handler, quotas, tags, vpc};
use crate::wire::ApiError;
use crate::world::World;
use crate::world::meta::timestamp;
use crate::world::network::NetworkStatus;
use crate::world::security_group::SecurityGroup;

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("CreateSecurityGroup", create_security_group),
    ("DescribeSecurityGroups", describe_security_groups),
    ("DescribeSecurityGroupAttribute", describe_security_group_attribute),
    ("DeleteSecurityGroup", delete_security_group),
];

fn create_security_group(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let Some(network) = parameters.text("VpcId") else {
        return Err(ApiError::bad_request(
            "InvalidParams.VpcIdGroupType",
            "There are only VPC networks: give a VpcId.",
        ));
    };
    let owner = vpc::find(call.world, network)?;
    if owner.status != NetworkStatus::Available {
        return Err(ApiError::bad_request(
            "IncorrectVpcStatus",
            format!("The VPC {network} is not Available."),
        ));
    }
    let name = parameters.owned("SecurityGroupName");
    vpc::check_name(&name, "InvalidSecurityGroupName.Malformed")?;
    let description = parameters.text("Description").unwrap_or_default();
    check_description(description, "InvalidSecurityGroupDiscription.Malformed")?;
    let kind = parameters.text_or("SecurityGroupType", "normal");
    if !["normal", "enterprise"].contains(&kind.as_str()) {
        let message = format!("The SecurityGroupType {kind} is neither normal nor enterprise.");
        return Err(ApiError::bad_request("InvalidParams.GroupType", message));
    }
    let own = call.world.security_groups.values();
    if own.filter(|own| own.managed_by.is_none() && own.meta.region == call.region).count()
        >= quotas::SECURITY_GROUPS
    {
        let message = format!("The account has {} security groups already.", quotas::SECURITY_GROUPS);
        return Err(ApiError::forbidden("QuotaExceed.SecurityGroup", message));
    }
    let tags = tags::read(parameters)?;
    let id = call.regional_id("sg");
    let group = SecurityGroup {
        id: id.clone(),
        name,
        description: parameters.owned("Description"),
        kind,
        vpc: network.to_owned(),
        rules: Vec::new(),
        managed_by: None,
        meta: call.world.meta(&call.region, tags),
    };
    call.world.security_groups.insert(id.clone(), group);
    Ok(json!({"SecurityGroupId": id}))
}

fn describe_security_groups(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.begin_effect()?;
    let parameters = call.parameters;
    let ids = parameters.json_texts("SecurityGroupIds")?;
    let mut groups: Vec<&SecurityGroup> = call
        .world
        .security_groups
        .values()
        .filter(|own| call.world.shows(&own.meta, &call.region))
        .filter(|own| {
            accepts(parameters, "VpcId", &own.vpc) && accepts(parameters, "SecurityGroupId", &own.id)
        })
        .filter(|own| accepts(parameters, "SecurityGroupName", &own.name))
        .filter(|own| accepts(parameters, "SecurityGroupType", &own.kind))
        .filter(|own| ids.as_ref().is_none_or(|ids| ids.contains(&own.id)))
        .filter(|own| {
            parameters.boolean("ServiceManaged").is_none_or(|wanted| wanted == own.managed_by.is_some())
        })
        .filter(|own| tags::matches(&own.meta, parameters))
        .collect();
    groups.sort_by_key(|own| (own.meta.created, &own.id));
    let all = groups.into_iter().map(|own| describe(call.world, own)).collect();
    let size = Size { default: 10, minimum: 1, maximum: 100 };
    let mut reply = page::either(all, parameters, size, ("SecurityGroups", "SecurityGroup"))?;
    reply["RegionId"] = json!(call.region);
    Ok(reply)
}

fn describe(world: &World, group: &SecurityGroup) -> Value {
    json!({
        "SecurityGroupId": group.id,
        "SecurityGroupName": group.name,
        "Description": group.description,
        "SecurityGroupType": group.kind,
        "VpcId": group.vpc,
        "CreationTime": timestamp(group.meta.created),
        "RuleCount": group.rules.len(),
        "EcsCount": world.members_of(&group.id),
        "ServiceManaged": group.managed_by.is_some(),
        "ResourceGroupId": "",
        "Tags": tags::ecs_tags(&group.meta),
    })
}

fn describe_security_group_attribute(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let group = find(call.world, call.parameters.required("SecurityGroupId")?)?;
    let direction = call.parameters.text("Direction").unwrap_or("all");
    let rules =
        group.rules.iter().filter(|rule| direction == "all" || direction == rule.permission.direction);
    let size = Size { default: 500, minimum: 10, maximum: 1000 };
    let page = page::by_token(rules.map(describe_rule).collect(), call.parameters, size)?;
    Ok(json!({
        "SecurityGroupId": group.id,
        "SecurityGroupName": group.name,
        "Description": group.description,
        "VpcId": group.vpc,
        "RegionId": group.meta.region,
        "InnerAccessPolicy": if group.kind == "enterprise" { "Drop" } else { "Accept" },
        "Permissions": {"Permission": page.items},
        "NextToken": page.next_token,
    }))
}

fn delete_security_group(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("SecurityGroupId")?;
    let Some(group) = call.world.security_groups.get(id) else {
        let message = format!("The specified security group {id} does not exist.");
        return Err(ApiError::not_found("InvalidSecurityGroup.NotFound", message));
    };
    refuse_managed(group)?;
    let in_interface =
        call.world.network_interfaces.values().any(|own| own.security_groups.iter().any(|own| own == id));
    let others = call.world.security_groups.values().filter(|other| other.id != id);
    let named = others.flat_map(|other| &other.rules).any(|rule| rule.permission.source_group == id);
    let joined =
        call.world.load_balancers.values().any(|own| own.security_groups.iter().any(|own| own == id));
    if in_interface || named || joined {
        let message =
            format!("The security group {id} is still used by instances, load balancers or other groups.");
        return Err(ApiError::forbidden("DependencyViolation", message));
    }
    call.world.security_groups.remove(id);
    Ok(json!({}))
}

/// The group with this id.
pub(super) fn find<'a>(world: &'a World, id: &str) -> Result<&'a SecurityGroup, ApiError> {
    let message = format!("The specified security group {id} does not exist.");
    world
        .security_groups
        .get(id)
        .ok_or_else(|| ApiError::not_found("InvalidSecurityGroupId.NotFound", message))
}

/// A group that a load balancer made for itself is not for others to change.
pub(super) fn refuse_managed(group: &SecurityGroup) -> Result<(), ApiError> {
    match &group.managed_by {
        None => Ok(()),
        Some(balancer) => {
            let message =
                format!("The security group {} is managed by the ALB instance {balancer}.", group.id);
            Err(ApiError::forbidden("InvalidOperation.ResourceManagedByCloudProduct", message))
        }
    }
}
