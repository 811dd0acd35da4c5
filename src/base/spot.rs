//! Spot instances: machines that cost what the market asks, and that the cloud takes back when others want them.

use serde::{Deserialize, Serialize};

/// Whether a machine is one, and what an hour of it may cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spot {
    /// It stays.
    #[default]
    No,
    /// At whatever the market asks.
    MarketPrice,
    /// While an hour costs this at most.
    Limited(String),
}

impl Spot {
    /// As it is compared and shown.
    pub fn word(&self) -> String {
        match self {
            Self::No => "no".to_owned(),
            Self::MarketPrice => "at the market price".to_owned(),
            Self::Limited(price) => format!("up to {price} an hour"),
        }
    }
}
