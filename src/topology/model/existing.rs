//! What is there already and chosen by a tag or its name, until it is looked up.

use std::fmt;

use crate::base::ids::{CloudId, VSwitchName};
use crate::topology::model::{Topology, Vpc};

/// Something that is there already and not named by its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// What.
    pub what: Existing,
    /// By what.
    pub by: Choice,
}

/// What may be there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Existing {
    /// The VPC.
    Vpc,
    /// A vSwitch.
    VSwitch(VSwitchName),
    /// The security group.
    SecurityGroup,
    /// The ALB.
    LoadBalancer,
}

impl Existing {
    /// Where it is written.
    pub fn field(&self) -> String {
        match self {
            Self::Vpc => "network.vpc.id".to_owned(),
            Self::VSwitch(name) => format!("network.vswitches.{name}.id"),
            Self::SecurityGroup => "network.security_group.id".to_owned(),
            Self::LoadBalancer => "load_balancer.id".to_owned(),
        }
    }

    /// What it is, as people say.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Vpc => "VPC",
            Self::VSwitch(_) => "vSwitch",
            Self::SecurityGroup => "security group",
            Self::LoadBalancer => "load balancer",
        }
    }
}

/// By what something that is there is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// A tag, key and value.
    Tag(String, String),
    /// Its name.
    Name(String),
}

impl fmt::Display for Choice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(key, value) => write!(formatter, "the tag {key}={value}"),
            Self::Name(name) => write!(formatter, "the name {name}"),
        }
    }
}

impl Topology {
    /// Takes the id that something chosen turned out to have.
    pub fn found(&mut self, what: &Existing, id: CloudId) {
        match what {
            Existing::Vpc => self.vpc = Vpc::Existing(id),
            Existing::VSwitch(name) => {
                if let Some(vswitch) = self.vswitches.get_mut(name) {
                    vswitch.existing = Some(id);
                }
            }
            Existing::SecurityGroup => self.security_group = Some(id),
            Existing::LoadBalancer => self.load_balancer.existing = Some(id),
        }
        self.chosen.retain(|one| one.what != *what);
    }
}
