//! Reading the disks of a new instance: categories, sizes and performance levels as documented.

use crate::api::catalogue::{self, InstanceType};
use crate::api::images::Image;
use crate::api::instances::check_description;
use crate::wire::{ApiError, Parameters};
use crate::world::disk::DiskType;

/// Data disks of one instance at creation.
const DATA_DISKS: usize = 16;

/// One disk that is to be made.
#[derive(Debug, Clone)]
pub(super) struct NewDisk {
    pub(super) kind: DiskType,
    pub(super) category: String,
    pub(super) performance_level: String,
    pub(super) size: i64,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) delete_with_instance: bool,
    pub(super) encrypted: bool,
}

/// The system disk and the data disks of a call.
///
/// # Errors
/// `InvalidSystemDisk...`, `InvalidDataDisk...`, `InvalidDisk...`.
pub(super) fn read_disks(
    parameters: &Parameters,
    kind: &InstanceType,
    image: &Image,
) -> Result<Vec<NewDisk>, ApiError> {
    let listed = parameters.list("DataDisk");
    if listed.len() > DATA_DISKS {
        let message = format!("An instance is made with {DATA_DISKS} data disks at most.");
        return Err(ApiError::bad_request("InstanceDiskNumber.LimitExceed", message));
    }
    let mut disks = vec![read_system_disk(&parameters.object("SystemDisk"), kind, image)?];
    for given in &listed {
        disks.push(read_data_disk(given, kind)?);
    }
    Ok(disks)
}

/// The category of the system disk: given, else the default of the type.
///
/// # Errors
/// It does not exist, or the type does not take it.
pub(super) fn read_system_category(given: &Parameters, kind: &InstanceType) -> Result<String, ApiError> {
    let category = given.text_or("Category", catalogue::default_disk(kind));
    if !catalogue::DISK_CATEGORIES.contains(&category.as_str()) {
        let message = format!("The system disk category {category} is not supported.");
        return Err(ApiError::bad_request("InvalidSystemDiskCategory.ValueNotSupported", message));
    }
    refuse_unsuitable(kind, &category)?;
    Ok(category)
}

fn refuse_unsuitable(kind: &InstanceType, category: &str) -> Result<(), ApiError> {
    if catalogue::takes_disk(kind, category) {
        return Ok(());
    }
    let message = format!("The instance type {} does not take {category}.", kind.id);
    Err(ApiError::forbidden("InvalidInstanceType.NotSupportDiskCategory", message))
}

fn read_system_disk(given: &Parameters, kind: &InstanceType, image: &Image) -> Result<NewDisk, ApiError> {
    let category = read_system_category(given, kind)?;
    let performance_level = read_level(given, &category)?;
    let (least, most) = sizes(&category, &performance_level, DiskType::System);
    let not_found = |code: &str, message: String| Err(ApiError::not_found(code, message));
    let size = match given.text("Size") {
        None => image.size.max(40),
        Some(text) => text.parse().map_err(|_| {
            let message = format!("The system disk size {text} is not a whole number.");
            ApiError::bad_request("InvalidSystemDiskSize.ValueNotSupported", message)
        })?,
    };
    if size > most {
        let message = format!("A system disk of {category} has {most} GiB at most.");
        return not_found("InvalidSystemDiskSize.MoreThanMaxSize", message);
    }
    if size < image.size {
        let message = format!("The system disk is smaller than the image, {} GiB.", image.size);
        return not_found("InvalidSystemDiskSize.LessThanImageSize", message);
    }
    if size < least {
        let message = format!("A system disk of {category} has {least} GiB at least.");
        return not_found("InvalidSystemDiskSize.LessThanMinSize", message);
    }
    common(
        given,
        DiskType::System,
        NewDisk {
            kind: DiskType::System,
            category,
            performance_level,
            size,
            name: String::new(),
            description: String::new(),
            delete_with_instance: true,
            encrypted: given.flag("Encrypted"),
        },
    )
}

