//! Redis instances as lists and details show them.

use serde_json::{Map, Value, json};

use crate::api::page::{self, Size};
use crate::api::redis_instances::find;
use crate::api::vpc::accepts;
use crate::api::{Call, Handler, tags};
use crate::wire::{ApiError, Parameters};
use crate::world::meta::timestamp;
use crate::world::redis::{AllowList, DEFAULT_LIST, RedisInstance, RedisStatus};

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("DescribeInstances", describe_instances),
    ("DescribeInstanceAttribute", describe_instance_attribute),
    ("DescribeDBInstanceNetInfo", describe_net_info),
];

/// Ids one call may name.
const IDS: usize = 30;

fn describe_instances(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let ids = parameters.comma_texts("InstanceIds");
    if ids.as_ref().is_some_and(|ids| ids.len() > IDS) {
        let message = "InstanceIds takes at most 30 ids.";
        return Err(ApiError::bad_request("InvalidInstanceIds.Malformed", message));
    }
    if parameters.has("Tag") && !parameters.has("RegionId") {
        return Err(ApiError::missing("RegionId"));
    }
    let world = &*call.world;
    let mut found: Vec<&RedisInstance> = world
        .redis_instances
        .values()
        .filter(|own| world.shows(&own.meta, &call.region))
        .filter(|own| ids.as_ref().is_none_or(|ids| ids.contains(&own.id)))
        .filter(|own| chosen(own, parameters) && tags::matches(&own.meta, parameters))
        .collect();
    found.sort_by_key(|own| (own.meta.created, &own.id));
    let all = found.into_iter().map(describe_row).collect();
    let size = Size { default: 30, minimum: 1, maximum: 50 };
    Ok(page::by_number(all, parameters, size).reply("Instances", "KVStoreInstance"))
}

fn chosen(own: &RedisInstance, parameters: &Parameters) -> bool {
    let kind = parameters.text("InstanceType").is_none_or(|wanted| match wanted {
        "Tair" => own.series.edition() == "Enterprise",
        exact => exact == own.series.instance_type(),
    });
    let key = parameters.text("SearchKey");
    kind && key.is_none_or(|part| own.name.contains(part) || own.id.contains(part))
        && accepts(parameters, "InstanceStatus", own.status.as_str())
        && accepts(parameters, "ChargeType", &own.charge_type)
        && accepts(parameters, "NetworkType", "VPC")
        && accepts(parameters, "EngineVersion", &own.engine_version)
        && accepts(parameters, "InstanceClass", &own.class)
        && accepts(parameters, "ArchitectureType", own.nodes.architecture())
        && accepts(parameters, "EditionType", own.series.edition())
        && accepts(parameters, "NodeType", &own.nodes.kind)
        && accepts(parameters, "VpcId", &own.vpc)
        && accepts(parameters, "VSwitchId", &own.vswitch)
        && accepts(parameters, "ZoneId", &own.zone)
        && accepts(parameters, "PrivateIp", &own.private_address.to_string())
        && accepts(parameters, "ResourceGroupId", &own.resource_group)
        && accepts(parameters, "Expired", "false")
        && !parameters.flag("GlobalInstance")
}

/// What the list and the details have in common.
fn common(own: &RedisInstance) -> Value {
    json!({
        "InstanceId": own.id,
        "InstanceName": own.name,
        "InstanceStatus": own.status.as_str(),
        "InstanceType": own.series.instance_type(),
        "InstanceClass": own.class,
        "EngineVersion": own.engine_version,
        "ArchitectureType": own.nodes.architecture(),
        "NodeType": own.nodes.kind,
        "PackageType": if own.series.is_cloud_native() { "customized" } else { "standard" },
        "CloudType": if own.series.is_cloud_native() { "aliyun_ecs" } else { "" },
        "Capacity": own.limits.capacity,
        "Bandwidth": own.limits.bandwidth,
        "Connections": own.limits.connections,
        "QPS": own.limits.operations,
        "ShardCount": own.nodes.shards,
        "ReplicaCount": own.nodes.replicas,
        "SlaveReplicaCount": own.nodes.secondary_replicas,
        "SlaveReadOnlyCount": own.nodes.secondary_read_only,
        "ChargeType": own.charge_type,
        "EndTime": end_time(own),
        "CreateTime": timestamp(own.meta.created),
        "ConnectionDomain": own.domain(),
        "Port": own.port,
        "PrivateIp": own.private_address.to_string(),
        "NetworkType": "VPC",
        "RegionId": own.meta.region,
        "ZoneId": own.zone,
        "SecondaryZoneId": own.secondary_zone,
        "VpcId": own.vpc,
        "VSwitchId": own.vswitch,
        "Config": config(own),
        "IsRds": !own.series.is_cloud_native(),
        "ResourceGroupId": own.resource_group,
        "GlobalInstanceId": "",
        "Tags": tags::vpc_tags(&own.meta),
    })
}

