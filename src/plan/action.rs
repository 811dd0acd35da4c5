//! What happens to a resource: a closed set, each with the sign people know from Terraform.

use serde::{Deserialize, Serialize};

use crate::base::word::{self, Word};

use crate::base::ids::CloudId;
use crate::resource::{Kind, replacement, tags};

/// What happens to a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed in place.
    Update(Vec<Change>),
    /// It is made anew; [`order`](super::order) says whether the old one goes first or last.
    Replace(Vec<Change>),
    /// It is removed.
    Delete,
    /// Nothing: it is as it shall be.
    Keep,
    /// It is on a host that could not be read; apply will see. The reason.
    Unknown(String),
}

/// A field that is not as it shall be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its name.
    #[serde(deserialize_with = "word::deserialize")]
    pub field: Word,
    /// What it is.
    pub from: String,
    /// What it shall be.
    pub to: String,
    /// Whether it cannot be changed in place.
    pub forces_replacement: bool,
}

/// Stands for a value that only exists once something else has been made.
pub const AFTER_APPLY: &str = "(known after apply)";

impl Change {
    /// For a resource that is there but never became ready.
    pub fn broken() -> Self {
        let (from, to) = ("broken".to_owned(), "ready".to_owned());
        Self { field: replacement::STATE, from, to, forces_replacement: true }
    }

    /// Why it makes the resource anew; none when it is made in place.
    pub fn reason(&self, kind: Kind) -> Option<&'static str> {
        replacement::reason(kind, self.field, (&self.from, &self.to))
    }

    /// Whether it is about a tag that the topology has or had.
    pub fn is_tag(&self) -> bool {
        tags::key(self.field).is_some()
    }

    /// For what lives on a machine that is made anew.
    pub fn of_machine(id: &CloudId) -> Self {
        let (from, to) = (id.to_string(), AFTER_APPLY.to_owned());
        Self { field: replacement::MACHINE, from, to, forces_replacement: true }
    }
}

impl Action {
    /// Its sign.
    pub fn glyph(&self) -> &'static str {
        match self {
            Self::Create => "+",
            Self::Update(_) => "~",
            // Where the old one has to make room; see `Order::glyph`.
            Self::Replace(_) => "-/+",
            Self::Delete => "-",
            Self::Keep => " ",
            Self::Unknown(_) => "?",
        }
    }

    /// Its word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update(_) => "update",
            Self::Replace(_) => "replace",
            Self::Delete => "delete",
            Self::Keep => "keep",
            Self::Unknown(_) => "unknown until apply",
        }
    }

    /// Whether the cloud or a host is known to differ afterwards.
    pub fn is_change(&self) -> bool {
        match self {
            Self::Create | Self::Update(_) | Self::Replace(_) | Self::Delete => true,
            Self::Keep | Self::Unknown(_) => false,
        }
    }

    /// Whether the resource afterwards is another one than before.
    pub fn makes_new(&self) -> bool {
        match self {
            Self::Create | Self::Replace(_) => true,
            Self::Update(_) | Self::Delete | Self::Keep | Self::Unknown(_) => false,
        }
    }

    /// Whether what is there before goes.
    pub fn removes(&self) -> bool {
        match self {
            Self::Delete | Self::Replace(_) => true,
            Self::Create | Self::Update(_) | Self::Keep | Self::Unknown(_) => false,
        }
    }

    /// Whether it changes a field.
    pub fn changes_field(&self, field: &str) -> bool {
        self.changes().iter().any(|change| change.field == field)
    }

    /// Whether it changes one of these fields.
    pub fn changes_any(&self, fields: &[&str]) -> bool {
        fields.iter().any(|field| self.changes_field(field))
    }

    /// Whether it changes a field other than this one.
    pub fn changes_beside(&self, field: &str) -> bool {
        self.changes().iter().any(|change| change.field != field)
    }

    /// Whether tags are all that it changes.
    pub fn changes_tags_alone(&self) -> bool {
        matches!(self, Self::Update(changes) if changes.iter().all(Change::is_tag))
    }

    /// What is not as it shall be.
    pub fn changes(&self) -> &[Change] {
        match self {
            Self::Update(changes) | Self::Replace(changes) => changes,
            Self::Create | Self::Delete | Self::Keep | Self::Unknown(_) => &[],
        }
    }
}
