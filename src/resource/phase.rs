//! The life of one resource as the journal knows it. The journal and the engine both speak it.
//!
//! ```text
//!           intend            accept            ready
//!   Absent ───────▶ Intended ───────▶ Accepted ───────▶ Ready
//!     ▲                │ refuse           │ taint          │ intend (update)
//!     └────────────────┘                  ▼                ▼
//!     ▲              remove            Tainted          Ready
//!     └──────────────── from every phase with an id
//! ```

use serde::{Deserialize, Serialize};

use crate::base::ids::{ClientToken, CloudId};

/// Where a resource is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not there, as far as we know.
    #[default]
    Absent,
    /// A call to make it is about to be sent, or was: nobody knows.
    Intended(ClientToken),
    /// The cloud gave it an id; it is being made.
    Accepted(CloudId),
    /// It is as it shall be.
    Ready(CloudId),
    /// It is there and broken: the next apply makes it anew.
    Tainted(CloudId),
}

/// What happens to a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// A call is about to be sent.
    Intend(ClientToken),
    /// The cloud refused it for good.
    Refuse,
    /// The cloud gave it an id.
    Accept(CloudId),
    /// It is as it shall be.
    Ready,
    /// It will never be ready.
    Taint,
    /// It is gone.
    Remove,
}

/// A happening that cannot happen in a phase: the journal was not written by this program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{happening} cannot follow {phase}")]
pub struct IllegalTransition {
    phase: &'static str,
    happening: &'static str,
}

impl Phase {
    /// The id, when it has one.
    pub fn id(&self) -> Option<&CloudId> {
        match self {
            Self::Absent | Self::Intended(_) => None,
            Self::Accepted(id) | Self::Ready(id) | Self::Tainted(id) => Some(id),
        }
    }

    /// The phase after a happening.
    ///
    /// # Errors
    /// When it cannot happen in this phase.
    pub fn on(self, happening: &Happening) -> Result<Self, IllegalTransition> {
        let illegal = IllegalTransition { phase: self.word(), happening: happening.word() };
        match (self, happening) {
            (Self::Absent | Self::Intended(_), Happening::Intend(token)) => Ok(Self::Intended(token.clone())),
            (Self::Intended(_), Happening::Refuse) => Ok(Self::Absent),
            // Found by tag after a crash, or already there: accepted without an intent of this journal.
            (_, Happening::Accept(id)) => Ok(Self::Accepted(id.clone())),
            (Self::Accepted(id) | Self::Ready(id), Happening::Ready) => Ok(Self::Ready(id)),
            // An update of what is there: the id stays, and what was not ready is not so for that.
            (Self::Ready(id), Happening::Intend(_) | Happening::Refuse) => Ok(Self::Ready(id)),
            (Self::Accepted(id), Happening::Intend(_) | Happening::Refuse) => Ok(Self::Accepted(id)),
            (Self::Accepted(id) | Self::Ready(id) | Self::Tainted(id), Happening::Taint) => {
                Ok(Self::Tainted(id))
            }
            (_, Happening::Remove) => Ok(Self::Absent),
            (Self::Absent | Self::Tainted(_), Happening::Refuse)
            | (Self::Absent | Self::Intended(_) | Self::Tainted(_), Happening::Ready)
            | (Self::Absent | Self::Intended(_), Happening::Taint)
            | (Self::Tainted(_), Happening::Intend(_)) => Err(illegal),
        }
    }

    /// In a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Intended(_) => "intended",
            Self::Accepted(_) => "accepted",
            Self::Ready(_) => "ready",
            Self::Tainted(_) => "tainted",
        }
    }
}

impl Happening {
    fn word(&self) -> &'static str {
        match self {
            Self::Intend(_) => "intend",
            Self::Refuse => "refuse",
            Self::Accept(_) => "accept",
            Self::Ready => "ready",
            Self::Taint => "taint",
            Self::Remove => "remove",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_phase_and_happening() {
        let id = || CloudId::new("vpc-1");
        let token = || ClientToken::new("t");
        let phases = [
            Phase::Absent,
            Phase::Intended(token()),
            Phase::Accepted(id()),
            Phase::Ready(id()),
            Phase::Tainted(id()),
        ];
        let table = [
            (Happening::Intend(token()), ["intended", "intended", "accepted", "ready", "-"]),
            (Happening::Refuse, ["-", "absent", "accepted", "ready", "-"]),
            (Happening::Accept(id()), ["accepted", "accepted", "accepted", "accepted", "accepted"]),
            (Happening::Ready, ["-", "-", "ready", "ready", "-"]),
            (Happening::Taint, ["-", "-", "tainted", "tainted", "tainted"]),
            (Happening::Remove, ["absent", "absent", "absent", "absent", "absent"]),
        ];
        for (happening, expected) in table {
            let found = phases.clone().map(|phase| phase.on(&happening).map_or("-", |phase| phase.word()));
            assert_eq!(found, expected, "{happening:?}");
        }
    }
}
