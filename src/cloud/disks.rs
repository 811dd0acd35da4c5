//! Disks of ECS instances. API version 2014-05-26.

use serde::Deserialize;

use crate::base::ids::CloudId;
use crate::cloud::Product;
use crate::cloud::call::Call;
use crate::cloud::error::CloudError;
use crate::cloud::pages::{self, Page};
use crate::cloud::transport::Client;

/// The largest page of `DescribeDisks`.
const PAGE: u32 = 500;

/// A system disk.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SystemDisk {
    /// The instance it belongs to.
    pub instance_id: CloudId,
    /// GiB.
    pub size: u32,
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
    disk: Vec<SystemDisk>,
}

impl Page for DisksReply {
    type Item = SystemDisk;

    fn into_items(self) -> (Vec<SystemDisk>, Option<String>) {
        (self.disks.disk, self.next_token)
    }
}

/// `DescribeDisks`: system disks with a tag. A disk has the tags its instance was made with.
///
/// # Errors
/// What the cloud says.
pub async fn system_disks(client: &Client, key: &str, value: &str) -> Result<Vec<SystemDisk>, CloudError> {
    let call = Call::new(Product::Ecs, "DescribeDisks")
        .with("RegionId", client.region())
        .with("DiskType", "system")
        .with("MaxResults", PAGE)
        .with_tags(&[(key, value)]);
    pages::all::<DisksReply>(client, &call).await
}
