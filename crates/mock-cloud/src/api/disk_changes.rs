//! Changes of disks that are there: larger, and whether they go with their instance.

use serde_json::{Value, json};

use crate::api::disk_form::sizes;
use crate::api::instances::check_description;
use crate::api::vpc::update;
use crate::api::{Call, Handler};
use crate::wire::ApiError;
use crate::world::World;
use crate::world::disk::{Disk, DiskType};
use crate::world::instance::InstanceStatus;

pub(super) const ACTIONS: &[(&str, Handler)] =
    &[("ResizeDisk", resize_disk), ("ModifyDiskAttribute", modify_disk_attribute)];

fn find<'w>(world: &'w World, id: &str) -> Result<&'w Disk, ApiError> {
    let message = format!("The specified disk {id} does not exist.");
    world.disks.get(id).ok_or_else(|| ApiError::not_found("InvalidDiskId.NotFound", message))
}

/// A disk only grows. Online it has its size at once, offline after the next start of its instance; the list shows it
/// in both cases.
fn resize_disk(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("DiskId")?.to_owned();
    let size = call.parameters.integer("NewSize").unwrap_or_default();
    let disk = find(call.world, &id)?;
    let status = disk.instance.as_ref().and_then(|id| call.world.instances.get(id)).map(|own| own.status);
    if let Some(InstanceStatus::Pending | InstanceStatus::Starting | InstanceStatus::Stopping) = status {
        let message = "The instance of the disk is neither Running nor Stopped.";
        return Err(ApiError::forbidden("IncorrectInstanceStatus", message));
    }
    if size <= disk.size {
        let message = format!("The disk {id} has {} GiB, and can only grow.", disk.size);
        return Err(ApiError::forbidden("InvalidDiskSize.TooSmall", message));
    }
    let (_, most) = sizes(&disk.category, &disk.performance_level, disk.kind);
    if size > most {
        let message = format!("A disk of {} has {most} GiB at most.", disk.category);
        return Err(ApiError::bad_request("InvalidDataDiskSize.ValueNotSupported", message));
    }
    call.begin_effect()?;
    if let Some(disk) = call.world.disks.get_mut(&id) {
        disk.size = size;
    }
    Ok(json!({"OrderId": ""}))
}

fn modify_disk_attribute(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let ids = match (parameters.text("DiskId"), parameters.texts("DiskIds")) {
        (Some(_), many) if !many.is_empty() => {
            let message = "DiskId and DiskIds exclude each other.";
            return Err(ApiError::bad_request("InvalidParameter.Conflict", message));
        }
        (Some(id), _) => vec![id.to_owned()],
        (None, many) if many.is_empty() => return Err(ApiError::missing("DiskId")),
        (None, many) => many,
    };
    let changed = ["DiskName", "Description", "DeleteWithInstance"];
    let also = ["DeleteAutoSnapshot", "EnableAutoSnapshot", "BurstingEnabled"];
    if !changed.iter().chain(&also).any(|name| parameters.has(name)) {
        let message = "No attribute to be modified in this request.";
        return Err(ApiError::bad_request("NoAttributeToModify", message));
    }
    check_name(parameters.text("DiskName"))?;
    check_description(parameters.text("Description").unwrap_or_default(), "InvalidDescription.Malformed")?;
    for id in &ids {
        let disk = find(call.world, id)?;
        if disk.kind == DiskType::System && parameters.boolean("DeleteWithInstance") == Some(false) {
            let message = format!("The disk {id} cannot be detached from its instance.");
            return Err(ApiError::forbidden("DiskNotPortable", message));
        }
    }
    call.begin_effect()?;
    for id in &ids {
        let Some(disk) = call.world.disks.get_mut(id) else { continue };
        update(&mut disk.name, parameters.text("DiskName"));
        update(&mut disk.description, parameters.text("Description"));
        if let Some(goes) = parameters.boolean("DeleteWithInstance") {
            disk.delete_with_instance = goes;
        }
    }
    Ok(json!({}))
}

/// 2 to 128 characters, not a URL.
fn check_name(name: Option<&str>) -> Result<(), ApiError> {
    let Some(name) = name else { return Ok(()) };
    let url = name.starts_with("http://") || name.starts_with("https://");
    if url || !(2..=128).contains(&name.chars().count()) {
        return Err(ApiError::bad_request("InvalidDiskName.Malformed", "The DiskName is not valid."));
    }
    Ok(())
}
