//! Regions and zones, in the three forms of ECS, VPC and ALB.

use serde_json::{Value, json};

use crate::api::{Call, Handler, catalogue};
use crate::wire::ApiError;
use crate::world::regions::{self, REGIONS};

pub(super) const VPC_ACTIONS: &[(&str, Handler)] =
    &[("DescribeRegions", wrapped_regions), ("DescribeZones", vpc_zones)];
pub(super) const ECS_ACTIONS: &[(&str, Handler)] =
    &[("DescribeRegions", wrapped_regions), ("DescribeZones", ecs_zones)];
pub(super) const ALB_ACTIONS: &[(&str, Handler)] =
    &[("DescribeRegions", bare_regions), ("DescribeZones", bare_zones)];

fn region_rows(call: &Call<'_>) -> Vec<Value> {
    let product = call.operation.product.to_lowercase();
    let rows = REGIONS.iter().map(|region| {
        let mut row = json!({
            "RegionId": region.id,
            "LocalName": region.name,
            "RegionEndpoint": format!("{product}.{}.aliyuncs.com", region.id),
        });
        if product == "ecs" {
            row["Status"] = json!("available");
        }
        row
    });
    rows.collect()
}

#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
fn wrapped_regions(call: &mut Call<'_>) -> Result<Value, ApiError> {
    Ok(json!({"Regions": {"Region": region_rows(call)}}))
}

#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
fn bare_regions(call: &mut Call<'_>) -> Result<Value, ApiError> {
    Ok(json!({"Regions": region_rows(call)}))
}

pub(super) fn zones(call: &Call<'_>) -> Vec<String> {
    regions::find(&call.region).map(regions::Region::zones).unwrap_or_default()
}

/// `Zone B` for `cn-hangzhou-b`.
pub(super) fn local_name(zone: &str) -> String {
    let letter = zone.chars().last().unwrap_or('a').to_ascii_uppercase();
    format!("Zone {letter}")
}

#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
fn vpc_zones(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let rows = zones(call)
        .into_iter()
        .map(|zone| json!({"ZoneId": zone, "LocalName": local_name(&zone), "ZoneType": "AvailabilityZone"}));
    Ok(json!({"Zones": {"Zone": rows.collect::<Vec<_>>()}}))
}

#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
fn bare_zones(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let rows = zones(call).into_iter().map(|zone| json!({"ZoneId": zone, "LocalName": local_name(&zone)}));
    Ok(json!({"Zones": rows.collect::<Vec<_>>()}))
}

#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
fn ecs_zones(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let types: Vec<&str> = catalogue::TYPES.iter().map(|kind| kind.id).collect();
    let rows = zones(call).into_iter().map(|zone| {
        json!({
            "ZoneId": zone,
            "LocalName": local_name(&zone),
            "ZoneType": "AvailabilityZone",
            "AvailableInstanceTypes": {"InstanceTypes": types},
            "AvailableDiskCategories": {"DiskCategories": catalogue::DISK_CATEGORIES},
            "AvailableResourceCreation": {"ResourceTypes": ["VSwitch", "Instance", "Disk", "IoOptimized"]},
        })
    });
    Ok(json!({"Zones": {"Zone": rows.collect::<Vec<_>>()}}))
}
