//! What a managed Redis instance should be.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::secret::Secret;

/// One managed Redis instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redis {
    /// `r-...`; also the name of its default account.
    pub id: String,
    /// The name it is reached by inside of its VPC.
    pub domain: String,
    /// `vpc-...`; another VPC may use the same addresses.
    pub vpc: String,
    /// Address in its `vSwitch`.
    pub private_address: Ipv4Addr,
    /// Port it is reached at.
    pub port: u16,
    /// Bytes it may fill.
    pub memory: u64,
    /// What goes when they are full: `volatile-lru`, ...
    pub eviction: String,
    /// Whether what it holds survives a restart.
    pub append_only: bool,
    /// Password of the default account, once there is one.
    pub password: Option<Secret>,
    /// The other accounts by name.
    pub accounts: BTreeMap<String, Account>,
    /// Addresses that are let in.
    pub allowed: Vec<Ipv4Net>,
    /// How often it was restarted: another number is another process over the same data.
    pub restarts: u64,
    /// Grows with every change; what is reported is the one that is in force.
    pub revision: u64,
}

/// An account beside the default one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its password.
    pub password: Secret,
    /// What it may do.
    pub privilege: Privilege,
}

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    /// `RoleReadOnly`.
    ReadOnly,
    /// `RoleReadWrite`.
    ReadWrite,
}
