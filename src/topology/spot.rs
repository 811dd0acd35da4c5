//! Spot instances: `spot: true`, or `spot: { price_limit: 0.05 }`.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Whether an instance is a spot instance, and what it may cost.
#[derive(Debug, Clone, PartialEq)]
pub enum SpotForm {
    /// At whatever the market asks, or not at all.
    Plain(bool),
    /// At a limit.
    Limited(SpotFields),
}

/// The most that a spot instance may cost.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct SpotFields {
    /// An hour, in the currency of the account; three decimals at most.
    pub price_limit: f64,
}

impl<'de> Deserialize<'de> for SpotForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = SpotForm;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("`true`, `false`, or `{ price_limit: 0.05 }`")
            }

            fn visit_bool<E: de::Error>(self, is_spot: bool) -> Result<SpotForm, E> {
                Ok(SpotForm::Plain(is_spot))
            }

            fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<SpotForm, A::Error> {
                SpotFields::deserialize(MapAccessDeserializer::new(access)).map(SpotForm::Limited)
            }
        }
        deserializer.deserialize_any(Form)
    }
}
