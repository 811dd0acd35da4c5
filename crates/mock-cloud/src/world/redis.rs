//! Redis and Tair instances: their states, accounts and allow lists.
//!
//! Creating -> Normal -> Changing -> Normal; released from Normal.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use serde::Serialize;

use crate::plane::HostKind;
use crate::secret::Secret;
use crate::world::event::Event;
use crate::world::meta::Meta;
use crate::world::pace::Step;
use crate::world::{Moment, World};

/// Name of the allow list that every instance has.
pub const DEFAULT_LIST: &str = "default";

/// What the default list holds when nobody is let in.
const NOBODY: &str = "127.0.0.1";

/// Status of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum RedisStatus {
    /// Being made.
    Creating,
    /// Ready.
    Normal,
    /// A change is under way.
    Changing,
    /// Deleted, not yet gone.
    Released,
}

impl RedisStatus {
    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Normal => "Normal",
            Self::Changing => "Changing",
            Self::Released => "Released",
        }
    }
}

/// The product lines, each with versions and instance classes of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Series {
    /// Redis on local disks.
    Classic,
    /// Tair on local disks.
    ClassicTair,
    /// Redis on cloud disks.
    CloudNative,
    /// Tair in memory.
    TairRdb,
    /// Tair in persistent memory.
    TairScm,
    /// Tair on cloud disks.
    TairEssd,
}

impl Series {
    /// `InstanceType` of the API.
    pub fn instance_type(self) -> &'static str {
        match self {
            Self::Classic | Self::CloudNative => "Redis",
            Self::ClassicTair => "Tair",
            Self::TairRdb => "tair_rdb",
            Self::TairScm => "tair_scm",
            Self::TairEssd => "tair_essd",
        }
    }

    /// `EditionType` of the API.
    pub fn edition(self) -> &'static str {
        match self {
            Self::Classic | Self::CloudNative => "Community",
            Self::ClassicTair | Self::TairRdb | Self::TairScm | Self::TairEssd => "Enterprise",
        }
    }

    /// Whether shards, replicas and read-only nodes can be asked for.
    pub fn is_cloud_native(self) -> bool {
        match self {
            Self::Classic | Self::ClassicTair => false,
            Self::CloudNative | Self::TairRdb | Self::TairScm | Self::TairEssd => true,
        }
    }
}

/// What an instance class grants, times its shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// MB.
    pub capacity: i64,
    /// MB/s.
    pub bandwidth: i64,
    /// Connections at once.
    pub connections: i64,
    /// Operations a second.
    pub operations: i64,
}

/// How many nodes an instance has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Nodes {
    /// `MASTER_SLAVE`, `STAND_ALONE`, and `double`, `single` on local disks.
    pub kind: String,
    /// Data shards, from 1.
    pub shards: i64,
    /// Replicas in the primary zone.
    pub replicas: i64,
    /// Replicas in the secondary zone.
    pub secondary_replicas: i64,
    /// Read-only nodes in the primary zone.
    pub read_only: i64,
    /// Read-only nodes in the secondary zone.
    pub secondary_read_only: i64,
}

impl Nodes {
    /// `ArchitectureType` of the API.
    pub fn architecture(&self) -> &'static str {
        match (self.shards, self.read_only + self.secondary_read_only) {
            (1, 0) => "standard",
            (1, _) => "rwsplit",
            _ => "cluster",
        }
    }
}

/// One instance.
#[derive(Debug, Clone, Serialize)]
pub struct RedisInstance {
    /// `r-...`.
    pub id: String,
    /// `InstanceName`, may be empty.
    pub name: String,
    /// State.
    pub status: RedisStatus,
    /// Product line.
    pub series: Series,
    /// `redis.master.small.default`.
    pub class: String,
    /// `5.0`.
    pub engine_version: String,
    /// What its class grants.
    pub limits: Limits,
    /// Its nodes.
    pub nodes: Nodes,
    /// `PostPaid` or `PrePaid`.
    pub charge_type: String,
    /// Until when a subscription is paid.
    pub end: Option<Moment>,
    /// First part of its domain: what was asked for, else its id.
    pub prefix: String,
    /// Port of the service.
    pub port: u16,
    /// Where it is.
    pub vpc: String,
    /// Where it is.
    pub vswitch: String,
    /// Where it is.
    pub zone: String,
    /// Where its replicas are, when elsewhere.
    pub secondary_zone: String,
    /// Address in the vSwitch.
    pub private_address: Ipv4Addr,
    /// GB and category of the disk, for those that have one.
    pub storage: Option<(i64, String)>,
    /// `18:00Z`.
    pub maintain_start: String,
    /// `22:00Z`.
    pub maintain_end: String,
    /// `yes` or `no`.
    pub append_only: String,
    /// What goes when its memory is full: `volatile-lru`, ...
    pub eviction: String,
    /// How often it was restarted.
    pub restarts: u64,
    /// Grows with every change that its server has to follow.
    pub revision: u64,
    /// Its time in a state that passes is over; its server has still to follow.
    pub awaits_server: bool,
    /// Refuses to be deleted.
    pub release_protection: bool,
    /// As given, or empty.
    pub resource_group: String,
    /// Password of the default account, once there is one.
    #[serde(skip)]
    pub password: Option<Secret>,
    /// Accounts by name, without the default one.
    pub accounts: BTreeMap<String, RedisAccount>,
    /// Allow lists by name.
    pub allow_lists: BTreeMap<String, AllowList>,
    /// ECS security groups whose instances are let in.
    pub security_groups: Vec<String>,
    /// Region, age, tags.
    pub meta: Meta,
}