fn describe_row(own: &RedisInstance) -> Value {
    let mut row = common(own);
    row["UserName"] = json!(own.id);
    row["EditionType"] = json!(own.series.edition());
    row["ConnectionMode"] = json!("Standard");
    row["HasRenewChangeOrder"] = json!(false);
    // A text in the list, a number in the details.
    row["ReadOnlyCount"] = json!(own.nodes.read_only.to_string());
    row["DestroyTime"] = json!("");
    row
}

fn describe_instance_attribute(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let own = find(call.world, call.parameters.required("InstanceId")?)?;
    let default = own.allow_lists.get(DEFAULT_LIST);
    let mut row = common(own);
    row["Engine"] = json!("Redis");
    row["RealInstanceClass"] = json!(own.class);
    row["ReadOnlyCount"] = json!(own.nodes.read_only);
    // A text in the details, a boolean in the list.
    row["HasRenewChangeOrder"] = json!("false");
    row["IsOrderCompleted"] = json!(own.status != RedisStatus::Creating);
    row["InstanceReleaseProtection"] = json!(own.release_protection);
    row["IsSupportTDE"] = json!(false);
    row["AutoSecondaryZone"] = json!(false);
    row["AvailabilityValue"] = json!("100.0%");
    row["AuditLogRetention"] = json!("");
    row["BackupLogStartTime"] = json!("");
    row["MaintainStartTime"] = json!(own.maintain_start);
    row["MaintainEndTime"] = json!(own.maintain_end);
    row["ReplicationMode"] = json!("master-slave");
    row["ReplicaId"] = json!("");
    row["SecurityIPList"] = json!(default.map(AllowList::text).unwrap_or_default());
    row["VpcAuthMode"] = json!("Open");
    row["VpcCloudInstanceId"] = json!(own.id);
    row["ZoneType"] = json!(if own.secondary_zone.is_empty() { "singlezone" } else { "doublezone" });
    let (size, category) = own.storage.clone().unwrap_or_default();
    row["Storage"] = json!(if size > 0 { size.to_string() } else { String::new() });
    row["StorageType"] = json!(category);
    Ok(json!({"Instances": {"DBInstanceAttribute": [row]}}))
}

fn describe_net_info(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let own = find(call.world, call.parameters.required("InstanceId")?)?;
    let private = json!({
        "ConnectionString": own.domain(),
        "Port": own.port.to_string(),
        "IPAddress": own.private_address.to_string(),
        "IPType": "Private",
        "DBInstanceNetType": PRIVATE,
        "VPCId": own.vpc,
        "VSwitchId": own.vswitch,
        "VPCInstanceId": own.id,
        "ExpiredTime": "",
        "Upgradeable": "Disabled",
        "DirectConnection": 0,
        "IsSlaveProxy": 0,
    });
    let rows = if accepts(call.parameters, "NetType", PRIVATE) { vec![private] } else { Vec::new() };
    Ok(json!({"InstanceNetworkType": "VPC", "NetInfoItems": {"InstanceNetInfo": rows}}))
}

/// `DBInstanceNetType` of an address in a VPC.
const PRIVATE: &str = "2";

/// When a subscription ends; empty for what is paid by use.
pub(super) fn end_time(own: &RedisInstance) -> String {
    own.end.map(timestamp).unwrap_or_default()
}

/// The engine's settings, as the text of a JSON object.
pub(super) fn config(own: &RedisInstance) -> String {
    let mut settings = Map::new();
    settings.insert("EvictionPolicy".to_owned(), json!(own.eviction));
    settings.insert("appendonly".to_owned(), json!(own.append_only));
    settings.insert("hash-max-ziplist-entries".to_owned(), json!(512));
    settings.insert("hash-max-ziplist-value".to_owned(), json!(64));
    settings.insert("list-max-ziplist-entries".to_owned(), json!(512));
    settings.insert("set-max-intset-entries".to_owned(), json!(512));
    settings.insert("timeout".to_owned(), json!(0));
    settings.insert("zset-max-ziplist-entries".to_owned(), json!(128));
    settings.insert("zset-max-ziplist-value".to_owned(), json!(64));
    Value::Object(settings).to_string()
}
