//! Layer 2: the Alibaba Cloud API. Signed calls, one retry policy, typed requests and replies.
//!
//! - [`credentials`] finds the key pair and keeps it fresh, [`endpoint`] the host, [`sign`] makes the signature (pure);
//! - [`transport`] sends a call by way of [`http`] and tries again when [`retry`] says that it may, no faster than
//!   [`limiter`] lets it;
//! - [`sts`], [`vpc`], [`ecs`] (with [`security_rules`]), [`alb`] (with [`alb_rules`]), [`redis`], [`dns`] and [`cas`]
//!   are the products;
//! - [`oss`] is object storage, whose API is another one: a bucket as a place for small objects;
//! - [`catalogue`] is what a region offers, and only read;
//! - [`codes`] names the error codes that mean something to callers, [`explain`] has what is said about all of them, [`permission`] what RAM calls an action;
//! - [`poller`] looks for all who wait, [`wait`] judges for each of them: a named condition until a deadline.
//!
//! Nothing here knows what a topology, a plan or a journal is.

pub mod alb;
pub mod alb_rules;
mod alb_servers;
pub mod alb_settings;
pub mod call;
pub mod cas;
pub mod catalogue;
pub mod codes;
pub mod credentials;
pub mod disks;
pub mod dns;
pub mod ecs;
pub mod endpoint;
pub mod error;
pub mod explain;
pub mod http;
mod limiter;
pub mod oss;
mod pages;
pub mod permission;
pub mod poller;
pub mod price;
pub mod redis;
mod request;
pub mod retry;
pub mod security_rules;
pub mod sign;
mod skew;
pub mod sts;
pub mod tagging;
pub mod transport;
pub mod vpc;
pub mod wait;

use serde::Deserialize;

/// A product of the cloud, with the version of its API that is spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, Deserialize)]
pub enum Product {
    /// Security token service: who am I.
    Sts,
    /// Networks.
    Vpc,
    /// Machines.
    Ecs,
    /// Load balancers.
    Alb,
    /// Names.
    Alidns,
    /// Managed Redis.
    RKvstore,
    /// Certificates.
    Cas,
}

impl Product {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Sts, Self::Vpc, Self::Ecs, Self::Alb, Self::Alidns, Self::RKvstore, Self::Cas];

    /// The product of a code, as [`Product::code`] spells it.
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|product| product.code() == code)
    }

    /// The product of a name as [`Product::name`] spells it, in letters of either case.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|product| product.name().eq_ignore_ascii_case(name))
    }

    /// Its code in the form Terraform's provider uses: in variables and topologies.
    pub fn code(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::Vpc => "vpc",
            Self::Ecs => "ecs",
            Self::Alb => "alb",
            Self::Alidns => "alidns",
            Self::RKvstore => "r_kvstore",
            Self::Cas => "cas",
        }
    }

    /// Its API version.
    pub fn version(self) -> &'static str {
        match self {
            Self::Sts => "2015-04-01",
            Self::Vpc => "2016-04-28",
            Self::Ecs => "2014-05-26",
            Self::Alb => "2020-06-16",
            Self::Alidns => "2015-01-09",
            Self::RKvstore => "2015-01-01",
            Self::Cas => "2020-04-07",
        }
    }

    /// Its name as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sts => "STS",
            Self::Vpc => "VPC",
            Self::Ecs => "ECS",
            Self::Alb => "ALB",
            Self::Alidns => "Alidns",
            Self::RKvstore => "R-kvstore",
            Self::Cas => "CAS",
        }
    }
}

/// A tag as VPC and ALB spell it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Tag {
    /// Its key; ECS spells it `TagKey`.
    #[serde(alias = "TagKey")]
    pub key: String,
    /// Its value; ECS spells it `TagValue`.
    #[serde(alias = "TagValue")]
    pub value: String,
}

/// The value of a tag.
pub fn tag_value<'t>(tags: &'t [Tag], key: &str) -> Option<&'t str> {
    tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.as_str())
}
