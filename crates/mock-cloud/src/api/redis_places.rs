//! Where Redis instances can be made, and which.

use serde_json::{Value, json};

use crate::api::redis_catalogue::{self, CLASSES, RedisClass};
use crate::api::{Call, Handler, places, redis_instances};
use crate::wire::ApiError;
use crate::world::redis::Series;
use crate::world::regions::{self, REGIONS};

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("DescribeRegions", describe_regions),
    ("DescribeZones", describe_zones),
    ("DescribeAvailableResource", describe_available_resource),
];

/// Regions that share the central endpoint.
const CENTRAL: &[&str] = &["cn-qingdao", "cn-beijing", "cn-hangzhou", "cn-shanghai", "cn-shenzhen"];

#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
fn describe_regions(_: &mut Call<'_>) -> Result<Value, ApiError> {
    let rows = REGIONS.iter().map(|region| {
        let endpoint = if CENTRAL.contains(&region.id) {
            "r-kvstore.aliyuncs.com".to_owned()
        } else {
            format!("r-kvstore.{}.aliyuncs.com", region.id)
        };
        json!({
            "RegionId": region.id,
            "LocalName": region.name,
            "RegionEndpoint": endpoint,
            "ZoneIds": region.zones().join(","),
            "ZoneIdList": {"ZoneId": region.zones()},
        })
    });
    Ok(json!({"RegionIds": {"KVStoreRegion": rows.collect::<Vec<_>>()}}))
}

#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
fn describe_zones(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let rows = places::zones(call).into_iter().map(|zone| {
        json!({
            "ZoneId": zone,
            "ZoneName": places::local_name(&zone),
            "RegionId": call.region,
            "IsRds": false,
            "SwitchNetwork": true,
            "Disabled": false,
        })
    });
    Ok(json!({"Zones": {"KVStoreZone": rows.collect::<Vec<_>>()}}))
}

fn describe_available_resource(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let classes = on_offer(call)?;
    let product = parameters.text_or("ProductType", "Local");
    let memcache = parameters.text("Engine").is_some_and(|own| own.eq_ignore_ascii_case("memcache"));
    let editions: Vec<Value> = redis_catalogue::series_of_product(&product)
        .iter()
        .filter(|_| !memcache)
        .filter_map(|series| describe_series(*series, &classes))
        .collect();
    let engines = if editions.is_empty() {
        Vec::new()
    } else {
        vec![json!({"Engine": "Redis", "SupportedEditionTypes": {"SupportedEditionType": editions}})]
    };
    if let Some(zone) = parameters.text("ZoneId").filter(|zone| !regions::has_zone(&call.region, zone)) {
        return Err(ApiError::invalid("ZoneId", format!("{zone} is not a zone of {}", call.region)));
    }
    let zones = places::zones(call).into_iter();
    let rows = zones.filter(|zone| parameters.text("ZoneId").is_none_or(|own| own == zone)).map(|zone| {
        json!({
            "RegionId": call.region,
            "ZoneId": zone,
            "ZoneName": places::local_name(&zone),
            "IsMainSale": true,
            "SupportedEngines": {"SupportedEngine": engines},
        })
    });
    Ok(json!({"AvailableZones": {"AvailableZone": rows.collect::<Vec<_>>()}}))
}

/// Every class, or the larger or smaller ones of an instance.
fn on_offer(call: &Call<'_>) -> Result<Vec<&'static RedisClass>, ApiError> {
    let order = call.parameters.text_or("OrderType", "BUY").to_ascii_uppercase();
    if order == "BUY" {
        return Ok(CLASSES.iter().collect());
    }
    let Some(id) = call.parameters.text("InstanceId") else {
        let message = "InstanceId is mandatory for this OrderType.";
        return Err(ApiError::bad_request("MissingParameter", message));
    };
    let own = redis_instances::find(call.world, id)?;
    let capacity = own.limits.capacity / own.nodes.shards;
    let fits = |class: &&RedisClass| {
        class.series == own.series
            && if order == "UPGRADE" {
                class.limits.capacity > capacity
            } else {
                class.limits.capacity < capacity
            }
    };
    Ok(CLASSES.iter().filter(fits).collect())
}

/// Edition, series, versions, architectures, shards, nodes and classes, each in a list of its own.
fn describe_series(series: Series, classes: &[&RedisClass]) -> Option<Value> {
    let own: Vec<Value> =
        classes.iter().filter(|class| class.series == series).map(|class| describe_class(class)).collect();
    if own.is_empty() {
        return None;
    }
    let kinds: &[&str] =
        if series.is_cloud_native() { &["MASTER_SLAVE", "STAND_ALONE"] } else { &["double"] };
    let nodes: Vec<Value> = kinds
        .iter()
        .map(|kind| json!({"SupportedNodeType": kind, "AvailableResources": {"AvailableResource": own}}))
        .collect();
    let shard =
        |number: &str| json!({"ShardNumber": number, "SupportedNodeTypes": {"SupportedNodeType": nodes}});
    let architecture = |name: &str, shards: &[&str]| {
        let shards: Vec<Value> = shards.iter().map(|number| shard(number)).collect();
        json!({"Architecture": name, "SupportedShardNumbers": {"SupportedShardNumber": shards}})
    };
    let mut architectures = vec![architecture("standard", &["1"])];
    if series.is_cloud_native() {
        architectures.push(architecture("cluster", &["2", "4", "8", "16", "32"]));
    }
    let versions: Vec<Value> = redis_catalogue::versions(series)
        .iter()
        .map(|version| {
            json!({
                "Version": version,
                "SupportedArchitectureTypes": {"SupportedArchitectureType": architectures},
            })
        })
        .collect();
    let kind = if series.edition() == "Enterprise" { "enhanced_performance_type" } else { "" };
    let series_type =
        json!({"SeriesType": kind, "SupportedEngineVersions": {"SupportedEngineVersion": versions}});
    Some(json!({
        "EditionType": series.edition(),
        "SupportedSeriesTypes": {"SupportedSeriesType": [series_type]},
    }))
}

fn describe_class(class: &RedisClass) -> Value {
    json!({
        "InstanceClass": class.id,
        "InstanceClassRemark": format!("{} MB", class.limits.capacity),
        "Capacity": class.limits.capacity,
    })
}
