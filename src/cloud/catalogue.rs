//! What a region offers: regions, zones, instance types in stock, images, quotas. All of it only read.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::cloud::Product;
use crate::cloud::call::Call;
use crate::cloud::error::CloudError;
use crate::cloud::transport::Client;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RegionsReply {
    regions: RegionList,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RegionList {
    #[serde(default)]
    region: Vec<RegionRow>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RegionRow {
    region_id: String,
}

/// `DescribeRegions`: the regions this account can use.
///
/// # Errors
/// What the cloud says.
pub async fn regions(client: &Client) -> Result<Vec<String>, CloudError> {
    let reply: RegionsReply = client.call(&Call::new(Product::Ecs, "DescribeRegions")).await?;
    Ok(reply.regions.region.into_iter().map(|row| row.region_id).collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EcsZonesReply {
    zones: ZoneList,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ZoneList {
    #[serde(default)]
    zone: Vec<ZoneRow>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AlbZonesReply {
    #[serde(default)]
    zones: Vec<ZoneRow>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ZoneRow {
    zone_id: String,
}

fn sorted(rows: Vec<ZoneRow>) -> Vec<String> {
    let mut zones: Vec<String> = rows.into_iter().map(|row| row.zone_id).collect();
    zones.sort();
    zones
}

/// `DescribeZones` of ECS: zones with machines.
///
/// # Errors
/// What the cloud says.
pub async fn zones(client: &Client) -> Result<Vec<String>, CloudError> {
    let call =
        Call::new(Product::Ecs, "DescribeZones").with("RegionId", client.region()).with("Verbose", false);
    Ok(sorted(client.call::<EcsZonesReply>(&call).await?.zones.zone))
}

/// `DescribeZones` of ALB: zones a load balancer can have addresses in.
///
/// # Errors
/// What the cloud says.
pub async fn balancer_zones(client: &Client) -> Result<Vec<String>, CloudError> {
    let call = Call::new(Product::Alb, "DescribeZones").with("RegionId", client.region());
    Ok(sorted(client.call::<AlbZonesReply>(&call).await?.zones))
}

/// How much there is of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stock {
    /// Enough.
    Plenty,
    /// Nearly sold out.
    Low,
    /// Sold out, or not sold any more.
    Out,
}

/// Something a zone offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// How much there is.
    pub stock: Stock,
    /// Smallest and largest size of a disk, GiB.
    pub sizes: Option<(u32, u32)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AvailableReply {
    #[serde(default)]
    available_zones: AvailableZones,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct AvailableZones {
    available_zone: Vec<AvailableZone>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AvailableZone {
    zone_id: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    available_resources: AvailableResources,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct AvailableResources {
    available_resource: Vec<AvailableResource>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct AvailableResource {
    supported_resources: SupportedResources,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct SupportedResources {
    supported_resource: Vec<SupportedResource>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct SupportedResource {
    value: String,
    status: String,
    status_category: String,
    min: Option<u32>,
    max: Option<u32>,
}

impl SupportedResource {
    fn offer(&self) -> Offer {
        let stock = match (self.status.as_str(), self.status_category.as_str()) {
            ("SoldOut", _) | (_, "WithoutStock" | "ClosedWithoutStock") => Stock::Out,
            (_, "ClosedWithStock") => Stock::Low,
            _ => Stock::Plenty,
        };
        Offer { stock, sizes: self.min.zip(self.max).filter(|(_, max)| *max > 0) }
    }
}

/// What the zones of a reply offer of `value`.
fn offers(reply: AvailableReply, value: &str) -> BTreeMap<String, Offer> {
    let zones = reply.available_zones.available_zone.into_iter();
    let offer = |zone: AvailableZone| {
        let rows = zone.available_resources.available_resource.iter();
        let mut rows = rows.flat_map(|one| &one.supported_resources.supported_resource);
        let mut offer = rows.find(|row| row.value == value)?.offer();
        if zone.status == "SoldOut" {
            offer.stock = Stock::Out;
        }
        Some((zone.zone_id, offer))
    };
    zones.filter_map(offer).collect()
}

fn available(client: &Client, resource: &str, instance_type: &str) -> Call {
    Call::new(Product::Ecs, "DescribeAvailableResource")
        .with("RegionId", client.region())
        .with("DestinationResource", resource)
        .with("InstanceChargeType", "PostPaid")
        .with("IoOptimized", "optimized")
        .with("InstanceType", instance_type)
}

/// `DescribeAvailableResource`: the zones that sell an instance type by use, and how much they have of it.
///
/// # Errors
/// What the cloud says.
pub async fn instance_type(client: &Client, name: &str) -> Result<BTreeMap<String, Offer>, CloudError> {
    Ok(offers(client.call(&available(client, "InstanceType", name)).await?, name))
}

/// `DescribeAvailableResource`: whether an instance type takes this system disk in a zone, and of which sizes.
///
/// # Errors
/// What the cloud says.
pub async fn system_disk(
    client: &Client,
    instance_type: &str,
    category: &str,
    zone: &str,
) -> Result<Option<Offer>, CloudError> {
    let call = available(client, "SystemDisk", instance_type).with("ZoneId", zone);
    Ok(offers(client.call(&call).await?, category).remove(zone))
}

/// An instance type.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InstanceType {
    /// `ecs.c7.large`.
    pub instance_type_id: String,
    /// Its virtual processors.
    pub cpu_core_count: u32,
    /// `X86` or `ARM`.
    #[serde(default)]
    pub cpu_architecture: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InstanceTypesReply {
    instance_types: InstanceTypeList,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InstanceTypeList {
    #[serde(default)]
    instance_type: Vec<InstanceType>,
}

/// `DescribeInstanceTypes` of some names; ten at most.
///
/// # Errors
/// What the cloud says.
pub async fn instance_types(client: &Client, names: &[String]) -> Result<Vec<InstanceType>, CloudError> {
    let call = Call::new(Product::Ecs, "DescribeInstanceTypes").with_list("InstanceTypes", names);
    Ok(client.call::<InstanceTypesReply>(&call).await?.instance_types.instance_type)
}

/// An image.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Image {
    /// Its id.
    pub image_id: String,
    /// `x86_64` or `arm64`.
    #[serde(default)]
    pub architecture: String,
    /// GiB.
    #[serde(default)]
    pub size: u32,
    /// When it was made; the newest of a family is taken.
    #[serde(default)]
    pub creation_time: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ImagesReply {
    images: ImageList,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ImageList {
    #[serde(default)]
    image: Vec<Image>,
}

/// `DescribeImages`: the newest image of a family that can be used.
///
/// `DescribeImageFromFamily` would be the shorter way, but older documents say that it knows custom images only.
///
/// # Errors
/// What the cloud says.
pub async fn newest_image(client: &Client, family: &str) -> Result<Option<Image>, CloudError> {
    let call = Call::new(Product::Ecs, "DescribeImages")
        .with("RegionId", client.region())
        .with("ImageFamily", family)
        .with("PageSize", 100);
    let images = client.call::<ImagesReply>(&call).await?.images.image;
    Ok(images.into_iter().max_by(|one, other| one.creation_time.cmp(&other.creation_time)))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AttributesReply {
    account_attribute_items: AttributeList,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AttributeList {
    #[serde(default)]
    account_attribute_item: Vec<Attribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    attribute_name: String,
    #[serde(default)]
    attribute_values: AttributeValues,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct AttributeValues {
    value_item: Vec<AttributeValue>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct AttributeValue {
    value: String,
}

/// `DescribeAccountAttributes`: quotas and the like, by name.
///
/// # Errors
/// What the cloud says.
pub async fn account_attributes(
    client: &Client,
    names: &[&str],
) -> Result<BTreeMap<String, String>, CloudError> {
    let call = Call::new(Product::Ecs, "DescribeAccountAttributes")
        .with("RegionId", client.region())
        .with_list("AttributeName", names);
    let items = client.call::<AttributesReply>(&call).await?.account_attribute_items.account_attribute_item;
    let value = |item: Attribute| {
        let value = item.attribute_values.value_item.into_iter().next()?.value;
        Some((item.attribute_name, value))
    };
    Ok(items.into_iter().filter_map(value).collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Counted {
    total_count: u32,
}

/// `DescribeSecurityGroups`: how many the account has in the region.
///
/// # Errors
/// What the cloud says.
pub async fn security_group_count(client: &Client) -> Result<u32, CloudError> {
    let call = Call::new(Product::Ecs, "DescribeSecurityGroups")
        .with("RegionId", client.region())
        .with("PageNumber", 1)
        .with("PageSize", 1);
    Ok(client.call::<Counted>(&call).await?.total_count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stock_is_read_from_the_zone_and_from_the_row() {
        let row = |status: &str, category: &str| serde_json::json!({"Value": "t", "Status": status, "StatusCategory": category});
        let zone = |id: &str, status: &str, row: serde_json::Value| {
            serde_json::json!({"ZoneId": id, "Status": status, "AvailableResources": {"AvailableResource": [
                {"Type": "InstanceType", "SupportedResources": {"SupportedResource": [row]}}]}})
        };
        let reply = serde_json::json!({"AvailableZones": {"AvailableZone": [
            zone("a", "Available", row("Available", "WithStock")),
            zone("b", "Available", row("Available", "ClosedWithStock")),
            zone("c", "Available", row("SoldOut", "WithoutStock")),
            zone("d", "SoldOut", row("Available", "WithStock")),
        ]}});
        let found = offers(serde_json::from_value(reply).unwrap(), "t");
        let stock: Vec<Stock> = found.values().map(|offer| offer.stock).collect();
        assert_eq!(stock, [Stock::Plenty, Stock::Low, Stock::Out, Stock::Out]);
    }

    #[test]
    fn a_region_that_sells_nothing_answers_without_zones() {
        assert!(offers(serde_json::from_str("{}").unwrap(), "t").is_empty());
    }
}
