//! One call as data: what is journalled before it is sent, and sent again as it was after a crash.
//!
//! Parameters have the form they travel in: flat keys, lists counted from 1, nested names joined by dots, such as
//! `Tag.1.Key` (source: the flattening of the official SDKs).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::ids::ClientToken;
use crate::base::secret::Secret;
use crate::cloud::Product;

/// A call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Product called.
    pub product: Product,
    /// Action called.
    pub action: String,
    /// Parameters in the query string: nearly all.
    pub query: BTreeMap<String, String>,
    /// Parameters in a form body: the server lists of three ALB calls.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub form: BTreeMap<String, String>,
    /// Parameters in the form body that are neither shown nor written with the rest: the journal keeps each in a file
    /// of its own, for as long as the call may have to be sent again.
    #[serde(skip)]
    pub secrets: BTreeMap<String, Secret<String>>,
}

impl Call {
    /// A call without parameters.
    pub fn new(product: Product, action: &str) -> Self {
        Self {
            product,
            action: action.to_owned(),
            query: BTreeMap::new(),
            form: BTreeMap::new(),
            secrets: BTreeMap::new(),
        }
    }

    /// With one more parameter.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl ToString) -> Self {
        self.query.insert(key.to_owned(), value.to_string());
        self
    }

    /// With one more parameter when there is a value.
    #[must_use]
    pub fn with_some(self, key: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// With a list: `Key.1`, `Key.2`, ...
    #[must_use]
    pub fn with_list(self, key: &str, values: impl IntoIterator<Item = impl ToString>) -> Self {
        (1..).zip(values).fold(self, |call, (number, value)| call.with(&format!("{key}.{number}"), value))
    }

    /// With tags: `Tag.1.Key`, `Tag.1.Value`, ...
    #[must_use]
    pub fn with_tags(self, tags: &[(&str, &str)]) -> Self {
        (1..).zip(tags).fold(self, |call, (number, (key, value))| {
            call.with(&format!("Tag.{number}.Key"), key).with(&format!("Tag.{number}.Value"), value)
        })
    }

    /// With the token that makes sending it twice the same as sending it once.
    #[must_use]
    pub fn with_token(self, token: &ClientToken) -> Self {
        self.with("ClientToken", token)
    }

    /// The same call as a question: the cloud checks it and changes nothing.
    ///
    /// Without a token, as the answer must not be kept for the real call.
    #[must_use]
    pub fn as_dry_run(mut self) -> Self {
        self.query.remove("ClientToken");
        self.with("DryRun", true)
    }

    /// Without a parameter.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.query.remove(key);
        self
    }

    /// With one more parameter in the form body.
    #[must_use]
    pub fn with_form(mut self, key: &str, value: impl ToString) -> Self {
        self.form.insert(key.to_owned(), value.to_string());
        self
    }

    /// With one more parameter in the form body that is a secret.
    #[must_use]
    pub fn with_secret(mut self, key: &str, value: Secret<String>) -> Self {
        self.secrets.insert(key.to_owned(), value);
        self
    }
}
