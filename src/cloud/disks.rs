//! Disks of ECS instances. API version 2014-05-26.

use serde::Deserialize;

use crate::base::disk::{DataDisk, DiskOptions};
use crate::base::ids::{ClientToken, CloudId, RegionId};
use crate::cloud::Product;
use crate::cloud::call::Call;
use crate::cloud::error::CloudError;
use crate::cloud::pages::{self, Page};
use crate::cloud::transport::Client;

/// The largest page of `DescribeDisks`.
const PAGE: u32 = 500;

/// A disk.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Disk {
    /// `d-...`.
    pub disk_id: CloudId,
    /// Name given to it.
    #[serde(default)]
    pub disk_name: String,
    /// The instance it belongs to; empty when to none.
    #[serde(default)]
    pub instance_id: String,
    /// `system` or `data`.
    #[serde(rename = "Type", default)]
    kind: String,
    /// `cloud_essd`, ...
    #[serde(default)]
    pub category: String,
    /// `PL0` to `PL3`, of an ESSD.
    #[serde(default)]
    pub performance_level: String,
    /// GiB.
    pub size: u32,
    /// Whether what is on it is encrypted.
    #[serde(default)]
    pub encrypted: bool,
    /// Whether it goes with its instance.
    #[serde(default)]
    pub delete_with_instance: bool,
}

impl Disk {
    /// Whether it has the system of its instance.
    pub fn is_system(&self) -> bool {
        self.kind == "system"
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DisksReply {
    disks: DiskList,
    #[serde(default)]
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DiskList {
    #[serde(default)]
    disk: Vec<Disk>,
}

impl Page for DisksReply {
    type Item = Disk;

    fn into_items(self) -> (Vec<Disk>, Option<String>) {
        (self.disks.disk, self.next_token)
    }
}

/// `DescribeDisks`: those with a tag. A disk has the tags its instance was made with.
///
/// # Errors
/// What the cloud says.
pub async fn disks(client: &Client, key: &str, value: &str) -> Result<Vec<Disk>, CloudError> {
    pages::all::<DisksReply>(client, &list(client).with_tags(&[(key, value)])).await
}

/// `DescribeDisks`: those of an instance.
///
/// # Errors
/// What the cloud says.
pub async fn disks_of(client: &Client, instance: &CloudId) -> Result<Vec<Disk>, CloudError> {
    pages::all::<DisksReply>(client, &list(client).with("InstanceId", instance)).await
}

fn list(client: &Client) -> Call {
    Call::new(Product::Ecs, "DescribeDisks").with("RegionId", client.region()).with("MaxResults", PAGE)
}

/// `ResizeDisk`, while its instance runs; partitions and file systems stay as they are.
pub fn resize(id: &CloudId, size: &str, token: &ClientToken) -> Call {
    Call::new(Product::Ecs, "ResizeDisk")
        .with("DiskId", id)
        .with("NewSize", size)
        .with("Type", "online")
        .with_token(token)
}

/// `ModifyDiskAttribute`: whether it goes with its instance.
pub fn keep(region: &RegionId, id: &CloudId, delete_with_instance: &str) -> Call {
    Call::new(Product::Ecs, "ModifyDiskAttribute")
        .with("RegionId", region)
        .with("DiskId", id)
        .with("DeleteWithInstance", delete_with_instance)
}

/// The disks of an instance as its price depends on them, in the words of `RunInstances` and of `DescribePrice`.
pub(super) fn priced(
    call: Call,
    instance_type: &str,
    (size, options, data): (u32, &DiskOptions, &[DataDisk]),
) -> Call {
    let call = with_options(call, "SystemDisk", instance_type, options).with("SystemDisk.Size", size);
    (1..).zip(data).fold(call, |call, (number, disk)| {
        let name = format!("DataDisk.{number}");
        with_options(call, &name, instance_type, &disk.options).with(&format!("{name}.Size"), disk.size)
    })
}

fn with_options(call: Call, name: &str, instance_type: &str, options: &DiskOptions) -> Call {
    let category = options.category.as_deref().unwrap_or_else(|| disk_category(instance_type));
    call.with(&format!("{name}.Category"), category)
        .with_some(&format!("{name}.PerformanceLevel"), options.performance_level.as_deref())
}

/// The disks of a new instance, in the words of `RunInstances`.
pub(super) fn made(
    call: Call,
    instance_type: &str,
    (size, options, data): (u32, &DiskOptions, &[DataDisk]),
) -> Call {
    let call = priced(call, instance_type, (size, options, data))
        .with_some("SystemDisk.Encrypted", options.encrypted.then_some(true));
    (1..).zip(data).fold(call, |call, (number, disk)| {
        let name = format!("DataDisk.{number}");
        call.with(&format!("{name}.DiskName"), &disk.name)
            .with(&format!("{name}.DeleteWithInstance"), disk.delete_with_instance)
            .with_some(&format!("{name}.Encrypted"), disk.options.encrypted.then_some(true))
    })
}

/// The u1 and e families take the entry disk, the cheapest; the others take ESSD.
pub fn disk_category(instance_type: &str) -> &'static str {
    if instance_type.starts_with("ecs.e-") || instance_type.starts_with("ecs.u1-") {
        "cloud_essd_entry"
    } else {
        "cloud_essd"
    }
}
