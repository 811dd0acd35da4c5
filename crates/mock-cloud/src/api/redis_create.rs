//! Ordering Redis and Tair instances.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use crate::api::redis_catalogue::{self, RedisClass};
use crate::api::redis_rules::{self, illegal};
use crate::api::{Call, Handler, redis_reads, tags};
use crate::secret::Secret;
use crate::wire::{ApiError, Parameters};
use crate::world::Moment;
use crate::world::event::Event;
use crate::world::network::{NetworkStatus, VSwitch};
use crate::world::pace::Step;
use crate::world::redis::{AllowList, DEFAULT_LIST, Limits, Nodes, RedisInstance, RedisStatus, Series};
use crate::world::regions;

pub(super) const ACTIONS: &[(&str, Handler)] =
    &[("CreateInstance", create_instance), ("CreateTairInstance", create_tair_instance)];

/// What both actions take and this cloud has not.
const NOT_EMULATED: &[&str] = &[
    "BackupId",
    "ClusterBackupId",
    "DedicatedHostGroupId",
    "GlobalInstanceId",
    "GlobalSecurityGroupIds",
    "ParamGroupId",
    "RestoreTime",
    "SrcDBInstanceId",
];

fn create_instance(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    if parameters.flag("GlobalInstance") || is(parameters, "InstanceType", "Memcache") {
        return Err(not_emulated("distributed instances and Memcache"));
    }
    let class = read_class(parameters)?;
    let nodes = read_nodes(parameters, class, "NodeType")?;
    let own = read_instance(call, class, nodes, "PostPaid")?;
    call.begin_effect()?;
    let order = order_id(call);
    let mut reply = common_reply(&own, order);
    reply["Capacity"] = json!(own.limits.capacity);
    reply["EndTime"] = json!(redis_reads::end_time(&own));
    reply["NetworkType"] = json!("VPC");
    reply["NodeType"] = json!(own.nodes.kind);
    reply["PrivateIpAddr"] = json!(own.private_address.to_string());
    reply["UserName"] = json!(own.id);
    reply["VSwitchId"] = json!(own.vswitch);
    reply["VpcId"] = json!(own.vpc);
    insert(call, own);
    Ok(reply)
}

fn create_tair_instance(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let kind = parameters.required("InstanceType")?;
    let class = redis_catalogue::find(parameters.required("InstanceClass")?)
        .filter(|class| {
            class.series.instance_type().eq_ignore_ascii_case(kind) && class.series.is_cloud_native()
        })
        .ok_or_else(|| {
            let message = format!("The instance class is not one of {kind}.");
            ApiError::bad_request("InstanceClass.NotMatch", message)
        })?;
    let nodes = read_nodes(parameters, class, "ShardType")?;
    let mut own = read_instance(call, class, nodes, "PrePaid")?;
    if class.series == Series::TairEssd {
        own.storage = Some(read_storage(parameters)?);
    }
    call.begin_effect()?;
    let order = order_id(call);
    let mut reply = common_reply(&own, order);
    let identity = call.identity.clone();
    reply["TaskId"] = json!(call.ids().make_decimal("task", &identity, 9));
    if own.name.is_empty()
        && let Some(fields) = reply.as_object_mut()
    {
        fields.remove("InstanceName");
    }
    insert(call, own);
    Ok(reply)
}

fn insert(call: &mut Call<'_>, own: RedisInstance) {
    call.world.schedule(Step::RedisMade, Event::RedisSettled(own.id.clone()));
    call.world.redis_instances.insert(own.id.clone(), own);
}

fn order_id(call: &mut Call<'_>) -> i64 {
    let identity = call.identity.clone();
    call.ids().make_decimal("order", &identity, 13).parse().unwrap_or_default()
}

fn common_reply(own: &RedisInstance, order: i64) -> Value {
    json!({
        "InstanceId": own.id,
        "InstanceName": own.name,
        "InstanceStatus": own.status.as_str(),
        "RegionId": own.meta.region,
        "ZoneId": own.zone,
        "ConnectionDomain": own.domain(),
        "Port": own.port,
        "Bandwidth": own.limits.bandwidth,
        "Connections": own.limits.connections,
        "QPS": own.limits.operations,
        "ChargeType": own.charge_type,
        "Config": redis_reads::config(own),
        "OrderId": order,
    })
}

