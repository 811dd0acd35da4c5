//! Security groups and their rules.

use serde::Serialize;

use crate::world::Moment;
use crate::world::World;
use crate::world::meta::Meta;

/// One security group.
#[derive(Debug, Clone, Serialize)]
pub struct SecurityGroup {
    /// `sg-...`.
    pub id: String,
    /// `SecurityGroupName`.
    pub name: String,
    /// Free text.
    pub description: String,
    /// `normal` or `enterprise`.
    pub kind: String,
    /// Its VPC.
    pub vpc: String,
    /// Rules added by calls.
    pub rules: Vec<Rule>,
    /// The load balancer that made it for itself.
    pub managed_by: Option<String>,
    /// Region, age, tags.
    pub meta: Meta,
}

/// One rule.
#[derive(Debug, Clone, Serialize)]
pub struct Rule {
    /// `sgr-...`.
    pub id: String,
    /// What it admits or drops; two equal ones are one rule.
    pub permission: Permission,
    /// Free text.
    pub description: String,
    /// When it was made.
    pub created: Moment,
}

/// What makes a rule the same rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Permission {
    /// `ingress`, `egress`.
    pub direction: &'static str,
    /// Upper case: TCP, UDP, ICMP, GRE, ALL.
    pub protocol: String,
    /// `5000/5000`, `-1/-1`.
    pub port_range: String,
    /// Source addresses.
    pub source_cidr: String,
    /// Source group.
    pub source_group: String,
    /// Destination addresses.
    pub destination_cidr: String,
    /// Source ports.
    pub source_port_range: String,
    /// `accept` or `drop`.
    pub policy: String,
    /// 1 to 100, lower wins.
    pub priority: i64,
}

impl World {
    /// How many instances are in a group.
    pub fn members_of(&self, group: &str) -> usize {
        let instances = self.instances.values();
        instances.filter(|instance| instance.security_groups.iter().any(|own| own == group)).count()
    }
}
