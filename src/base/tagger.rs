//! Products that tag resources, and what they call that.

/// A product that tags its resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagger {
    /// VPCs and vSwitches.
    Vpc,
    /// Instances, security groups, key pairs and disks.
    Ecs,
    /// Load balancers and server groups.
    Alb,
    /// Managed Redis.
    RKvstore,
}

impl Tagger {
    /// The call that sets tags: other tags stay as they are, a key that is there gets the value.
    pub const SETS: &'static str = "TagResources";

    /// The call that takes tags away, which half of the products spell in another way.
    pub fn takes_away(self) -> &'static str {
        match self {
            Self::Vpc | Self::Alb => "UnTagResources",
            Self::Ecs | Self::RKvstore => "UntagResources",
        }
    }
}
