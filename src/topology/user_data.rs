//! What an instance is told at its first start: a text, or `{ file: PATH, with: { NAME: value } }`.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// What an instance is told at its first start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserDataForm {
    /// As it stands.
    Text(String),
    /// A template.
    Template(UserDataFields),
}

/// A template and its values.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct UserDataFields {
    /// A file of this machine, relative to the topology's file; `{{ NAME }}` in it stands for a value.
    pub file: String,
    /// Values by name, beside `instance`, `stack` and `region`.
    #[serde(default)]
    pub with: BTreeMap<String, String>,
}

impl<'de> Deserialize<'de> for UserDataForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = UserDataForm;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text, or `{ file: PATH, with: { NAME: value } }`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<UserDataForm, E> {
                Ok(UserDataForm::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<UserDataForm, A::Error> {
                UserDataFields::deserialize(MapAccessDeserializer::new(access)).map(UserDataForm::Template)
            }
        }
        deserializer.deserialize_any(Form)
    }
}
