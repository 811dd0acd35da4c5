//! What is wrong on the data plane at the moment, as faults have it: of each instance, between two, and of names.
//!
//! Level-triggered as everything else here: what is not in it any more is over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Everything that is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Troubles {
    /// What instances have to put up with, by id.
    pub instances: BTreeMap<String, Conditions>,
    /// Instances that do not reach each other, as pairs of ids in order.
    pub cuts: BTreeSet<(String, String)>,
    /// Names that are answered as they were when this began; lower case, no final dot.
    pub stale_names: BTreeSet<String>,
}

impl Troubles {
    /// What an instance has to put up with.
    pub fn of(&self, instance: &str) -> Conditions {
        self.instances.get(instance).cloned().unwrap_or_default()
    }
}

/// What one instance has to put up with.
#[expect(clippy::struct_excessive_bools, reason = "each is a fault of its own, and all may be at once")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Its power is off; it boots when this is over.
    pub is_off: bool,
    /// Nothing on it moves, sessions included.
    pub is_frozen: bool,
    /// Nothing more fits on its disk.
    pub is_full: bool,
    /// Its Redis is stopped.
    pub stops_redis: bool,
    /// Its chat node is killed whenever it runs.
    pub kills_node: bool,
    /// Load balancers find it ill, whatever it answers.
    pub fails_checks: bool,
    /// Bytes after which each SSH connection is cut, both ways together.
    pub ssh_cut: Option<u64>,
    /// Bytes a second of each SSH connection, each way.
    pub ssh_rate: Option<u64>,
    /// Percent of its packets that are lost.
    pub loss: Option<u8>,
    /// What comes to it comes so much later.
    pub delay: Option<Duration>,
}

/// Whether a unit is a Redis.
pub fn is_redis(unit: &str) -> bool {
    unit.contains("redis")
}

/// Whether a unit is a chat node.
pub fn is_node(unit: &str) -> bool {
    unit.starts_with("chat-node")
}