fn read_class(parameters: &Parameters) -> Result<&'static RedisClass, ApiError> {
    if let Some(id) = parameters.text("InstanceClass") {
        return redis_catalogue::find(id)
            .filter(|class| class.series.instance_type() == "Redis" || class.series == Series::ClassicTair)
            .ok_or_else(|| {
                let message = format!("The instance class {id} does not exist or is not on sale here.");
                ApiError::bad_request("InvalidInstancelevel", message)
            });
    }
    let Some(capacity) = parameters.integer("Capacity") else {
        let message = "InstanceClass or Capacity is mandatory for this action.";
        return Err(ApiError::bad_request("MissingParameter", message));
    };
    redis_catalogue::of_capacity(capacity).ok_or_else(|| {
        let message = format!("There is no instance of {capacity} MB.");
        ApiError::bad_request("InvalidCapacity.NotFound", message)
    })
}

/// Both kinds of words are understood; the answer has those of the product line.
fn read_nodes(parameters: &Parameters, class: &RedisClass, kind: &str) -> Result<Nodes, ApiError> {
    let single = ["STAND_ALONE", "single"].iter().any(|word| is(parameters, kind, word));
    let kind = match (class.series.is_cloud_native(), single) {
        (true, false) => "MASTER_SLAVE",
        (true, true) => "STAND_ALONE",
        (false, false) => "double",
        (false, true) => "single",
    };
    let number = |name: &str| parameters.integer(name).unwrap_or(0);
    let nodes = Nodes {
        kind: kind.to_owned(),
        shards: parameters.integer("ShardCount").unwrap_or(1),
        replicas: parameters.integer("ReplicaCount").unwrap_or(i64::from(!single)),
        secondary_replicas: number("SlaveReplicaCount"),
        read_only: number("ReadOnlyCount"),
        secondary_read_only: number("SlaveReadOnlyCount"),
    };
    if !class.series.is_cloud_native() && (nodes.shards > 1 || nodes.architecture() != "standard") {
        let message = "Shards and read-only nodes need a cloud-native instance class.";
        return Err(ApiError::bad_request("InvalidShardInfo.Format", message));
    }
    let most = if nodes.shards > 1 { 4 } else { 9 };
    if nodes.read_only + nodes.secondary_read_only > most {
        return Err(illegal("ReadOnlyCount", format!("at most {most} read-only nodes are possible")));
    }
    if nodes.replicas + nodes.secondary_replicas > 4 {
        return Err(illegal("ReplicaCount", "at most 4 replicas are possible"));
    }
    Ok(nodes)
}

fn read_storage(parameters: &Parameters) -> Result<(i64, String), ApiError> {
    let missing = |name: &str| {
        ApiError::bad_request("MissingParameter", format!("{name} is mandatory for this instance type."))
    };
    let category = parameters.text("StorageType").ok_or_else(|| missing("StorageType"))?;
    let size = parameters.integer("Storage").ok_or_else(|| missing("Storage"))?;
    if size <= 0 {
        return Err(illegal("Storage", "it must be larger than 0"));
    }
    Ok((size, category.to_owned()))
}

fn read_instance(
    call: &mut Call<'_>,
    class: &RedisClass,
    nodes: Nodes,
    charge_type: &str,
) -> Result<RedisInstance, ApiError> {
    let parameters = call.parameters;
    if let Some(name) = NOT_EMULATED.iter().find(|name| parameters.has(name)) {
        return Err(not_emulated(name));
    }
    let vswitch = read_vswitch(call)?;
    let secondary_zone = read_zones(call, &vswitch)?;
    let charge_type = read_charge_type(parameters, charge_type);
    let end = read_period(call, &charge_type)?;
    let engine_version = read_version(parameters, class)?;
    let (maintain_start, maintain_end) =
        (parameters.text_or("MaintainStartTime", "18:00Z"), parameters.text_or("MaintainEndTime", "22:00Z"));
    redis_rules::check_window(&maintain_start, &maintain_end)?;
    if let Some(name) = parameters.text("InstanceName") {
        redis_rules::check_name(name)?;
    }
    if let Some(password) = parameters.text("Password") {
        redis_rules::check_password(password, "InvalidPassword.Malformed")?;
    }
    let port = read_port(parameters)?;
    let private_address = read_address(call, &vswitch)?;
    let tags = tags::read(parameters)?;
    let prefix = read_prefix(call)?;
    let id = new_id(call);
    let region = call.region.clone();
    Ok(RedisInstance {
        name: parameters.owned("InstanceName"),
        status: RedisStatus::Creating,
        series: class.series,
        class: class.id.to_owned(),
        engine_version,
        limits: times(class.limits, nodes.shards),
        nodes,
        charge_type,
        end,
        prefix: prefix.unwrap_or_else(|| id.clone()),
        port,
        vpc: vswitch.vpc,
        vswitch: vswitch.id,
        zone: vswitch.zone,
        secondary_zone,
        private_address,
        storage: None,
        maintain_start,
        maintain_end,
        append_only: parameters.text_or("Appendonly", "yes"),
        release_protection: false,
        resource_group: parameters.owned("ResourceGroupId"),
        password: parameters.text("Password").map(Secret::new),
        accounts: BTreeMap::new(),
        allow_lists: BTreeMap::from([(DEFAULT_LIST.to_owned(), AllowList::nobody())]),
        security_groups: Vec::new(),
        meta: call.world.meta(&region, tags),
        id,
    })
}

