//! Disks: made with their instances, and listed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::api::disk_form::NewDisk;
use crate::api::key_pairs::is_like;
use crate::api::page::{self, Size};
use crate::api::rows::merged;
use crate::api::vpc::accepts;
use crate::api::{Call, Handler, tags};
use crate::wire::{ApiError, Parameters};
use crate::world::disk::{Disk, DiskType};
use crate::world::meta::timestamp;

pub(super) const ACTIONS: &[(&str, Handler)] = &[("DescribeDisks", describe_disks)];

/// What a new disk is attached to.
pub(super) struct Place<'a> {
    /// The instance.
    pub(super) instance: &'a str,
    /// Its zone.
    pub(super) zone: &'a str,
    /// Image of the system disk.
    pub(super) image: &'a str,
    /// Tags of the call.
    pub(super) tags: &'a BTreeMap<String, String>,
}

/// Makes a disk of a new instance; the system disk is the first.
pub(super) fn make(call: &mut Call<'_>, new: &NewDisk, index: usize, place: &Place<'_>) {
    let id = call.regional_id("d");
    let letter = u8::try_from(index).ok().and_then(|index| b'a'.checked_add(index)).map_or('z', char::from);
    let disk = Disk {
        id: id.clone(),
        name: new.name.clone(),
        description: new.description.clone(),
        kind: new.kind,
        category: new.category.clone(),
        performance_level: new.performance_level.clone(),
        size: new.size,
        zone: place.zone.to_owned(),
        instance: Some(place.instance.to_owned()),
        device: format!("/dev/xvd{letter}"),
        image: if new.kind == DiskType::System { place.image.to_owned() } else { String::new() },
        delete_with_instance: new.delete_with_instance,
        encrypted: new.encrypted,
        serial_number: id.trim_start_matches("d-").to_owned(),
        meta: call.world.meta(&call.region, place.tags.clone()),
    };
    call.world.disks.insert(id, disk);
}

fn describe_disks(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let malformed =
        |_| ApiError::forbidden("InvalidDiskIds.Malformed", "DiskIds is not a JSON array of ids.");
    let ids = parameters.json_texts("DiskIds").map_err(malformed)?;
    call.begin_effect()?;
    let mut disks: Vec<&Disk> = call
        .world
        .disks
        .values()
        .filter(|own| call.world.shows(&own.meta, &call.region))
        .filter(|own| ids.as_ref().is_none_or(|ids| ids.contains(&own.id)))
        .filter(|own| chosen(own, parameters))
        .collect();
    disks.sort_by_key(|own| (own.meta.created, &own.instance, &own.device, &own.id));
    let all = disks.into_iter().map(describe).collect();
    let size = Size { default: 10, minimum: 10, maximum: 500 };
    page::either(all, parameters, size, ("Disks", "Disk"))
}

fn chosen(own: &Disk, parameters: &Parameters) -> bool {
    let unless_all = |name: &str, text: &str| {
        parameters.text(name).is_none_or(|wanted| wanted.eq_ignore_ascii_case("all") || wanted == text)
    };
    let is = |name: &str, flag: bool| parameters.boolean(name).is_none_or(|wanted| !wanted || flag);
    unless_all("Category", &own.category)
        && unless_all("DiskType", kind(own))
        && unless_all("Status", status(own))
        && accepts(parameters, "InstanceId", own.instance.as_deref().unwrap_or_default())
        && accepts(parameters, "ZoneId", &own.zone)
        && accepts(parameters, "PerformanceLevel", &own.performance_level)
        && accepts(parameters, "DiskChargeType", "PostPaid")
        && accepts(parameters, "MultiAttach", "Disabled")
        && parameters.text("DiskName").is_none_or(|pattern| is_like(pattern, &own.name))
        && is("DeleteWithInstance", own.delete_with_instance)
        && is("Encrypted", own.encrypted)
        && is("EnableShared", false)
        && parameters.boolean("Portable").is_none_or(|wanted| wanted == is_portable(own))
        && tags::matches(&own.meta, parameters)
}

