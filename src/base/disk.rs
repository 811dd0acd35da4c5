//! Disks of machines.

use serde::{Deserialize, Serialize};

/// What a disk is made as, beside its size.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DiskOptions {
    /// `cloud_essd`, ...; none is what goes with the type of its machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// `PL0` to `PL3`; none is what the cloud takes then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub performance_level: Option<String>,
    /// Whether what is on it is encrypted.
    #[serde(default)]
    pub encrypted: bool,
}

impl DiskOptions {
    /// Whether nothing of it was asked for.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A disk beside the system's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DataDisk {
    /// Its name, by which it is known.
    pub name: String,
    /// GiB.
    pub size: u32,
    /// What it is made as.
    #[serde(flatten)]
    pub options: DiskOptions,
    /// Whether it goes with its machine.
    pub delete_with_instance: bool,
}