fn new_id(call: &mut Call<'_>) -> String {
    let prefix = format!("r-{}", regions::id_mark(&call.region));
    let identity = call.identity.clone();
    call.ids().make(&prefix, &identity, 15)
}

fn times(limits: Limits, shards: i64) -> Limits {
    Limits {
        capacity: limits.capacity * shards,
        bandwidth: limits.bandwidth * shards,
        connections: limits.connections * shards,
        operations: limits.operations * shards,
    }
}

fn read_vswitch(call: &Call<'_>) -> Result<VSwitch, ApiError> {
    let parameters = call.parameters;
    let missing = |name: &str| {
        ApiError::bad_request("MissingParameter", format!("{name} is mandatory: instances live in a VPC."))
    };
    let vpc = parameters.text("VpcId").ok_or_else(|| missing("VpcId"))?;
    let id = parameters.text("VSwitchId").ok_or_else(|| missing("VSwitchId"))?;
    let world = &*call.world;
    if world.vpcs.get(vpc).is_none_or(|own| own.meta.region != call.region) {
        let message = format!("The specified VPC {vpc} does not exist.");
        return Err(ApiError::bad_request("InvalidVPCId.NotFound", message));
    }
    let Some(vswitch) = world.vswitches.get(id) else {
        let message = format!("The specified vSwitch {id} does not exist.");
        return Err(ApiError::bad_request("InvalidvSwitchId", message));
    };
    if vswitch.vpc != vpc {
        let message = format!("The vSwitch {id} is not in the VPC {vpc}.");
        return Err(ApiError::bad_request("VSwithNotBelongToNotVpcFault", message));
    }
    if vswitch.status != NetworkStatus::Available {
        let message = format!("The vSwitch {id} is not Available.");
        return Err(ApiError::bad_request("VpcServiceError", message));
    }
    Ok(vswitch.clone())
}

/// The zone of the call, where there is one, is that of the vSwitch; the secondary zone is another one.
fn read_zones(call: &Call<'_>, vswitch: &VSwitch) -> Result<String, ApiError> {
    let parameters = call.parameters;
    let zone = parameters.text("ZoneId").unwrap_or(&vswitch.zone);
    if !regions::has_zone(&call.region, zone) {
        let message = format!("The zone {zone} does not exist in {}.", call.region);
        let code = if call.operation.action == "CreateInstance" {
            "ZoneIdNotFound"
        } else {
            "InvalidIzNo.NotSupported"
        };
        return Err(ApiError::bad_request(code, message));
    }
    if zone != vswitch.zone {
        let message = format!("The vSwitch {} is in {}, not in {zone}.", vswitch.id, vswitch.zone);
        return Err(ApiError::not_found("InvalidVpcIdOrVswitchId.NotSupported", message));
    }
    let secondary = parameters.owned("SecondaryZoneId");
    if !secondary.is_empty() && (secondary == zone || !regions::has_zone(&call.region, &secondary)) {
        let message = format!("The secondary zone {secondary} must be another zone of {}.", call.region);
        return Err(ApiError::bad_request("InvalidIzNo.NotSupported", message));
    }
    Ok(secondary)
}

fn read_charge_type(parameters: &Parameters, default: &str) -> String {
    let known = ["PrePaid", "PostPaid"].into_iter().find(|word| is(parameters, "ChargeType", word));
    known.unwrap_or(default).to_owned()
}

