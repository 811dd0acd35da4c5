//! A managed Redis, its account, and the Redis that a node talks through.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::{HostSpec, Wanted, id_of};
use crate::base::ids::InstanceName;
use crate::base::word::{self, Word};
use crate::resource::ResourceAddress;

/// A managed Redis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedisInstanceSpec {
    /// Its product line.
    pub series: Series,
    /// Instance class: `tair.rdb.1g`.
    pub class: String,
    /// Version of Redis it speaks: `7.0`.
    pub engine: String,
    /// Its vSwitch.
    pub vswitch: ResourceAddress,
    /// Its port.
    pub port: u16,
    /// What goes when its memory is full.
    #[serde(deserialize_with = "word::deserialize")]
    pub eviction: Word,
    /// Who may connect: the ranges of the nodes' vSwitches.
    pub allowed: Vec<Ipv4Net>,
}

/// Product lines of managed Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Series {
    /// Tair in memory.
    Tair,
    /// Redis as it is published.
    Classic,
}

impl Series {
    /// As topologies write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tair => "tair",
            Self::Classic => "classic",
        }
    }
}

/// The nodes' account of a managed Redis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedisAccountSpec {
    /// Its name.
    pub name: String,
    /// The machines whose nodes have its password.
    pub nodes: Vec<HostSpec>,
}

/// The Redis that a node talks through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedisAccess {
    /// One on a machine of the stack.
    OnHost {
        /// The machine.
        instance: InstanceName,
        /// How it is logged into, to read the password it made.
        route: Vec<InstanceName>,
        /// How much memory Redis has, in megabytes.
        memory: u32,
    },
    /// The managed one, by this account.
    Managed(RedisAccountSpec),
    /// None: an app does without.
    Absent,
}

impl RedisInstanceSpec {
    pub(super) fn wanted(&self) -> BTreeMap<&'static str, Wanted> {
        BTreeMap::from([
            ("series", Wanted::Exactly(self.series.word().to_owned())),
            ("class", Wanted::Exactly(self.class.clone())),
            ("engine", Wanted::Exactly(self.engine.clone())),
            ("vswitch", id_of(self.vswitch.clone())),
            ("port", Wanted::Exactly(self.port.to_string())),
            ("eviction", Wanted::Exactly(self.eviction.to_owned())),
            ("allow_list", Wanted::Exactly(self.allow_list())),
        ])
    }

    /// Who may connect, as the cloud takes it: sorted, joined by commas.
    pub fn allow_list(&self) -> String {
        let mut ranges: Vec<String> = self.allowed.iter().map(ToString::to_string).collect();
        ranges.sort();
        ranges.join(",")
    }
}
