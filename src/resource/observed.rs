//! What a resource is, as the cloud and the hosts tell.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::base::ids::CloudId;
use crate::resource::ResourceAddress;

/// What others need to know of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// Its id in the cloud.
    Id,
    /// Address in the VPC.
    PrivateAddress,
    /// Address on the Internet.
    PublicAddress,
    /// A load balancer's own name.
    DnsName,
    /// An instance's SSH host key.
    HostKey,
    /// How often it was made before; of what can be tagged.
    Generation,
}

/// Outputs of one resource.
pub type Outputs = BTreeMap<Output, String>;

/// Whose a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// Made by this stack: destroy removes it.
    Stack,
    /// There before: destroy keeps it.
    Other,
}

/// One resource as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Its id; resources without one of their own have a composed one.
    pub id: CloudId,
    /// Whose it is.
    pub owner: Owner,
    /// Its fields, spelt as in the spec.
    pub fields: BTreeMap<&'static str, String>,
    /// What others need to know of it.
    pub outputs: Outputs,
}

impl Observation {
    /// One of this stack with no fields yet.
    pub fn new(id: CloudId) -> Self {
        let outputs = Outputs::from([(Output::Id, id.to_string())]);
        Self { id, owner: Owner::Stack, fields: BTreeMap::new(), outputs }
    }

    /// With a field.
    #[must_use]
    pub fn field(mut self, name: &'static str, value: impl ToString) -> Self {
        self.fields.insert(name, value.to_string());
        self
    }

    /// With an output.
    #[must_use]
    pub fn output(mut self, output: Output, value: impl ToString) -> Self {
        self.outputs.insert(output, value.to_string());
        self
    }

    /// As somebody else's.
    #[must_use]
    pub fn of_others(mut self) -> Self {
        self.owner = Owner::Other;
        self
    }
}

/// Everything there is of a stack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// What was found.
    pub resources: BTreeMap<ResourceAddress, Observation>,
    /// Fields that depend on what was found, such as the id a release would have.
    pub computed: BTreeMap<(ResourceAddress, &'static str), String>,
    /// Resources on hosts that could not be reached, with the reason.
    pub unknown: BTreeMap<ResourceAddress, String>,
    /// Resources that exist but are to be made anew, such as an instance that never came up.
    pub tainted: BTreeSet<ResourceAddress>,
    /// The newest image of each family that was asked about.
    pub newest_images: BTreeMap<String, String>,
}