/// Whether a parameter has this value; the letters' case does not matter.
fn is(parameters: &Parameters, name: &str, value: &str) -> bool {
    parameters.text(name).is_some_and(|own| own.eq_ignore_ascii_case(value))
}

/// Until when a subscription is paid: 1 to 9 months, or 1, 2, 3 or 5 years.
fn read_period(call: &Call<'_>, charge_type: &str) -> Result<Option<Moment>, ApiError> {
    let parameters = call.parameters;
    if parameters.flag("AutoRenew") && !parameters.has("AutoRenewPeriod") {
        let message = "AutoRenewPeriod is mandatory when AutoRenew is true.";
        return Err(ApiError::bad_request("MissingParameter", message));
    }
    if charge_type != "PrePaid" {
        return Ok(None);
    }
    let Some(months) = parameters.integer("Period") else {
        let message = "Period is mandatory for a subscription.";
        return Err(ApiError::bad_request("MissingParameter", message));
    };
    if !matches!(months, 1..=9 | 12 | 24 | 36 | 60) {
        return Err(illegal("Period", "it takes 1 to 9, 12, 24, 36 or 60 months"));
    }
    Ok(Some(after_months(call.world.now, months)))
}

/// The same moment of the month, months later.
fn after_months(now: Moment, months: i64) -> Moment {
    let begin = Timestamp::from_millisecond(now).unwrap_or(Timestamp::UNIX_EPOCH);
    let end = Offset::UTC.to_datetime(begin).checked_add(months.months());
    end.and_then(|end| Offset::UTC.to_timestamp(end)).map_or(now, Timestamp::as_millisecond)
}

fn read_version(parameters: &Parameters, class: &RedisClass) -> Result<String, ApiError> {
    let versions = redis_catalogue::versions(class.series);
    let version = parameters.text("EngineVersion").unwrap_or(versions[0]);
    if versions.contains(&version) {
        return Ok(version.to_owned());
    }
    let message = format!("The version {version} is not one of {} for {}.", versions.join(", "), class.id);
    Err(ApiError::bad_request("InvalidEngineVersion.Malformed", message))
}

fn read_port(parameters: &Parameters) -> Result<u16, ApiError> {
    match parameters.text("Port") {
        None => Ok(6379),
        Some(text) => {
            text.parse().ok().filter(|port| *port > 0).ok_or_else(|| illegal("Port", "it takes 1 to 65535"))
        }
    }
}

fn read_address(call: &Call<'_>, vswitch: &VSwitch) -> Result<Ipv4Addr, ApiError> {
    let Some(text) = call.parameters.text("PrivateIpAddress") else {
        return call.world.free_addresses(vswitch, 1).pop().ok_or_else(|| {
            let message = format!("The vSwitch {} has no address left.", vswitch.id);
            ApiError::bad_request("ResourceNotAvailable", message)
        });
    };
    let address: Option<Ipv4Addr> = text.parse().ok().filter(|address| vswitch.cidr.contains(address));
    let Some(address) = address else {
        let message = format!("The address {text} is not one of the vSwitch {}.", vswitch.id);
        return Err(ApiError::bad_request("InvalidIPNotInSubnet", message));
    };
    if !call.world.address_is_free(vswitch, address) {
        let message = format!("The address {address} is taken or reserved.");
        return Err(ApiError::bad_request("InvalidPrivateIpAddress.AlreadyUsed", message));
    }
    Ok(address)
}

fn read_prefix(call: &Call<'_>) -> Result<Option<String>, ApiError> {
    let Some(prefix) = call.parameters.text("ConnectionStringPrefix") else { return Ok(None) };
    redis_rules::check_prefix(prefix)?;
    if call.world.redis_instances.values().any(|own| own.prefix == prefix) {
        return Err(illegal("ConnectionStringPrefix", "another instance has it"));
    }
    Ok(Some(prefix.to_owned()))
}

fn not_emulated(what: &str) -> ApiError {
    let message = format!("mock-cloud does not emulate {what} of Redis instances.");
    ApiError::new(501, "Mock.NotEmulated", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_ends_on_the_same_day_of_the_month() {
        let begin: Timestamp = "2026-11-30T08:00:00Z".parse().unwrap();
        let end = after_months(begin.as_millisecond(), 3);
        assert_eq!(crate::world::meta::timestamp(end), "2027-02-28T08:00:00Z", "February is short");
    }
}
