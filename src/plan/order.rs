//! Of each replacement: whether the new one is made before the old one goes.
//!
//! It is, wherever the two can stand side by side. Where they cannot (a vSwitch with a range that the old one has, a
//! listener on the old one's port), the old one goes first, and so does whatever stands on it and is to stand on the
//! new one.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::plan::{Plan, graph};
use crate::resource::ResourceAddress;

/// What a replacement begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The new one is made, then the old one, deposed, is removed.
    NewFirst,
    /// The old one is removed, then the new one is made.
    OldFirst,
}

impl Order {
    /// Its sign.
    pub fn glyph(self) -> &'static str {
        match self {
            Self::NewFirst => "+/-",
            Self::OldFirst => "-/+",
        }
    }
}

/// The order of each replacement of a plan.
pub fn orders(plan: &Plan) -> BTreeMap<ResourceAddress, Order> {
    graph::Graph::of(plan).orders()
}
