//! When instances go by themselves: `expires: 4h`, or `expires: never` where the stack has a time and one machine has not.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use crate::topology::duration::{Seconds, SecondsVisitor};

/// How long an instance lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpiryForm {
    /// Until somebody removes it.
    Never,
    /// This long, from when it is made or told so.
    After(Seconds),
}

impl ExpiryForm {
    /// How long, when not for ever.
    pub fn time(self) -> Option<Seconds> {
        match self {
            Self::Never => None,
            Self::After(time) => Some(time),
        }
    }
}

impl<'de> Deserialize<'de> for ExpiryForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl Visitor<'_> for Form {
            type Value = ExpiryForm;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a duration such as 4h or 7d, or `never`")
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<ExpiryForm, E> {
                SecondsVisitor.visit_u64(seconds).map(ExpiryForm::After)
            }

            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<ExpiryForm, E> {
                SecondsVisitor.visit_i64(seconds).map(ExpiryForm::After)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ExpiryForm, E> {
                match text {
                    "never" => Ok(ExpiryForm::Never),
                    time => SecondsVisitor.visit_str(time).map(ExpiryForm::After),
                }
            }
        }
        deserializer.deserialize_any(Form)
    }
}
