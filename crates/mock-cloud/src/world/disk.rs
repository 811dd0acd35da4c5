//! Disks of instances.

use serde::Serialize;

use crate::world::World;
use crate::world::meta::Meta;

/// What a disk is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskType {
    /// Holds the system.
    System,
    /// Anything else.
    Data,
}

/// One disk.
#[derive(Debug, Clone, Serialize)]
pub struct Disk {
    /// `d-...`.
    pub id: String,
    /// `DiskName`.
    pub name: String,
    /// Free text.
    pub description: String,
    /// What it is for.
    pub kind: DiskType,
    /// `cloud_essd`, ...
    pub category: String,
    /// `PL0` to `PL3`, of ESSDs only.
    pub performance_level: String,
    /// GiB.
    pub size: i64,
    /// Where it is.
    pub zone: String,
    /// The instance it is attached to.
    pub instance: Option<String>,
    /// `/dev/xvda`, ...
    pub device: String,
    /// Image it was made from.
    pub image: String,
    /// Goes with its instance.
    pub delete_with_instance: bool,
    /// Contents are encrypted.
    pub encrypted: bool,
    /// Serial number.
    pub serial_number: String,
    /// Region, age, tags.
    pub meta: Meta,
}

impl World {
    /// A gone instance takes its disks along, but for those that were to be kept.
    pub(super) fn disks_released(&mut self, instance: &str) {
        self.disks.retain(|_, disk| disk.instance.as_deref() != Some(instance) || !disk.delete_with_instance);
        for disk in self.disks.values_mut().filter(|disk| disk.instance.as_deref() == Some(instance)) {
            disk.instance = None;
            disk.device.clear();
        }
    }
}
