//! A server of anybody's own, as it is compared and shown: of its secrets only the names.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// A server of anybody's own in place of the chat node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppSpec {
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables that everybody may read.
    pub env: BTreeMap<String, String>,
    /// Names of variables that nobody may read.
    pub secrets: BTreeSet<String>,
    /// The path that it answers while it is well.
    pub health_path: String,
}
