//! Layer 3: what a topology costs by the hour, as far as the cloud can be asked.
//!
//! Machines and a managed Redis have prices; load balancers and traffic have none that an API tells. Those are named
//! beside the sum, never guessed. Nothing is changed.

use crate::base::ids::ZoneId;
use crate::base::spot::Spot;
use crate::cloud::disks;
use crate::cloud::error::CloudError;
use crate::cloud::price::{self, InstanceItem, Price, RedisItem};
use crate::cloud::transport::Client;
use crate::resource::spec::Exposure;
use crate::resource::{Kind, ResourceAddress};
use crate::topology::model::{Address, Instance, ManagedRedis, Reach, RedisPlace, Topology};

/// Hours of a month: 365 days by twelve.
pub const HOURS_OF_A_MONTH: f64 = 730.0;

const BY_LCU: &str = "by the hour, and by what goes through it (LCU)";
const TRAFFIC: &str = "traffic out to the Internet, by the GB";

/// What a topology costs.
#[derive(Debug)]
pub struct Estimate {
    /// What has a price.
    pub priced: Vec<Priced>,
    /// What is paid, and has none that can be asked for.
    pub unpriced: Vec<Unpriced>,
}

/// Something with a price.
#[derive(Debug)]
pub struct Priced {
    /// Whose it is.
    pub address: ResourceAddress,
    /// What is priced: `ecs.e-c1m2.large, 40 GiB cloud_essd_entry`.
    pub what: String,
    /// By the hour.
    pub price: Price,
}

/// Something that is paid by what goes through it, or that the cloud tells no price of.
#[derive(Debug, PartialEq, Eq)]
pub struct Unpriced {
    /// Whose it is.
    pub address: ResourceAddress,
    /// What is paid for, or why it has no price.
    pub why: String,
}

/// What is paid in one currency.
#[derive(Debug, Clone, PartialEq)]
pub struct Sum {
    /// By the hour, before discounts.
    pub list: f64,
    /// By the hour.
    pub paid: f64,
    /// `CNY`.
    pub currency: String,
}

impl Estimate {
    /// The sum of what has a price; one for each currency, since an account may have several.
    pub fn sums(&self) -> Vec<Sum> {
        let mut sums: Vec<Sum> = Vec::new();
        for Priced { price, .. } in &self.priced {
            match sums.iter_mut().find(|sum| sum.currency == price.currency) {
                Some(sum) => {
                    sum.list += price.list;
                    sum.paid += price.paid;
                }
                None => {
                    sums.push(Sum { list: price.list, paid: price.paid, currency: price.currency.clone() });
                }
            }
        }
        sums
    }
}

/// Asks what a topology costs.
///
/// # Errors
/// What the cloud says of something whose price it should know.
pub async fn estimate(client: &Client, topology: &Topology) -> Result<Estimate, CloudError> {
    let mut estimate = Estimate { priced: Vec::new(), unpriced: Vec::new() };
    for (name, instance) in &topology.instances {
        let address = ResourceAddress::new(Kind::Instance, name.as_str());
        let zone = &topology.vswitches[&instance.vswitch].zone;
        if let Some((what, price)) = of_instance(client, zone, instance).await? {
            estimate.priced.push(Priced { address, what, price });
        } else {
            let why = format!("no price is told of {}", instance.types.join(", "));
            estimate.unpriced.push(Unpriced { address, why });
        }
    }
    if let RedisPlace::Managed(redis) = &topology.redis.place {
        let zone = &topology.vswitches[&redis.vswitch].zone;
        estimate.priced.push(of_redis(client, zone, redis).await?);
    }
    estimate.unpriced.extend(unpriced(topology));
    Ok(estimate)
}

/// The first of its types that has a price: that is what `apply` tries first.
async fn of_instance(
    client: &Client,
    zone: &ZoneId,
    instance: &Instance,
) -> Result<Option<(String, Price)>, CloudError> {
    for instance_type in &instance.types {
        let own = instance.disk_options.category.as_deref();
        let disk_category = own.unwrap_or_else(|| disks::disk_category(instance_type));
        let item = InstanceItem {
            zone: zone.as_str(),
            instance_type,
            disk: instance.disk,
            disk_options: &instance.disk_options,
            data_disks: &instance.data_disks,
            bandwidth: Exposure::of(instance.reach == Reach::Public).bandwidth(),
            spot: &instance.spot,
        };
        match price::instance(client, &item).await {
            Ok(price) => {
                let spot = if instance.spot == Spot::No { "" } else { ", spot, at the market price of now" };
                let data: u32 = instance.data_disks.iter().map(|disk| disk.size).sum();
                let data = if data > 0 { format!(", {data} GiB of data disks") } else { String::new() };
                let what = format!("{instance_type}, {} GiB {disk_category}{data}{spot}", instance.disk);
                return Ok(Some((what, price)));
            }
            Err(error) if is_unknown_type(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Whether a type has no price, which says nothing of the next one.
fn is_unknown_type(error: &CloudError) -> bool {
    error.code().is_some_and(|code| code.contains("InstanceType") || code == "PriceNotFound")
}

async fn of_redis(client: &Client, zone: &ZoneId, redis: &ManagedRedis) -> Result<Priced, CloudError> {
    let item = RedisItem { zone: zone.as_str(), class: &redis.class, engine: &redis.engine };
    let what = format!("{}, Redis {}", redis.class, redis.engine);
    let price = price::redis(client, &item).await?;
    Ok(Priced { address: ResourceAddress::only(Kind::RedisInstance), what, price })
}

/// What is paid beside it.
fn unpriced(topology: &Topology) -> Vec<Unpriced> {
    let balancer = ResourceAddress::only(Kind::LoadBalancer);
    let mut unpriced = Vec::new();
    if topology.load_balancer.existing.is_none() {
        unpriced.push(Unpriced { address: balancer.clone(), why: BY_LCU.to_owned() });
    }
    if topology.load_balancer.address == Address::Internet {
        unpriced.push(Unpriced { address: balancer, why: TRAFFIC.to_owned() });
    }
    let public = topology.instances.iter().filter(|(_, instance)| instance.reach == Reach::Public);
    unpriced.extend(public.map(|(name, _)| Unpriced {
        address: ResourceAddress::new(Kind::Instance, name.as_str()),
        why: TRAFFIC.to_owned(),
    }));
    unpriced
}
