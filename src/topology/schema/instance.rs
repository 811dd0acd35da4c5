//! What the YAML may say of machines.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub use crate::topology::disk::{DataDiskFields, DiskFields, DiskForm};
use crate::topology::expiry::ExpiryForm;
use crate::topology::json_schema::Scalar;
use crate::topology::schema::SudoForm;
pub use crate::topology::spot::SpotForm;
pub use crate::topology::user_data::UserDataForm;

/// How one machine is logged into, where it differs from the others.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct InstanceSsh {
    /// As `ssh.user`, which is the default.
    pub user: Option<String>,
    /// As `ssh.port`, which is the default.
    #[schemars(range(min = 1, max = 65_535))]
    pub port: Option<i64>,
    /// As `ssh.sudo`, which is the default.
    pub sudo: Option<SudoForm>,
}

/// A machine.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Instance {
    /// The name that it is declared by, which several may share.
    #[serde(skip)]
    #[schemars(skip)]
    pub(in crate::topology) declared: String,
    /// How many there are, 1 to 100: `web-1`, `web-2`, ... for `web`, which stands for all of them; default: one,
    /// whose name has no number.
    #[schemars(range(min = 1, max = 100))]
    pub count: Option<i64>,
    /// Name of its vSwitch; default: one in each zone, in turn.
    pub vswitch: Option<String>,
    /// vSwitches that several take in turn.
    #[serde(default)]
    pub vswitches: Vec<String>,
    /// `public`: it has a public address and is reached there.
    pub access: Option<Access>,
    /// Name of the instance through which it is reached.
    pub via: Option<String>,
    /// How it is logged into, where that differs from the others.
    #[serde(default)]
    pub ssh: InstanceSsh,
    /// Instance types, tried in this order; default: small current ones.
    #[serde(default)]
    pub types: Vec<String>,
    /// Image family; default Alibaba Cloud Linux 3.
    pub image: Option<String>,
    /// System disk: GiB, 20 to 2048, or `{ size: 40GiB, category: cloud_essd, performance_level: PL0, encrypted: true }`;
    /// default 40.
    pub disk: Option<DiskForm>,
    /// Disks beside it, empty at first; default: none.
    #[serde(default)]
    pub data_disks: Vec<DataDiskFields>,
    /// Whether it is a spot instance, cheaper and taken back when others want it: `true`, or with the most it may cost
    /// an hour, `{ price_limit: 0.05 }`; default `false`.
    pub spot: Option<SpotForm>,
    /// What it is told at its first start, as a rule a script: a text, or a template, `{ file: PATH, with: { NAME: value } }`;
    /// 32 KiB at most; default: nothing.
    pub user_data: Option<UserDataForm>,
    /// Tags of this machine, as `tags` of the stack, beside those; where both have a key, this value counts. Default:
    /// none.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Scalar>")]
    pub tags: BTreeMap<String, String>,
    /// How long this machine lives, as `expires` of the stack, which is the default; `never`: it stays.
    pub expires: Option<ExpiryForm>,
    /// Whether plans that would delete or replace this machine are refused; default `false`.
    #[serde(default)]
    pub protect: bool,
}

/// How an instance is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// At its public address.
    Public,
}
