//! What a running Redis instance can be changed to: another class, other settings, another start.

use serde_json::{Map, Value, json};

use crate::api::redis_catalogue::{self, RedisClass};
use crate::api::redis_create::{order_id, times};
use crate::api::redis_instances::{find, require_normal};
use crate::api::redis_rules::illegal;
use crate::api::{Call, Handler};
use crate::wire::ApiError;
use crate::world::redis::RedisInstance;

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("ModifyInstanceConfig", modify_instance_config),
    ("ModifyInstanceSpec", modify_instance_spec),
    ("RestartInstance", restart_instance),
];

/// What may go when memory is full.
const EVICTIONS: &[&str] = &[
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
];

/// Parameters of `ModifyInstanceSpec` that this cloud has not.
const NOT_EMULATED: &[&str] = &[
    "MajorVersion",
    "NodeType",
    "ReadOnlyCount",
    "ReplicaCount",
    "ShardCount",
    "SlaveReadOnlyCount",
    "SlaveReplicaCount",
    "Storage",
    "StorageType",
];

fn modify_instance_config(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let own = find(call.world, parameters.required("InstanceId")?)?;
    let text = parameters.required("Config")?;
    let settings: Map<String, Value> =
        serde_json::from_str(text).map_err(|_| illegal("Config", "it takes the text of a JSON object"))?;
    let (mut eviction, mut append_only) = (own.eviction.clone(), own.append_only.clone());
    for (name, value) in &settings {
        let value = value.as_str().unwrap_or_default();
        match name.as_str() {
            "EvictionPolicy" | "maxmemory-policy" if EVICTIONS.contains(&value) => {
                value.clone_into(&mut eviction);
            }
            "appendonly" if ["yes", "no"].contains(&value) => value.clone_into(&mut append_only),
            "EvictionPolicy" | "maxmemory-policy" | "appendonly" => {
                return Err(illegal("Config", format!("{name} cannot be {value}")));
            }
            _ => {
                let message = format!("mock-cloud does not emulate the setting {name} of Redis instances.");
                return Err(ApiError::new(501, "Mock.NotEmulated", message));
            }
        }
    }
    require_normal(own)?;
    change(call, |own| (own.eviction, own.append_only) = (eviction, append_only))?;
    Ok(json!({}))
}

fn modify_instance_spec(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let own = find(call.world, parameters.required("InstanceId")?)?;
    if let Some(name) = NOT_EMULATED.iter().find(|name| parameters.has(name)) {
        let message = format!("mock-cloud does not emulate {name} of ModifyInstanceSpec.");
        return Err(ApiError::new(501, "Mock.NotEmulated", message));
    }
    let class = read_class(own, parameters.required("InstanceClass")?)?;
    require_normal(own)?;
    call.begin_effect()?;
    change(call, |own| {
        class.id.clone_into(&mut own.class);
        own.limits = times(class.limits, own.nodes.shards);
    })?;
    Ok(json!({"OrderId": order_id(call).to_string()}))
}

/// Another class of the same product line.
fn read_class(own: &RedisInstance, id: &str) -> Result<&'static RedisClass, ApiError> {
    redis_catalogue::find(id).filter(|class| class.series == own.series).ok_or_else(|| {
        let message = format!("The instance class {id} does not exist or is of another product line.");
        ApiError::bad_request("InvalidInstancelevel", message)
    })
}

fn restart_instance(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let own = find(call.world, call.parameters.required("InstanceId")?)?;
    require_normal(own)?;
    let id = own.id.clone();
    change(call, |own| own.restarts += 1)?;
    Ok(json!({"InstanceId": id}))
}

/// Changes the instance that a call names, which is busy with it for a while.
fn change(call: &mut Call<'_>, change: impl FnOnce(&mut RedisInstance)) -> Result<(), ApiError> {
    let id = call.parameters.required("InstanceId")?.to_owned();
    if let Some(own) = call.world.redis_instances.get_mut(&id) {
        change(own);
    }
    call.world.change_redis(&id);
    Ok(())
}