fn kind(own: &Disk) -> &'static str {
    match own.kind {
        DiskType::System => "system",
        DiskType::Data => "data",
    }
}

fn status(own: &Disk) -> &'static str {
    if own.instance.is_some() { "In_use" } else { "Available" }
}

/// A system disk stays with its instance.
fn is_portable(own: &Disk) -> bool {
    own.kind == DiskType::Data
}

/// Reads and writes a second, and MB/s, by the published formulas.
fn performance(own: &Disk) -> (i64, i64) {
    let by = |base: i64, slope: i64, most: i64| most.min(base + slope * own.size);
    match (own.category.as_str(), own.performance_level.as_str()) {
        ("cloud_essd", "PL0") => (by(1800, 12, 10_000), 180.min(100 + own.size / 4)),
        ("cloud_essd", "PL2") => (by(1800, 50, 100_000), 750.min(120 + own.size / 2)),
        ("cloud_essd", "PL3") => (by(1800, 50, 1_000_000), 4000.min(120 + own.size / 2)),
        ("cloud_essd", _) => (by(1800, 50, 50_000), 350.min(120 + own.size / 2)),
        ("cloud_auto", _) => (by(1800, 50, 50_000), 350.min(120 + own.size / 2)),
        ("cloud_essd_entry", _) => (by(1800, 8, 6000), 150.min(100 + own.size * 15 / 100)),
        ("cloud_ssd", _) => (by(1800, 30, 25_000), 300.min(120 + own.size / 2)),
        _ => (by(1800, 8, 5000), 140.min(100 + own.size * 15 / 100)),
    }
}

fn describe(own: &Disk) -> Value {
    merged(describe_disk(own), describe_attributes(own))
}

fn describe_disk(own: &Disk) -> Value {
    let (created, instance) = (timestamp(own.meta.created), own.instance.clone().unwrap_or_default());
    let attached = if instance.is_empty() { String::new() } else { created.clone() };
    let attachment = json!({"InstanceId": instance, "Device": own.device, "AttachedTime": attached});
    let attachments: Vec<Value> = own.instance.iter().map(|_| attachment.clone()).collect();
    json!({
        "DiskId": own.id,
        "DiskName": own.name,
        "Description": own.description,
        "Type": kind(own),
        "Category": own.category,
        "Size": own.size,
        "Status": status(own),
        "RegionId": own.meta.region,
        "ZoneId": own.zone,
        "InstanceId": instance,
        "Device": own.device,
        "ImageId": own.image,
        "AttachedTime": attached,
        "DetachedTime": "",
        "CreationTime": created,
        "ExpiredTime": "2999-09-08T16:00Z",
        "Attachments": {"Attachment": attachments},
        "MountInstances": {"MountInstance": []},
        "MountInstanceNum": 0,
        "SerialNumber": own.serial_number,
        "OperationLocks": {"OperationLock": []},
        "Tags": tags::ecs_tags(&own.meta),
    })
}

fn describe_attributes(own: &Disk) -> Value {
    let (operations, throughput) = performance(own);
    let mut row = json!({
        "DeleteWithInstance": own.delete_with_instance,
        "DeleteAutoSnapshot": true,
        "EnableAutoSnapshot": true,
        "EnableAutomatedSnapshotPolicy": false,
        "AutoSnapshotPolicyId": "",
        "BurstingEnabled": false,
        "DiskChargeType": "PostPaid",
        "Encrypted": own.encrypted,
        "KMSKeyId": "",
        "MultiAttach": "Disabled",
        "Portable": is_portable(own),
        "ProductCode": "",
        "ResourceGroupId": "",
        "SourceSnapshotId": "",
        "StorageSetId": "",
        "IOPS": operations,
        "IOPSRead": operations,
        "IOPSWrite": operations,
        "Throughput": throughput,
        "ThroughputRead": throughput,
        "ThroughputWrite": throughput,
    });
    if !own.performance_level.is_empty() {
        row["PerformanceLevel"] = json!(own.performance_level);
    }
    row
}
