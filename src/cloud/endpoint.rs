//! Which host answers for a product in a region.
//!
//! The rule of the official SDKs: `<product>.<region>.aliyuncs.com`, with the central hosts of Alidns and STS as
//! exceptions. One override sends every product to one address; it may be plain HTTP on the loopback only.

use std::net::IpAddr;

use reqwest::Url;

use crate::base::ids::RegionId;
use crate::cloud::Product;

/// Where calls go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// The official hosts of a region.
    Official(RegionId),
    /// One address for every product.
    Override(Url),
}

/// An address that cannot be an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot be an endpoint: {why}")]
pub struct EndpointError {
    /// What was given.
    pub text: String,
    /// Why not.
    pub why: &'static str,
}

impl Endpoint {
    /// An override as people write it: `http://127.0.0.1:8080`, `https://proxy.example.com`.
    ///
    /// # Errors
    /// When it is not an address, or would send keys in the clear to another machine.
    pub fn parse_override(text: &str) -> Result<Self, EndpointError> {
        let refuse = |why| EndpointError { text: text.to_owned(), why };
        let url: Url = text.parse().map_err(|_| refuse("write it like http://127.0.0.1:8080"))?;
        let host = url.host_str().ok_or_else(|| refuse("it has no host"))?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(host) => {}
            "http" => return Err(refuse("plain http is taken on the loopback only")),
            _ => return Err(refuse("its scheme must be http or https")),
        }
        if url.path() != "/" || url.query().is_some() || !url.username().is_empty() {
            return Err(refuse("it must end after the port"));
        }
        Ok(Self::Override(url))
    }

    /// The address for a product.
    pub fn url(&self, product: Product) -> Url {
        match self {
            Self::Override(url) => url.clone(),
            Self::Official(region) => {
                let host = official_host(product, region);
                Url::parse(&format!("https://{host}/"))
                    .expect("regions are checked to be letters, digits and hyphens")
            }
        }
    }

    /// How the endpoint is remembered beside a state, so that states of two clouds never meet.
    pub fn label(&self) -> String {
        match self {
            Self::Official(_) => "aliyuncs.com".to_owned(),
            Self::Override(url) => url.as_str().trim_end_matches('/').to_owned(),
        }
    }
}

fn official_host(product: Product, region: &RegionId) -> String {
    match product {
        Product::Sts => format!("sts.{region}.aliyuncs.com"),
        Product::Vpc => format!("vpc.{region}.aliyuncs.com"),
        Product::Ecs => format!("ecs.{region}.aliyuncs.com"),
        Product::Alb => format!("alb.{region}.aliyuncs.com"),
        Product::Alidns if region.as_str() == "cn-hangzhou" => "alidns.aliyuncs.com".to_owned(),
        Product::Alidns => format!("alidns.{region}.aliyuncs.com"),
        Product::Cas => "cas.aliyuncs.com".to_owned(),
        Product::RKvstore => format!("r-kvstore.{region}.aliyuncs.com"),
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_the_loopback() {
        for good in
            ["http://127.0.0.1:8080", "http://127.77.0.1:80", "http://[::1]:80/", "https://proxy.example.com"]
        {
            assert!(Endpoint::parse_override(good).is_ok(), "{good}");
        }
        for bad in [
            "http://example.com",
            "ftp://127.0.0.1",
            "127.0.0.1:80",
            "http://127.0.0.1/x",
            "http://u@127.0.0.1/",
        ] {
            assert!(Endpoint::parse_override(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn official_hosts_follow_the_rule_and_its_exceptions() {
        let host = |product, region: &str| {
            Endpoint::Official(RegionId::new(region)).url(product).host_str().unwrap_or_default().to_owned()
        };
        assert_eq!(host(Product::Ecs, "cn-beijing"), "ecs.cn-beijing.aliyuncs.com");
        assert_eq!(host(Product::Alidns, "cn-hangzhou"), "alidns.aliyuncs.com");
        assert_eq!(host(Product::Alidns, "ap-southeast-1"), "alidns.ap-southeast-1.aliyuncs.com");
    }
}
