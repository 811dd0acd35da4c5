//! Identifiers as types, so that a vSwitch's name is never passed where an instance's is meant.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is; what may be in it is decided where it is read.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

id_type!(
    /// Name of a stack: all resources of one topology.
    StackName
);
id_type!(
    /// Name of an instance in the topology, such as `ecs01`; also its `InstanceName` in the cloud.
    InstanceName
);
id_type!(
    /// Name of a vSwitch in the topology.
    VSwitchName
);
id_type!(
    /// A region, such as `cn-hangzhou`.
    RegionId
);
id_type!(
    /// A zone, such as `cn-hangzhou-h`.
    ZoneId
);
id_type!(
    /// What the cloud calls a resource: `vpc-...`, `i-...`, `alb-...`, a record's number.
    CloudId
);
id_type!(
    /// The request id of an answer: what the cloud's support asks for.
    RequestId
);
id_type!(
    /// A client token: the same token with the same parameters gives the first answer again.
    ClientToken
);
