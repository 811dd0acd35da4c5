//! Which host answers for a product in a region.
//!
//! The rule of the official SDKs is `<product>.<region>.aliyuncs.com`, with [`exceptions`]. One address can stand in
//! for every product, or another one for some of them; each may be plain HTTP on the loopback only.

mod exceptions;

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Url;

pub use crate::base::address::AddressError as EndpointError;
use crate::base::address::ServiceAddress;
use crate::base::ids::RegionId;
use crate::cloud::Product;

/// The domain of the official hosts, and how they are remembered beside a state.
const OFFICIAL: &str = "aliyuncs.com";

/// Where calls go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    base: Base,
    overrides: BTreeMap<Product, ServiceAddress>,
    sts_in_vpc: bool,
}

/// Where object storage answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageHost {
    /// Each bucket has a host of its own below this one.
    OfBuckets(Url),
    /// All buckets are asked at this address, with their name in the path.
    OneAddress(Url),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Base {
    /// The official hosts of a region.
    Official(RegionId),
    /// One address for every product.
    OneAddress(ServiceAddress),
}

impl Endpoint {
    /// The official hosts of a region.
    pub fn official(region: RegionId) -> Self {
        Self { base: Base::Official(region), overrides: BTreeMap::new(), sts_in_vpc: false }
    }

    /// One address for every product.
    pub fn one_address(address: ServiceAddress) -> Self {
        Self { base: Base::OneAddress(address), overrides: BTreeMap::new(), sts_in_vpc: false }
    }

    /// One address for every product, as people write it: `http://127.0.0.1:8080`, `https://proxy.example.com`.
    ///
    /// # Errors
    /// When it is not an address, or would send keys in the clear to another machine.
    pub fn parse_override(text: &str) -> Result<Self, EndpointError> {
        ServiceAddress::parse(text).map(Self::one_address)
    }

    /// With another address for one product.
    #[must_use]
    pub fn with(mut self, product: Product, address: ServiceAddress) -> Self {
        self.overrides.insert(product, address);
        self
    }

    /// With STS asked at its host inside the VPC of the region; an override goes before it.
    #[must_use]
    pub fn with_sts_in_vpc(mut self, in_vpc: bool) -> Self {
        self.sts_in_vpc = in_vpc;
        self
    }

    /// The address for a product.
    pub fn url(&self, product: Product) -> Url {
        match (self.overridden(product), &self.base) {
            (Some(address), _) | (None, Base::OneAddress(address)) => address.url().clone(),
            (None, Base::Official(region)) => {
                let host = if product == Product::Sts && self.sts_in_vpc {
                    format!("sts-vpc.{region}.{OFFICIAL}")
                } else {
                    official_host(product, region)
                };
                Url::parse(&format!("https://{host}/"))
                    .expect("regions are checked to be letters, digits and hyphens")
            }
        }
    }

    /// Where object storage of a region answers. An address for every product answers for it too.
    pub fn storage(&self, region: &RegionId) -> StorageHost {
        match &self.base {
            Base::OneAddress(address) => StorageHost::OneAddress(address.url().clone()),
            Base::Official(_) => {
                let url = Url::parse(&format!("https://oss-{region}.{OFFICIAL}/"));
                StorageHost::OfBuckets(url.expect("regions are checked to be letters, digits and hyphens"))
            }
        }
    }

    /// The address for a product when it does not follow from the region.
    pub fn overridden(&self, product: Product) -> Option<&ServiceAddress> {
        match (&self.base, self.overrides.get(&product)) {
            (_, Some(address)) | (Base::OneAddress(address), None) => Some(address),
            (Base::Official(_), None) => None,
        }
    }

    /// How the endpoint is remembered beside a state, so that states of two clouds never meet.
    ///
    /// It follows from where each product's calls really go, however that was said: every official host is one
    /// cloud, any other address is another. `aliyuncs.com`, `http://127.0.0.1:8080`, or
    /// `aliyuncs.com, ecs=https://ecs.example.com` when only some products are elsewhere.
    pub fn label(&self) -> String {
        let places: Vec<(Product, String)> =
            Product::ALL.into_iter().map(|product| (product, cloud_of(&self.url(product)))).collect();
        let different: BTreeSet<&String> = places.iter().map(|(_, place)| place).collect();
        match different.first() {
            Some(only) if different.len() == 1 => (*only).clone(),
            _ => {
                let elsewhere = places.iter().filter(|(_, place)| place != OFFICIAL);
                let elsewhere = elsewhere.map(|(product, place)| format!("{}={place}", product.code()));
                let official = different.contains(&OFFICIAL.to_owned()).then(|| OFFICIAL.to_owned());
                official.into_iter().chain(elsewhere).collect::<Vec<_>>().join(", ")
            }
        }
    }
}

/// The official cloud, or the address itself.
fn cloud_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let official =
        url.scheme() == "https" && host.strip_suffix(OFFICIAL).is_some_and(|rest| rest.ends_with('.'));
    if official { OFFICIAL.to_owned() } else { url.as_str().trim_end_matches('/').to_owned() }
}

/// Host of a product in a region.
fn official_host(product: Product, region: &RegionId) -> String {
    let name = match product {
        Product::RKvstore => "r-kvstore",
        Product::Sts | Product::Vpc | Product::Ecs | Product::Alb | Product::Alidns | Product::Cas => {
            product.code()
        }
    };
    match exceptions::host(product, region.as_str()) {
        Some(host) => format!("{host}.{OFFICIAL}"),
        None => format!("{name}.{region}.{OFFICIAL}"),
    }
}

#[cfg(test)]
mod tests;
