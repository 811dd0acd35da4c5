//! VPC: networks and vSwitches. API version 2016-04-28.

use serde::Deserialize;

use crate::base::ids::{ClientToken, CloudId, RegionId};
use crate::cloud::call::Call;
use crate::cloud::error::CloudError;
use crate::cloud::pages::all_numbered;
use crate::cloud::transport::Client;
use crate::cloud::{Product, Tag};

/// The largest page of VPC lists.
const PAGE: usize = 50;
/// How many ids `DescribeVpcs` takes.
const IDS: usize = 20;

/// A VPC.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Vpc {
    /// `vpc-...`.
    pub vpc_id: CloudId,
    /// Name shown in the console.
    #[serde(default)]
    pub vpc_name: String,
    /// `Pending`, `Available`.
    pub status: String,
    /// Its range.
    pub cidr_block: String,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

/// A vSwitch.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct VSwitch {
    /// `vsw-...`.
    pub v_switch_id: CloudId,
    /// Name shown in the console.
    #[serde(default)]
    pub v_switch_name: String,
    /// Its VPC.
    pub vpc_id: CloudId,
    /// `Pending`, `Available`.
    pub status: String,
    /// Its zone.
    pub zone_id: String,
    /// Its range.
    pub cidr_block: String,
    /// Addresses that are free in it.
    #[serde(default)]
    pub available_ip_address_count: u64,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

/// Tags as VPC wraps them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Tags {
    /// The list.
    pub tag: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VpcsReply {
    vpcs: VpcList,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VpcList {
    #[serde(default)]
    vpc: Vec<Vpc>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VSwitchesReply {
    v_switches: VSwitchList,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VSwitchList {
    #[serde(default)]
    v_switch: Vec<VSwitch>,
}

/// Which resources a list shall hold.
#[derive(Debug, Clone)]
pub enum Selection<'a> {
    /// The one with this id.
    Id(&'a CloudId),
    /// Those with this tag.
    Tag(&'a str, &'a str),
    /// All of the region.
    All,
}

impl Selection<'_> {
    /// Adds the selection to a call whose id parameter has this name.
    pub fn select(&self, call: Call, id_parameter: &str) -> Call {
        match self {
            Self::Id(id) => call.with(id_parameter, id),
            Self::Tag(key, value) => call.with_tags(&[(key, value)]),
            Self::All => call,
        }
    }
}

/// `DescribeVpcs`.
///
/// # Errors
/// What the cloud says.
pub async fn vpcs(client: &Client, selection: Selection<'_>) -> Result<Vec<Vpc>, CloudError> {
    let call = Call::new(Product::Vpc, "DescribeVpcs").with("RegionId", client.region());
    let call = selection.select(call, "VpcId");
    all_numbered(client, &call, PAGE, |reply: VpcsReply| reply.vpcs.vpc).await
}

/// `DescribeVpcs` by ids.
///
/// # Errors
/// What the cloud says.
pub async fn vpcs_with_ids(client: &Client, ids: &[CloudId]) -> Result<Vec<Vpc>, CloudError> {
    let mut found = Vec::new();
    for ids in ids.chunks(IDS) {
        let ids: Vec<&str> = ids.iter().map(CloudId::as_str).collect();
        let call = Call::new(Product::Vpc, "DescribeVpcs")
            .with("RegionId", client.region())
            .with("VpcId", ids.join(","));
        found.extend(all_numbered(client, &call, PAGE, |reply: VpcsReply| reply.vpcs.vpc).await?);
    }
    Ok(found)
}

/// `DescribeVSwitches` of a VPC: the list takes no more than one vSwitch's id.
///
/// # Errors
/// What the cloud says.
pub async fn vswitches_of(client: &Client, vpc: &CloudId) -> Result<Vec<VSwitch>, CloudError> {
    let call =
        Call::new(Product::Vpc, "DescribeVSwitches").with("RegionId", client.region()).with("VpcId", vpc);
    all_numbered(client, &call, PAGE, |reply: VSwitchesReply| reply.v_switches.v_switch).await
}

/// `DescribeVSwitches`.
///
/// # Errors
/// What the cloud says.
pub async fn vswitches(client: &Client, selection: Selection<'_>) -> Result<Vec<VSwitch>, CloudError> {
    let call = Call::new(Product::Vpc, "DescribeVSwitches").with("RegionId", client.region());
    let call = selection.select(call, "VSwitchId");
    all_numbered(client, &call, PAGE, |reply: VSwitchesReply| reply.v_switches.v_switch).await
}

/// `DescribeVSwitches`: all of the region.
///
/// # Errors
/// What the cloud says.
pub async fn all_vswitches(client: &Client) -> Result<Vec<VSwitch>, CloudError> {
    let call = Call::new(Product::Vpc, "DescribeVSwitches").with("RegionId", client.region());
    all_numbered(client, &call, PAGE, |reply: VSwitchesReply| reply.v_switches.v_switch).await
}

/// `CreateVpc`; answers `VpcId`.
pub fn create_vpc(
    region: &RegionId,
    name: &str,
    cidr: &str,
    tags: &[(&str, &str)],
    token: &ClientToken,
) -> Call {
    Call::new(Product::Vpc, "CreateVpc")
        .with("RegionId", region)
        .with("VpcName", name)
        .with("CidrBlock", cidr)
        .with_tags(tags)
        .with_token(token)
}

/// `ModifyVpcAttribute`: the name.
pub fn rename_vpc(region: &RegionId, id: &CloudId, name: &str) -> Call {
    Call::new(Product::Vpc, "ModifyVpcAttribute")
        .with("RegionId", region)
        .with("VpcId", id)
        .with("VpcName", name)
}

/// What a vSwitch is made from.
#[derive(Debug)]
pub struct NewVSwitch<'a> {
    /// Name shown in the console.
    pub name: &'a str,
    /// Its VPC.
    pub vpc: &'a CloudId,
    /// Its zone.
    pub zone: &'a str,
    /// Its range.
    pub cidr: &'a str,
    /// Its tags.
    pub tags: &'a [(&'a str, &'a str)],
}

/// `CreateVSwitch`; answers `VSwitchId`.
pub fn create_vswitch(region: &RegionId, new: &NewVSwitch<'_>, token: &ClientToken) -> Call {
    Call::new(Product::Vpc, "CreateVSwitch")
        .with("RegionId", region)
        .with("VpcId", new.vpc)
        .with("ZoneId", new.zone)
        .with("CidrBlock", new.cidr)
        .with("VSwitchName", new.name)
        .with_tags(new.tags)
        .with_token(token)
}

/// `DeleteVpc`.
pub fn delete_vpc(region: &RegionId, id: &CloudId) -> Call {
    Call::new(Product::Vpc, "DeleteVpc").with("RegionId", region).with("VpcId", id)
}

/// `DeleteVSwitch`.
pub fn delete_vswitch(region: &RegionId, id: &CloudId) -> Call {
    Call::new(Product::Vpc, "DeleteVSwitch").with("RegionId", region).with("VSwitchId", id)
}
