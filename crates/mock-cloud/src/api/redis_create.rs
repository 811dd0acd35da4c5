//! Ordering Redis and Tair instances.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::api::redis_catalogue::RedisClass;
use crate::api::{
    Call, Handler, redis_catalogue, redis_network, redis_order, redis_reads, redis_rules, tags,
};
use crate::secret::Secret;
use crate::wire::ApiError;
use crate::world::event::Event;
use crate::world::pace::Step;
use crate::world::redis::{AllowList, DEFAULT_LIST, Limits, Nodes, RedisInstance, RedisStatus, Series};
use crate::world::regions;

pub(super) const ACTIONS: &[(&str, Handler)] =
    &[("CreateInstance", create_instance), ("CreateTairInstance", create_tair_instance)];

/// What goes first when memory is full, unless told otherwise.
const DEFAULT_EVICTION: &str = "volatile-lru";

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
    if parameters.flag("GlobalInstance") || redis_order::chooses(parameters, "InstanceType", "Memcache") {
        return Err(not_emulated("distributed instances and Memcache"));
    }
    let class = redis_order::read_class(parameters)?;
    let nodes = redis_order::read_nodes(parameters, class, "NodeType")?;
    let mut own = read_instance(call, class, nodes, "PostPaid")?;
    call.begin_effect()?;
    give_id(call, &mut own);
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
    let nodes = redis_order::read_nodes(parameters, class, "ShardType")?;
    let mut own = read_instance(call, class, nodes, "PrePaid")?;
    if class.series == Series::TairEssd {
        own.storage = Some(redis_order::read_storage(parameters)?);
    }
    call.begin_effect()?;
    give_id(call, &mut own);
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

pub(super) fn order_id(call: &mut Call<'_>) -> i64 {
    // No action knows an order by it, so it is no id of this cloud.
    let identity = call.identity.clone();
    let digest = call.ids().digest("order", &identity);
    let number = digest.first_chunk().copied().map(u64::from_le_bytes).unwrap_or_default();
    let beyond = i64::try_from(number % 9_000_000_000_000).unwrap_or_default();
    1_000_000_000_000 + beyond
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

/// A new instance, still without its id.
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
    let vswitch = redis_network::read_vswitch(call)?;
    let secondary_zone = redis_network::read_zones(call, &vswitch)?;
    let charge_type = redis_order::read_charge_type(parameters, charge_type);
    let end = redis_order::read_period(call, &charge_type)?;
    let engine_version = redis_order::read_version(parameters, class)?;
    let (maintain_start, maintain_end) =
        (parameters.text_or("MaintainStartTime", "18:00Z"), parameters.text_or("MaintainEndTime", "22:00Z"));
    redis_rules::check_window(&maintain_start, &maintain_end)?;
    if let Some(name) = parameters.text("InstanceName") {
        redis_rules::check_name(name)?;
    }
    if let Some(password) = parameters.text("Password") {
        redis_rules::check_password(password, "InvalidPassword.Malformed")?;
    }
    let port = redis_network::read_port(parameters)?;
    let private_address = redis_network::read_address(call, &vswitch)?;
    let tags = tags::read(parameters)?;
    let prefix = redis_network::read_prefix(call)?;
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
        prefix: prefix.unwrap_or_default(),
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
        eviction: DEFAULT_EVICTION.to_owned(),
        restarts: 0,
        revision: 0,
        awaits_server: false,
        release_protection: false,
        resource_group: parameters.owned("ResourceGroupId"),
        password: parameters.text("Password").map(Secret::new),
        accounts: BTreeMap::new(),
        allow_lists: BTreeMap::from([(DEFAULT_LIST.to_owned(), AllowList::nobody())]),
        security_groups: Vec::new(),
        meta: call.world.meta(&region, tags),
        id: String::new(),
    })
}

/// The id of a new instance, and its address by it unless a prefix was chosen.
fn give_id(call: &mut Call<'_>, own: &mut RedisInstance) {
    let prefix = format!("r-{}", regions::id_mark(&call.region));
    let identity = call.identity.clone();
    own.id = call.ids().make(&prefix, &identity, 15);
    if own.prefix.is_empty() {
        own.prefix.clone_from(&own.id);
    }
}

pub(super) fn times(limits: Limits, shards: i64) -> Limits {
    Limits {
        capacity: limits.capacity * shards,
        bandwidth: limits.bandwidth * shards,
        connections: limits.connections * shards,
        operations: limits.operations * shards,
    }
}

fn not_emulated(what: &str) -> ApiError {
    let message = format!("mock-cloud does not emulate {what} of Redis instances.");
    ApiError::new(501, "Mock.NotEmulated", message)
}
