//! A plan in a file: what was planned, what it was planned from, and for whom, so that it can be applied later as it
//! was looked at, or be refused with what has changed since ([`difference`]).
//!
//! Format, version 1: a line `albatross-plan 1 CHECKSUM`, the checksum being the SHA-256 of all that follows, in hex;
//! then one JSON object, [`SavedPlan`]. It holds no secret.

pub mod difference;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::plan::action::Action;
use crate::plan::saved::difference::{Difference, Planned, differences, differences_beside_progress};
use crate::plan::select::Selection;
use crate::plan::{Plan, Step};
use crate::resource::Kind;
use crate::resource::observed::Observed;

/// What every saved plan begins with; no topology does.
const MARK: &str = "albatross-plan ";

/// The format that is written and read.
const VERSION: u32 = 1;

/// The largest saved plan that is read, in bytes: a few KiB a resource are usual.
pub const LARGEST_FILE: usize = 64 * 1024 * 1024;

/// A plan and what it was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedPlan {
    /// Version of the program that made it.
    pub program: String,
    /// When it was made.
    pub made: Timestamp,
    /// For whom and from what.
    pub origin: Origin,
    /// The topology.
    pub topology: Source,
    /// How it was planned.
    pub options: Options,
    /// The steps.
    pub plan: Plan,
    /// What there was.
    pub observed: Observed,
    /// SHA-256 of what there was, in hex: two worlds that look the same have the same.
    pub fingerprint: String,
}

/// For whom a plan was made, and what beside the world it was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Account in the cloud.
    pub account: String,
    /// Where the cloud is.
    pub endpoint: String,
    /// Lineage of the journal; none when there was no journal yet.
    pub lineage: Option<String>,
    /// Number of the journal's last event; 0 when there was none.
    pub sequence: u64,
    /// SHA-256 of the chat node's binary; none when nothing was to be deployed.
    pub node: Option<String>,
}

/// The text of a topology and where it stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// As it was typed.
    pub path: String,
    /// All of it, with what was put in for variables and references.
    pub text: String,
    /// The options that gave it something, as they were typed.
    #[serde(default)]
    pub given: Vec<String>,
}

/// How a plan was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Whether everything was to be removed.
    pub destroy: bool,
    /// What was asked for.
    pub selection: Selection,
    /// Whether it was for the local cloud of a folder.
    pub local: bool,
    /// The address every call was to be sent to, when one was given.
    pub address: Option<String>,
}

/// Why a file is no saved plan that can be used.
#[derive(Debug, thiserror::Error)]
pub enum SavedPlanError {
    /// Its checksum is wrong.
    #[error("it is damaged, or was changed by hand: its checksum is wrong")]
    Damaged,
    /// A newer program made it.
    #[error("it is of format {version}, and this program reads format {VERSION}")]
    Newer {
        /// Its format.
        version: u32,
    },
    /// Its checksum is right, but a program of the same format would not have written it.
    #[error("it cannot be read")]
    Unreadable(#[source] serde_json::Error),
}

impl SavedPlanError {
    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::Newer { .. } => {
                "use the version of Albatross that made it, or plan again with this one: `albatross plan --out`"
            }
            Self::Damaged | Self::Unreadable(_) => "plan again: `albatross plan --out`",
        }
        .to_owned()
    }
}

/// Whether a file is a saved plan, going by how it begins.
pub fn is_saved_plan(bytes: &[u8]) -> bool {
    bytes.starts_with(MARK.as_bytes())
}

impl SavedPlan {
    /// The text of its file.
    pub fn encode(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("keys are texts");
        let body = format!("{json}\n");
        format!("{MARK}{VERSION} {}\n{body}", digest(body.as_bytes()))
    }

    /// Reads the content of a file.
    ///
    /// # Errors
    /// When it is damaged, or from a newer program.
    pub fn decode(bytes: &[u8]) -> Result<Self, SavedPlanError> {
        let rest = bytes.strip_prefix(MARK.as_bytes()).ok_or(SavedPlanError::Damaged)?;
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or(SavedPlanError::Damaged)?;
        let (line, body) = (&rest[..end], &rest[end + 1..]);
        let line = std::str::from_utf8(line).map_err(|_| SavedPlanError::Damaged)?;
        let (version, checksum) = line.split_once(' ').ok_or(SavedPlanError::Damaged)?;
        match version.parse::<u32>() {
            Ok(VERSION) if checksum == digest(body) => {
                serde_json::from_slice(body).map_err(SavedPlanError::Unreadable)
            }
            Ok(version) if version > VERSION => Err(SavedPlanError::Newer { version }),
            Ok(_) | Err(_) => Err(SavedPlanError::Damaged),
        }
    }

    /// Why it must not be carried out any more: all that is not as it was; nothing when these are its very steps. When
    /// it has `begun` to be carried out, what it did itself is no reason.
    pub fn stale(&self, plan: &Plan, observed: &Observed, begun: bool) -> Vec<Difference> {
        let [own, new] = [whoever_looks(&self.plan, plan), whoever_looks(plan, &self.plan)];
        let planned = Planned { plan: &own, observed: &self.observed };
        let now = Planned { plan: &new, observed };
        if begun {
            return differences_beside_progress(planned, now);
        }
        let mut found = differences(planned, now);
        let fingerprint = fingerprint(observed);
        if found.is_empty() && (fingerprint != self.fingerprint || !same_steps(&own, &new)) {
            found.extend(Difference::between("the world", "fingerprint", &self.fingerprint, &fingerprint));
        }
        found
    }

    /// What tells it from every other plan.
    pub fn id(&self) -> String {
        digest(self.encode().as_bytes())
    }
}

/// SHA-256 of what was observed. Why a host cannot be read differs from time to time and says nothing of the world.
pub fn fingerprint(observed: &Observed) -> String {
    let mut observed = observed.clone();
    observed.unknown.values_mut().for_each(String::clear);
    digest(&serde_json::to_vec(&observed).expect("keys are texts"))
}

/// A plan as all operators see it: each would have made the key pair of a key of their own, and one that stays, whoever
/// plans, is that of whoever made it.
fn whoever_looks(plan: &Plan, other: &Plan) -> Plan {
    let mut plan = plan.clone();
    let stays = |step: &Step| step.address.kind == Kind::KeyPair && step.action == Action::Keep;
    if other.steps.iter().chain(&other.left_out).any(stays) {
        let steps = plan.steps.iter_mut().chain(&mut plan.left_out);
        steps.filter(|step| stays(step)).for_each(|step| step.spec = None);
    }
    plan
}

/// What was drifting does not say what is done.
fn same_steps(one: &Plan, other: &Plan) -> bool {
    one.stack == other.stack
        && one.region == other.region
        && [(&one.steps, &other.steps), (&one.left_out, &other.left_out)].into_iter().all(|(one, other)| {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same_step(one, other))
        })
}

/// Why a host cannot be read differs from time to time.
fn is_same_step(one: &Step, other: &Step) -> bool {
    match (&one.action, &other.action) {
        (Action::Unknown(_), Action::Unknown(_)) => {
            Step { action: Action::Keep, ..one.clone() } == Step { action: Action::Keep, ..other.clone() }
        }
        _ => one == other,
    }
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests;
