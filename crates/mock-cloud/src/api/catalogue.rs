//! Instance types and what is in stock: a small, current part of the real catalogue.

use serde_json::{Value, json};

use crate::api::page::{self, Size};
use crate::api::{Call, Handler};
use crate::wire::ApiError;
use crate::world::World;
use crate::world::regions::{self, Region};

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("DescribeAvailableResource", describe_available_resource),
    ("DescribeInstanceTypes", describe_instance_types),
];

/// One instance type.
#[derive(Debug)]
pub struct InstanceType {
    /// `ecs.e-c1m1.large`.
    pub id: &'static str,
    /// `ecs.e`.
    pub family: &'static str,
    /// Virtual processors.
    pub processors: u32,
    /// GiB.
    pub memory: u32,
    /// `X86` or `ARM`.
    pub architecture: &'static str,
}

/// GiB of memory of a type, a little for an unknown one.
pub(crate) fn memory_of(id: &str) -> u32 {
    TYPES.iter().find(|kind| kind.id == id).map_or(1, |kind| kind.memory)
}

const fn x86(id: &'static str, family: &'static str, processors: u32, memory: u32) -> InstanceType {
    InstanceType { id, family, processors, memory, architecture: "X86" }
}

const fn arm(id: &'static str, family: &'static str, processors: u32, memory: u32) -> InstanceType {
    InstanceType { id, family, processors, memory, architecture: "ARM" }
}

/// What can be had.
pub const TYPES: &[InstanceType] = &[
    x86("ecs.e-c1m1.large", "ecs.e", 2, 2),
    x86("ecs.e-c1m2.large", "ecs.e", 2, 4),
    x86("ecs.e-c1m4.large", "ecs.e", 2, 8),
    x86("ecs.e-c1m2.xlarge", "ecs.e", 4, 8),
    x86("ecs.u1-c1m1.large", "ecs.u1", 2, 2),
    x86("ecs.u1-c1m2.large", "ecs.u1", 2, 4),
    x86("ecs.u1-c1m4.large", "ecs.u1", 2, 8),
    x86("ecs.u1-c1m2.xlarge", "ecs.u1", 4, 8),
    x86("ecs.u2a-c1m2.large", "ecs.u2a", 2, 4),
    x86("ecs.u2i-c1m2.large", "ecs.u2i", 2, 4),
    x86("ecs.t6-c2m1.large", "ecs.t6", 2, 1),
    x86("ecs.t6-c1m1.large", "ecs.t6", 2, 2),
    x86("ecs.t6-c1m2.large", "ecs.t6", 2, 4),
    x86("ecs.t5-lc1m1.small", "ecs.t5", 1, 1),
    x86("ecs.t5-lc1m2.small", "ecs.t5", 1, 2),
    x86("ecs.c6.large", "ecs.c6", 2, 4),
    x86("ecs.c7.large", "ecs.c7", 2, 4),
    x86("ecs.c8i.large", "ecs.c8i", 2, 4),
    x86("ecs.c9i.large", "ecs.c9i", 2, 4),
    x86("ecs.g6.large", "ecs.g6", 2, 8),
    x86("ecs.g7.large", "ecs.g7", 2, 8),
    x86("ecs.g8i.large", "ecs.g8i", 2, 8),
    x86("ecs.g9i.large", "ecs.g9i", 2, 8),
    x86("ecs.g7.xlarge", "ecs.g7", 4, 16),
    x86("ecs.r7.large", "ecs.r7", 2, 16),
    x86("ecs.r8i.large", "ecs.r8i", 2, 16),
    arm("ecs.c8y.small", "ecs.c8y", 1, 2),
    arm("ecs.c8y.large", "ecs.c8y", 2, 4),
    arm("ecs.g8y.small", "ecs.g8y", 1, 4),
    arm("ecs.g8y.large", "ecs.g8y", 2, 8),
];

/// Kinds of system disk.
pub const DISK_CATEGORIES: &[&str] =
    &["cloud_essd", "cloud_auto", "cloud_essd_entry", "cloud_ssd", "cloud_efficiency", "cloud"];

/// The type with this id.
pub fn find(id: &str) -> Option<&'static InstanceType> {
    TYPES.iter().find(|kind| kind.id == id)
}

/// Whether a zone has none of an instance type.
pub fn is_sold_out(world: &World, zone: &str, instance_type: &str) -> bool {
    world.sold_out.contains(&(zone.to_owned(), instance_type.to_owned()))
}

/// Older families take SSDs and ultra disks, newer ones ESSDs alone; entry-level disks go with two families.
pub fn takes_disk(kind: &InstanceType, category: &str) -> bool {
    let older = ["ecs.t5", "ecs.t6", "ecs.c6", "ecs.g6"].contains(&kind.family);
    match category {
        "cloud_essd" => true,
        "cloud_auto" => !older,
        "cloud_essd_entry" => ["ecs.u1", "ecs.e"].contains(&kind.family),
        "cloud_ssd" | "cloud_efficiency" => older,
        _ => false,
    }
}

/// The category of a disk that is asked for without one.
pub fn default_disk(kind: &InstanceType) -> &'static str {
    if takes_disk(kind, "cloud_efficiency") { "cloud_efficiency" } else { "cloud_essd" }
}

