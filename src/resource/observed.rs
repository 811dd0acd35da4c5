//! What a resource is, as the cloud and the hosts tell.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::base::ids::CloudId;
use crate::base::word::Word;
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
    /// A load balancer's own name, or a managed Redis'.
    DnsName,
    /// What the ALB calls a certificate.
    CertificateId,
    /// Megabytes of a managed Redis.
    Memory,
    /// Stands for the password in force of an account: its digest.
    Password,
    /// An instance's SSH host key.
    HostKey,
    /// How often it was made before; of what can be tagged.
    Generation,
    /// When an instance goes by itself, or `never`.
    ReleaseTime,
}

impl Output {
    /// Values of this output as they are compared: sorted, joined by commas, an address as the range of one machine,
    /// since where one is asked for it is the source of a rule.
    pub fn joined(self, mut values: Vec<String>) -> String {
        values.sort();
        if self == Self::PrivateAddress {
            values = values.iter().map(|address| range_of(address)).collect();
        }
        values.join(",")
    }
}

/// The range that is one machine.
pub fn range_of(address: &str) -> String {
    format!("{address}/32")
}

/// Outputs of one resource.
pub type Outputs = BTreeMap<Output, String>;

/// Fields of one resource, spelt as in the spec.
pub type Fields = BTreeMap<String, String>;

/// Whose a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// Made by this stack: destroy removes it.
    Stack,
    /// Taken over by `adopt`: changed in place, never replaced or deleted.
    Adopted,
    /// There before: destroy keeps it.
    Other,
    /// Put into a resource of this stack by others, and to go since the topology is exclusive.
    Claimed,
}

impl Owner {
    /// Whether a plan may remove it.
    pub fn may_be_removed(self) -> bool {
        match self {
            Self::Stack | Self::Claimed => true,
            Self::Adopted | Self::Other => false,
        }
    }
}

/// One resource as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// Its id; resources without one of their own have a composed one.
    pub id: CloudId,
    /// Whose it is.
    pub owner: Owner,
    /// Its fields, spelt as in the spec.
    pub fields: Fields,
    /// What others need to know of it.
    pub outputs: Outputs,
}

impl Observation {
    /// One of this stack with no fields yet.
    pub fn new(id: CloudId) -> Self {
        let outputs = Outputs::from([(Output::Id, id.to_string())]);
        Self { id, owner: Owner::Stack, fields: Fields::new(), outputs }
    }

    /// With a field.
    #[must_use]
    pub fn field(mut self, name: &'static str, value: impl ToString) -> Self {
        self.fields.insert(name.to_owned(), value.to_string());
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
    pub fn of_others(self) -> Self {
        self.of(Owner::Other)
    }

    /// With this owner.
    #[must_use]
    pub fn of(mut self, owner: Owner) -> Self {
        self.owner = owner;
        self
    }
}

/// Everything there is of a stack.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// What was found.
    pub resources: BTreeMap<ResourceAddress, Observation>,
    /// Fields that depend on what was found, such as the id a release would have.
    #[serde(with = "computed")]
    pub computed: BTreeMap<(ResourceAddress, Word), String>,
    /// Resources on hosts that could not be reached, with the reason.
    pub unknown: BTreeMap<ResourceAddress, String>,
    /// Resources that exist but are to be made anew, such as an instance that never came up.
    pub tainted: BTreeSet<ResourceAddress>,
    /// The newest image of each family that was asked about: not a part of what is there.
    #[serde(skip)]
    pub newest_images: BTreeMap<String, String>,
    /// What was last known of each resource, by the journal: not a part of what is there.
    #[serde(skip)]
    pub applied: BTreeMap<ResourceAddress, Applied>,
    /// What others have put into resources of this stack.
    pub foreign: Vec<Foreign>,
}

impl Observed {
    /// What is known of each resource that is there.
    pub fn outputs(&self) -> BTreeMap<ResourceAddress, Outputs> {
        self.resources.iter().map(|(address, found)| (address.clone(), found.outputs.clone())).collect()
    }
}

/// A resource as this stack last left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its id.
    pub id: CloudId,
    /// Its fields, as far as they were written down.
    pub fields: Fields,
    /// When it was to go by itself, if that is past.
    pub expired: Option<String>,
}

/// Something in a resource of this stack that is none of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreign {
    /// What it would be called: its kind and id.
    pub address: ResourceAddress,
    /// The resource it is in.
    pub container: ResourceAddress,
    /// What it is in a few words: `tcp 3306/3306 from 10.0.0.0/8`.
    pub words: String,
    /// The stack it belongs to, when another one made it.
    pub stack: Option<String>,
    /// What is needed to remove it.
    pub found: Observation,
    /// What its container's end does to it.
    pub tie: Tie,
}

/// How a foreign thing hangs on the resource it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tie {
    /// It goes when the resource goes, and is no more than a part of it.
    Part,
    /// It stands in the way of the resource's end, or would be lost with it.
    InTheWay,
}

/// A map by address and field, written as a list: the keys of a JSON object are texts.
mod computed {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::base::word::{Word, word};
    use crate::resource::ResourceAddress;

    type Computed = BTreeMap<(ResourceAddress, Word), String>;

    pub(super) fn serialize<S: Serializer>(map: &Computed, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map.iter().map(|((address, field), value)| (address, field, value)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Computed, D::Error> {
        let rows = Vec::<(ResourceAddress, String, String)>::deserialize(deserializer)?;
        Ok(rows.into_iter().map(|(address, field, value)| ((address, word(field)), value)).collect())
    }
}