fn read_data_disk(given: &Parameters, kind: &InstanceType) -> Result<NewDisk, ApiError> {
    let category = given.text_or("Category", catalogue::default_disk(kind));
    if !catalogue::DISK_CATEGORIES.contains(&category.as_str()) {
        let message = format!("The data disk category {category} is not supported.");
        return Err(ApiError::bad_request("InvalidDataDiskCategory.ValueNotSupported", message));
    }
    refuse_unsuitable(kind, &category)?;
    if let Some(id) = given.text("SnapshotId") {
        let message = format!("The specified snapshot {id} does not exist.");
        return Err(ApiError::not_found("InvalidDataDiskSnapshotId.NotFound", message));
    }
    let performance_level = read_level(given, &category)?;
    let (least, most) = sizes(&category, &performance_level, DiskType::Data);
    let size = given.integer("Size").filter(|size| (least..=most).contains(size));
    let size = size.ok_or_else(|| {
        let message = format!("A data disk of {category} has {least} to {most} GiB.");
        ApiError::bad_request("InvalidDataDiskSize.ValueNotSupported", message)
    })?;
    common(
        given,
        DiskType::Data,
        NewDisk {
            kind: DiskType::Data,
            category,
            performance_level,
            size,
            name: String::new(),
            description: String::new(),
            delete_with_instance: given.boolean("DeleteWithInstance").unwrap_or(true),
            encrypted: given.flag("Encrypted"),
        },
    )
}

/// Name and description, which both kinds have.
fn common(given: &Parameters, kind: DiskType, disk: NewDisk) -> Result<NewDisk, ApiError> {
    let (name, description) = (given.owned("DiskName"), given.owned("Description"));
    let length = name.chars().count();
    let url = name.starts_with("http://") || name.starts_with("https://");
    if length > 0 && (url || !(2..=128).contains(&length)) {
        let message = format!("The name {name} of the {kind:?} disk is not valid.");
        return Err(ApiError::bad_request("InvalidDiskName.Malformed", message));
    }
    check_description(&description, "InvalidDiskDescription.Malformed")?;
    Ok(NewDisk { name, description, ..disk })
}

/// The performance level, which only ESSDs have.
fn read_level(given: &Parameters, category: &str) -> Result<String, ApiError> {
    let level = given.text("PerformanceLevel");
    if let Some(level) = level.filter(|level| !["PL0", "PL1", "PL2", "PL3"].contains(level)) {
        let message = format!("The PerformanceLevel {level} is not one of PL0 to PL3.");
        return Err(ApiError::bad_request("InvalidPerformanceLevel.Malformed", message));
    }
    match (category, level) {
        ("cloud_essd", level) => Ok(level.unwrap_or("PL1").to_owned()),
        (_, None) => Ok(String::new()),
        (_, Some(level)) => {
            let message = format!("Disks of {category} have no performance level {level}.");
            Err(ApiError::forbidden("OperationDenied.PerformanceLevelNotMatch", message))
        }
    }
}

/// The least and the most GiB of a category.
pub(super) fn sizes(category: &str, level: &str, kind: DiskType) -> (i64, i64) {
    let (least, most_of_data) = match (category, level) {
        ("cloud_essd", "PL0") | ("cloud_auto", _) => (1, 65_536),
        ("cloud_essd", "PL2") => (461, 65_536),
        ("cloud_essd", "PL3") => (1261, 65_536),
        ("cloud_essd", _) => (20, 65_536),
        ("cloud_essd_entry", _) => (10, 32_768),
        _ => (20, 32_768),
    };
    match kind {
        DiskType::System => (if category == "cloud_essd_entry" { 20 } else { least }, 2048),
        DiskType::Data => (least, most_of_data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Vec<NewDisk>, ApiError> {
        let parameters: Parameters =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let image = crate::api::images::find_family("acs:debian_12_11_x64").unwrap();
        read_disks(&parameters, catalogue::find("ecs.g7.large").unwrap(), image)
    }

    #[test]
    fn sizes_depend_on_category_and_level() {
        let code = |pairs: &[(&str, &str)]| read(pairs).map(|_| ()).map_err(|error| error.code);
        let essd = |level: &'static str, size: &'static str| {
            [
                ("DataDisk.1.Category", "cloud_essd"),
                ("DataDisk.1.PerformanceLevel", level),
                ("DataDisk.1.Size", size),
            ]
        };
        assert_eq!(code(&essd("PL2", "461")), Ok(()));
        assert_eq!(code(&essd("PL2", "460")), Err("InvalidDataDiskSize.ValueNotSupported".to_owned()));
        assert_eq!(code(&essd("PL0", "1")), Ok(()));
        assert_eq!(
            code(&[("SystemDisk.Size", "19")]),
            Err("InvalidSystemDiskSize.LessThanImageSize".to_owned())
        );
        assert_eq!(
            code(&[("SystemDisk.Size", "2049")]),
            Err("InvalidSystemDiskSize.MoreThanMaxSize".to_owned())
        );
        assert_eq!(
            code(&[("SystemDisk.PerformanceLevel", "PL9")]),
            Err("InvalidPerformanceLevel.Malformed".to_owned())
        );
        assert_eq!(read(&[]).unwrap()[0].size, 40);
    }
}