fn describe_instance_types(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let (ids, mut families) = (parameters.texts("InstanceTypes"), parameters.texts("InstanceTypeFamilies"));
    families.extend(parameters.text("InstanceTypeFamily").map(str::to_owned));
    let at_least =
        |name: &str, own: u32| parameters.integer(name).is_none_or(|wanted| i64::from(own) >= wanted);
    let all = TYPES
        .iter()
        .filter(|kind| ids.is_empty() || ids.iter().any(|id| id == kind.id))
        .filter(|kind| families.is_empty() || families.iter().any(|family| family == kind.family))
        .filter(|kind| {
            at_least("MinimumCpuCoreCount", kind.processors) && at_least("MinimumMemorySize", kind.memory)
        })
        .filter(|kind| parameters.text("CpuArchitecture").is_none_or(|wanted| wanted == kind.architecture))
        .map(describe_type)
        .collect();
    let page = page::by_token(all, parameters, Size { default: 1600, minimum: 1, maximum: 1600 })?;
    Ok(json!({"InstanceTypes": {"InstanceType": page.items}, "NextToken": page.next_token}))
}

fn describe_type(kind: &InstanceType) -> Value {
    json!({
        "InstanceTypeId": kind.id,
        "InstanceTypeFamily": kind.family,
        "CpuCoreCount": kind.processors,
        "MemorySize": f64::from(kind.memory),
        "CpuArchitecture": kind.architecture,
        "InstanceFamilyLevel": "EnterpriseLevel",
        "InstanceCategory": "General-purpose",
        "EniQuantity": 2,
        "NvmeSupport": "unsupported",
        "GPUAmount": 0,
        "GPUSpec": "",
        "LocalStorageCategory": "",
        "DiskQuantity": 17,
        "EniPrivateIpAddressQuantity": 6,
        "EniIpv6AddressQuantity": 1,
        "EniTotalQuantity": 2,
        "EniTrunkSupported": false,
        "EriQuantity": 0,
        "InstanceBandwidthRx": 1_024_000,
        "InstanceBandwidthTx": 1_024_000,
        "InstancePpsRx": 300_000,
        "InstancePpsTx": 300_000,
        "JumboFrameSupport": false,
        "NetworkCardQuantity": 1,
        "NetworkEncryptionSupport": false,
        "PrimaryEniQueueNumber": 2,
        "SecondaryEniQueueNumber": 2,
        "MaximumQueueNumberPerEni": 2,
        "TotalEniQueueQuantity": 4,
    })
}

fn describe_available_resource(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let wanted = call.parameters.required("DestinationResource")?.to_owned();
    let values: Vec<String> = match wanted.as_str() {
        "InstanceType" => types_on_offer(call),
        "SystemDisk" | "DataDisk" => disks_on_offer(call),
        "Zone" | "IoOptimized" | "Network" | "ddh" => Vec::new(),
        _ => return Err(ApiError::invalid("DestinationResource", "it is not known")),
    };
    let (unit, minimum, maximum) = if wanted.ends_with("Disk") { ("GiB", 20, 2048) } else { ("", 0, 0) };
    let supported = |zone: &str| -> Vec<Value> {
        let rows = values.iter().map(|value| {
            let (status, category) = if is_sold_out(call.world, zone, value) {
                ("SoldOut", "WithoutStock")
            } else {
                ("Available", "WithStock")
            };
            let mut row = json!({"Value": value, "Status": status, "StatusCategory": category});
            if !unit.is_empty() {
                row["Unit"] = json!(unit);
                row["Min"] = json!(minimum);
                row["Max"] = json!(maximum);
            }
            row
        });
        rows.collect()
    };
    let zones = regions::find(&call.region).map(Region::zones).unwrap_or_default();
    let chosen =
        zones.iter().filter(|zone| call.parameters.text("ZoneId").is_none_or(|own| own == zone.as_str()));
    let rows: Vec<Value> = chosen
        .map(|zone| {
            json!({
                "RegionId": call.region,
                "ZoneId": zone,
                "Status": "Available",
                "StatusCategory": "WithStock",
                "AvailableResources": {"AvailableResource": [
                    {"Type": wanted, "SupportedResources": {"SupportedResource": supported(zone)}},
                ]},
            })
        })
        .collect();
    Ok(json!({"AvailableZones": {"AvailableZone": rows}}))
}

fn types_on_offer(call: &Call<'_>) -> Vec<String> {
    let parameters = call.parameters;
    let equal = |name: &str, own: u32| parameters.text(name).is_none_or(|wanted| wanted.parse() == Ok(own));
    let types = TYPES.iter().filter(|kind| parameters.text("InstanceType").is_none_or(|id| id == kind.id));
    let sized = types.filter(|kind| equal("Cores", kind.processors) && equal("Memory", kind.memory));
    sized.map(|kind| kind.id.to_owned()).collect()
}

fn disks_on_offer(call: &Call<'_>) -> Vec<String> {
    let kind = call.parameters.text("InstanceType").and_then(find);
    let categories =
        DISK_CATEGORIES.iter().filter(|category| kind.is_none_or(|kind| takes_disk(kind, category)));
    categories.map(|category| (*category).to_owned()).collect()
}
