//! What is there already: by its id, or chosen by a tag or its name.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Something that is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExistingForm {
    /// By its id.
    Id(String),
    /// By what it has.
    Chosen(ChosenFields),
}

/// By what something that is there is chosen: exactly one must have it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct ChosenFields {
    /// A tag that it has, `{ team: network }`.
    pub tag: Option<BTreeMap<String, String>>,
    /// Its name in the console.
    pub name: Option<String>,
}

impl<'de> Deserialize<'de> for ExistingForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = ExistingForm;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an id, `{ tag: { KEY: value } }` or `{ name: NAME }`")
            }

            fn visit_str<E: de::Error>(self, id: &str) -> Result<ExistingForm, E> {
                Ok(ExistingForm::Id(id.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<ExistingForm, A::Error> {
                ChosenFields::deserialize(MapAccessDeserializer::new(access)).map(ExistingForm::Chosen)
            }
        }
        deserializer.deserialize_any(Form)
    }
}