/// An account beside the default one.
#[derive(Debug, Clone, Serialize)]
pub struct RedisAccount {
    /// Usable: `Available`, else `Unavailable`.
    pub available: bool,
    /// Its time is over; the server has still to follow.
    pub awaits_server: bool,
    /// `RoleReadOnly` or `RoleReadWrite`.
    pub privilege: String,
    /// Free text.
    pub description: String,
    /// Its password.
    #[serde(skip)]
    pub password: Secret,
}

/// Addresses that may connect.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AllowList {
    /// `hidden`, or empty.
    pub attribute: String,
    /// Addresses and ranges as they were written.
    pub entries: BTreeSet<String>,
}

impl AllowList {
    /// The list of a new instance: it lets nobody in.
    pub fn nobody() -> Self {
        Self { attribute: String::new(), entries: BTreeSet::from([NOBODY.to_owned()]) }
    }

    /// Entries joined by commas.
    pub fn text(&self) -> String {
        self.entries.iter().map(String::as_str).collect::<Vec<_>>().join(",")
    }
}

impl RedisInstance {
    /// The name it is reached by inside of its VPC.
    pub fn domain(&self) -> String {
        format!("{}.redis.rds.aliyuncs.com", self.prefix)
    }

    /// Whether these credentials log in: `account:password`, or the password alone for the default account.
    pub fn accepts(&self, credentials: &str) -> bool {
        if self.password.as_ref().is_some_and(|own| own.expose() == credentials) {
            return true;
        }
        credentials.split_once(':').is_some_and(|(name, password)| {
            let default = self.password.as_ref().filter(|_| name == self.id);
            let named = self.accounts.get(name).filter(|own| own.available).map(|own| &own.password);
            default.or(named).is_some_and(|own| own.expose() == password)
        })
    }
}

impl World {
    /// Puts an instance into the state that passes by itself once its server has followed.
    pub fn change_redis(&mut self, id: &str) {
        if let Some(own) = self.redis_instances.get_mut(id) {
            own.status = RedisStatus::Changing;
            own.revision += 1;
            self.schedule(Step::RedisChanged, Event::RedisSettled(id.to_owned()));
        }
    }

    /// Deletes an instance; it goes after its time and blocks its vSwitch until then.
    pub fn release_redis(&mut self, id: &str) {
        if let Some(own) = self.redis_instances.get_mut(id) {
            own.status = RedisStatus::Released;
            self.schedule(Step::RedisGone, Event::RedisGone(id.to_owned()));
        }
    }

    pub(super) fn redis_settled(&mut self, id: &str) {
        if let Some(own) = self.redis_instances.get_mut(id) {
            own.awaits_server = true;
        }
        self.settle_redis(id);
    }

    pub(super) fn redis_account_ready(&mut self, instance: &str, account: &str) {
        let own = self.redis_instances.get_mut(instance);
        if let Some(account) = own.and_then(|own| own.accounts.get_mut(account)) {
            account.awaits_server = true;
        }
        self.settle_redis(instance);
    }

    /// Lets happen what only waits for the server.
    fn settle_redis(&mut self, id: &str) {
        let has_no_servers = self.settings.hosts == HostKind::None;
        let in_force = self.redis_in_force.get(id).copied();
        let Some(own) = self.redis_instances.get_mut(id) else { return };
        if !has_no_servers && in_force.is_none_or(|in_force| in_force < own.revision) {
            return;
        }
        if std::mem::take(&mut own.awaits_server) {
            match own.status {
                RedisStatus::Creating | RedisStatus::Changing => own.status = RedisStatus::Normal,
                RedisStatus::Normal | RedisStatus::Released => {}
            }
        }
        for account in own.accounts.values_mut() {
            account.available |= std::mem::take(&mut account.awaits_server);
        }
    }

    /// Takes in which revision of each instance its server has reached.
    pub(super) fn observe_redis(&mut self, in_force: &BTreeMap<String, u64>) {
        if self.redis_in_force == *in_force {
            return;
        }
        self.touch();
        self.redis_in_force.clone_from(in_force);
        for id in in_force.keys() {
            self.settle_redis(id);
        }
    }
}
