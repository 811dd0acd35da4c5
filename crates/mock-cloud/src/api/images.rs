//! Public images.

use serde_json::{Value, json};

use crate::api::page::{self, Size};
use crate::api::vpc::accepts;
use crate::api::{Call, Handler};
use crate::wire::ApiError;

pub(super) const ACTIONS: &[(&str, Handler)] =
    &[("DescribeImages", describe_images), ("DescribeImageFromFamily", describe_image_from_family)];

/// One public image.
#[derive(Debug)]
pub struct Image {
    /// File name in the official form.
    pub id: &'static str,
    /// `acs:...`, of which the newest image is taken.
    pub family: &'static str,
    /// Name for people.
    pub system: &'static str,
    /// `Debian`, `Ubuntu`, ...
    pub platform: &'static str,
    /// `x86_64` or `arm64`.
    pub architecture: &'static str,
    /// GiB.
    pub size: i64,
}

/// What can be booted; of a family the newest comes first.
pub const IMAGES: &[Image] = &[
    Image {
        id: "aliyun_3_x64_20G_alibase_20260915.vhd",
        family: "acs:alibaba_cloud_linux_3_2104_lts_x64",
        system: "Alibaba Cloud Linux  3.2104 LTS 64 bit",
        platform: "Aliyun",
        architecture: "x86_64",
        size: 20,
    },
    Image {
        id: "aliyun_3_x64_20G_alibase_20260315.vhd",
        family: "acs:alibaba_cloud_linux_3_2104_lts_x64",
        system: "Alibaba Cloud Linux  3.2104 LTS 64 bit",
        platform: "Aliyun",
        architecture: "x86_64",
        size: 20,
    },
    Image {
        id: "aliyun_3_arm64_20G_alibase_20260915.vhd",
        family: "acs:alibaba_cloud_linux_3_2104_lts_arm64",
        system: "Alibaba Cloud Linux  3.2104 LTS 64 bit ARM Edition",
        platform: "Aliyun",
        architecture: "arm64",
        size: 20,
    },
    Image {
        id: "debian_12_11_x64_20G_alibase_20260910.vhd",
        family: "acs:debian_12_11_x64",
        system: "Debian  12.11 64 bit",
        platform: "Debian",
        architecture: "x86_64",
        size: 20,
    },
    Image {
        id: "ubuntu_22_04_x64_20G_alibase_20260912.vhd",
        family: "acs:ubuntu_22_04_x64",
        system: "Ubuntu  22.04 64 bit",
        platform: "Ubuntu",
        architecture: "x86_64",
        size: 20,
    },
    Image {
        id: "ubuntu_24_04_x64_20G_alibase_20260912.vhd",
        family: "acs:ubuntu_24_04_x64",
        system: "Ubuntu  24.04 64 bit",
        platform: "Ubuntu",
        architecture: "x86_64",
        size: 20,
    },
    Image {
        id: "anolisos_8_10_x64_20G_rhck_alibase_20260901.vhd",
        family: "acs:anolis_8_10_rhck_x64",
        system: "Anolis OS  8.10 RHCK 64 bit",
        platform: "Anolis",
        architecture: "x86_64",
        size: 20,
    },
    Image {
        id: "rockylinux_9_6_x64_20G_alibase_20260901.vhd",
        family: "acs:rocky_linux_9_6_x64",
        system: "Rocky Linux  9.6 64 bit",
        platform: "Rocky Linux",
        architecture: "x86_64",
        size: 20,
    },
    Image {
        id: "centos_stream_9_x64_20G_alibase_20260901.vhd",
        family: "acs:centos_stream_9_x64",
        system: "CentOS Stream  9 64 bit",
        platform: "CentOS Stream",
        architecture: "x86_64",
        size: 20,
    },
];

/// The image with this id.
pub fn find(id: &str) -> Option<&'static Image> {
    IMAGES.iter().find(|image| image.id == id)
}

/// The newest image of a family.
pub fn find_family(family: &str) -> Option<&'static Image> {
    IMAGES.iter().find(|image| image.family == family)
}

#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
fn describe_images(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let ids = parameters.comma_texts("ImageId");
    let all = IMAGES
        .iter()
        .filter(|image| ids.as_ref().is_none_or(|ids| ids.iter().any(|id| id == image.id)))
        .filter(|image| accepts(parameters, "ImageFamily", image.family))
        .filter(|image| accepts(parameters, "Architecture", image.architecture))
        .filter(|image| parameters.text("ImageName").is_none_or(|name| name.trim_matches('*') == image.id))
        .filter(|_| accepts(parameters, "ImageOwnerAlias", "system"))
        .filter(|_| accepts(parameters, "OSType", "linux"))
        .map(describe)
        .collect();
    let page = page::by_number(all, parameters, Size { default: 10, minimum: 1, maximum: 100 });
    let mut reply = page.reply("Images", "Image");
    reply["RegionId"] = json!(call.region);
    Ok(reply)
}

fn describe_image_from_family(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let image = find_family(call.parameters.required("ImageFamily")?);
    let fields = image.map(|image| {
        let mut fields = describe(image);
        if let Some(fields) = fields.as_object_mut() {
            for only_in_lists in
                ["OSNameEn", "IsPublic", "Usable", "ResourceGroupId", "BootMode", "LoginAsNonRootSupported"]
            {
                fields.remove(only_in_lists);
            }
        }
        fields
    });
    Ok(json!({"Image": fields.unwrap_or_else(|| json!({}))}))
}

/// The day in the name of its file.
fn created(image: &Image) -> String {
    let day = image.id.trim_end_matches(".vhd").rsplit('_').next().unwrap_or_default();
    match (day.get(..4), day.get(4..6), day.get(6..)) {
        (Some(year), Some(month), Some(day)) => format!("{year}-{month}-{day}T00:00:00Z"),
        _ => String::new(),
    }
}

fn describe(image: &Image) -> Value {
    json!({
        "ImageId": image.id,
        "ImageName": image.id,
        "ImageFamily": image.family,
        "ImageOwnerAlias": "system",
        "OSName": image.system,
        "OSNameEn": image.system,
        "OSType": "linux",
        "Platform": image.platform,
        "Architecture": image.architecture,
        "Size": image.size,
        "Status": "Available",
        "Usage": "none",
        "Progress": "100%",
        "Description": "",
        "CreationTime": created(image),
        "IsSupportCloudinit": true,
        "IsSupportIoOptimized": true,
        "IsPublic": true,
        "IsCopied": false,
        "IsSelfShared": "",
        "IsSubscribed": false,
        "Usable": true,
        "ImageVersion": "",
        "ProductCode": "",
        "LoginAsNonRootSupported": true,
        "BootMode": "UEFI-Preferred",
        "ResourceGroupId": "",
        "DiskDeviceMappings": {"DiskDeviceMapping": []},
        "Tags": {"Tag": []},
    })
}
