//! What things cost by the hour, as `DescribePrice` of ECS and of R-kvstore tells it.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::base::disk::{DataDisk, DiskOptions};
use crate::base::spot::Spot;
use crate::cloud::Product;
use crate::cloud::call::Call;
use crate::cloud::disks;
use crate::cloud::error::CloudError;
use crate::cloud::transport::Client;

/// An amount by the hour.
#[derive(Debug, Clone, PartialEq)]
pub struct Price {
    /// Before discounts.
    pub list: f64,
    /// What is paid.
    pub paid: f64,
    /// `CNY`, `USD`.
    pub currency: String,
}

/// An instance that is to be priced.
#[derive(Debug, Clone, Copy)]
pub struct InstanceItem<'a> {
    /// Its zone.
    pub zone: &'a str,
    /// Its type.
    pub instance_type: &'a str,
    /// GiB of its system disk.
    pub disk: u32,
    /// What that is made as.
    pub disk_options: &'a DiskOptions,
    /// Disks beside it.
    pub data_disks: &'a [DataDisk],
    /// Mbit/s out to the Internet, paid by traffic.
    pub bandwidth: u32,
    /// Whether it is a spot instance.
    pub spot: &'a Spot,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InstanceReply {
    price_info: PriceInfo,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PriceInfo {
    price: InstancePrice,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InstancePrice {
    original_price: f64,
    trade_price: f64,
    currency: String,
}

/// `DescribePrice` of ECS: an instance with its disks, paid by use.
///
/// # Errors
/// What the cloud says.
pub async fn instance(client: &Client, item: &InstanceItem<'_>) -> Result<Price, CloudError> {
    let strategy = match item.spot {
        Spot::No => None,
        // Of a limit the price knows nothing: it is what the market asks now.
        Spot::MarketPrice | Spot::Limited(_) => Some("SpotAsPriceGo"),
    };
    let call = Call::new(Product::Ecs, "DescribePrice")
        .with_some("SpotStrategy", strategy)
        .with("RegionId", client.region())
        .with("ZoneId", item.zone)
        .with("ResourceType", "instance")
        .with("PriceUnit", "Hour")
        .with("InstanceType", item.instance_type)
        .with("InstanceNetworkType", "vpc")
        .with("InternetChargeType", "PayByTraffic")
        .with("InternetMaxBandwidthOut", item.bandwidth);
    let call = disks::priced(call, item.instance_type, (item.disk, item.disk_options, item.data_disks));
    let price = client.call::<InstanceReply>(&call).await?.price_info.price;
    Ok(Price { list: price.original_price, paid: price.trade_price, currency: price.currency })
}

/// A managed Redis that is to be priced.
#[derive(Debug, Clone, Copy)]
pub struct RedisItem<'a> {
    /// Its zone.
    pub zone: &'a str,
    /// Its class.
    pub class: &'a str,
    /// The version of Redis it speaks.
    pub engine: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RedisReply {
    order: Order,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Order {
    #[serde(deserialize_with = "amount")]
    original_amount: f64,
    #[serde(deserialize_with = "amount")]
    trade_amount: f64,
    currency: String,
}

/// `DescribePrice` of R-kvstore: an instance that is paid by use.
///
/// # Errors
/// What the cloud says.
pub async fn redis(client: &Client, item: &RedisItem<'_>) -> Result<Price, CloudError> {
    let call = Call::new(Product::RKvstore, "DescribePrice")
        .with("RegionId", client.region())
        .with("ZoneId", item.zone)
        .with("OrderType", "BUY")
        .with("ChargeType", "PostPaid")
        .with("InstanceClass", item.class)
        .with("EngineVersion", item.engine);
    let order = client.call::<RedisReply>(&call).await?.order;
    Ok(Price { list: order.original_amount, paid: order.trade_amount, currency: order.currency })
}

/// A number that is written as a text, or as one.
fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let written = serde_json::Value::deserialize(deserializer)?;
    let number = written.as_f64().or_else(|| written.as_str()?.parse().ok());
    number.ok_or_else(|| D::Error::custom(format!("{written} is no amount")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_texts_and_as_numbers() {
        let order = |amount: &str| {
            format!(r#"{{"OriginalAmount": "1.5", "TradeAmount": {amount}, "Currency": "CNY"}}"#)
        };
        for (written, paid) in [(r#""0.21""#, 0.21), ("3", 3.0)] {
            let order: Order = serde_json::from_str(&order(written)).unwrap();
            assert!((order.trade_amount - paid).abs() < 1e-9, "{written}");
        }
        assert!(serde_json::from_str::<Order>(&order(r#""much""#)).is_err());
    }
}
