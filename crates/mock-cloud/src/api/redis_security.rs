//! Who may connect to a Redis instance: allow lists and security groups.

use serde_json::{Value, json};

use crate::api::redis_instances::{find, require_idle, require_normal};
use crate::api::{Call, Handler, redis_rules};
use crate::wire::ApiError;
use crate::world::redis::{AllowList, DEFAULT_LIST, RedisInstance};

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("ModifySecurityIps", modify_security_ips),
    ("DescribeSecurityIps", describe_security_ips),
    ("ModifySecurityGroupConfiguration", modify_security_group_configuration),
    ("DescribeSecurityGroupConfiguration", describe_security_group_configuration),
];

/// Security groups of one instance.
const GROUPS: usize = 10;

fn modify_security_ips(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let own = find(call.world, parameters.required("InstanceId")?)?;
    let name = parameters.text("SecurityIpGroupName").unwrap_or(DEFAULT_LIST);
    redis_rules::check_list_name(name)?;
    let entries = redis_rules::read_entries(parameters.required("SecurityIps")?)?;
    let mut list = own.allow_lists.get(name).cloned();
    match parameters.text_or("ModifyMode", "Cover").to_ascii_lowercase().as_str() {
        "append" => {
            let list = list.get_or_insert_default();
            if let Some(entry) = entries.iter().find(|entry| list.entries.contains(*entry)) {
                return Err(redis_rules::duplicate(entry));
            }
            list.entries.extend(entries);
            redis_rules::check_number_of_entries(list.entries.len())?;
        }
        "delete" => {
            let all = list.as_mut().filter(|list| entries.is_subset(&list.entries)).ok_or_else(|| {
                let message = format!("The allow list {name} does not have these addresses.");
                ApiError::not_found("InvalidSecurityIPList.NotFound", message)
            })?;
            all.entries.retain(|entry| !entries.contains(entry));
        }
        _ => list.get_or_insert_default().entries = entries,
    }
    if let (Some(list), Some(attribute)) = (&mut list, parameters.text("SecurityIpGroupAttribute")) {
        attribute.clone_into(&mut list.attribute);
    }
    require_idle(own, "LockTimeout")?;
    let id = own.id.clone();
    if let (Some(own), Some(list)) = (call.world.redis_instances.get_mut(&id), list) {
        put(own, name, list);
    }
    call.world.change_redis(&id);
    Ok(json!({}))
}

/// An empty list goes, but the default one lets nobody in instead.
fn put(own: &mut RedisInstance, name: &str, list: AllowList) {
    if !list.entries.is_empty() {
        own.allow_lists.insert(name.to_owned(), list);
    } else if name == DEFAULT_LIST {
        own.allow_lists.insert(name.to_owned(), AllowList::nobody());
    } else {
        own.allow_lists.remove(name);
    }
}

fn describe_security_ips(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let own = find(call.world, call.parameters.required("InstanceId")?)?;
    let groups = own.allow_lists.iter().map(|(name, list)| {
        json!({
            "SecurityIpGroupName": name,
            "SecurityIpGroupAttribute": list.attribute,
            "SecurityIpList": list.text(),
        })
    });
    Ok(json!({"SecurityIpGroups": {"SecurityIpGroup": groups.collect::<Vec<_>>()}}))
}

fn modify_security_group_configuration(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let own = find(call.world, call.parameters.required("DBInstanceId")?)?;
    call.parameters.required("SecurityGroupId")?;
    let groups = call.parameters.comma_texts("SecurityGroupId").unwrap_or_default();
    if groups.len() > GROUPS {
        let message = "An instance has at most 10 security groups.";
        return Err(ApiError::forbidden("AssociatedEcsSecurityGroupId.QuotaExceed", message));
    }
    let usable = |id: &String| call.world.security_groups.get(id).is_some_and(|group| group.vpc == own.vpc);
    if let Some(id) = groups.iter().find(|id| !usable(id)) {
        let message = format!("The security group {id} is not one of the VPC {}.", own.vpc);
        return Err(ApiError::bad_request("InvalidParam", message));
    }
    require_normal(own)?;
    let id = own.id.clone();
    if let Some(own) = call.world.redis_instances.get_mut(&id) {
        own.security_groups = groups;
    }
    call.world.change_redis(&id);
    Ok(json!({}))
}

fn describe_security_group_configuration(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let own = find(call.world, call.parameters.required("InstanceId")?)?;
    let there = own.security_groups.iter().filter(|id| call.world.security_groups.contains_key(*id));
    let relations =
        there.map(|id| json!({"SecurityGroupId": id, "RegionId": own.meta.region, "NetType": "vpc"}));
    Ok(json!({"Items": {"EcsSecurityGroupRelation": relations.collect::<Vec<_>>()}}))
}
