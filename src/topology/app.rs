//! How the value of a variable of an app is written: as a text, or as the place of a secret.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::topology::login::PasswordFields;

/// The value of a variable: a text, or where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvironmentForm {
    /// A text that everybody may read.
    Text(String),
    /// A secret.
    Secret(PasswordFields),
}

impl<'de> Deserialize<'de> for EnvironmentForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = EnvironmentForm;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text in quotes, or `{ env: NAME }`, or `{ file: PATH }`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<EnvironmentForm, E> {
                Ok(EnvironmentForm::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<EnvironmentForm, A::Error> {
                PasswordFields::deserialize(MapAccessDeserializer::new(access)).map(EnvironmentForm::Secret)
            }
        }
        deserializer.deserialize_any(Form)
    }
}
