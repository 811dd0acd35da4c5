//! What an apply of a plan will ask of the cloud, and how long that will take.
//!
//! For each operation, in the order of [`graph`](super::graph): the calls that change something, in their order, and
//! what is waited for. A walk of the graph in usual durations then gives the moment each begins, and which of them
//! decide when all is done. Nobody waits for a forecast: it is for people, and for tests that hold apply to it.

mod schedule;
mod work;

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Serialize, Serializer};

pub use self::schedule::AT_ONCE;
pub use self::work::{Lane, Wait};
use crate::base::usual::{self, Basis};
use crate::plan::Plan;
use crate::plan::graph::{Cycle, Verb, operations};
use crate::resource::ResourceAddress;

/// Calls of a command before its plan is there, when there is nothing yet: who the account is, one list for each kind
/// that is tagged, and the records of the name.
const READ_NOTHING: usize = 9;
/// The same when there is something: its disks, the newest image of their family, servers and listeners too; whose the
/// key is is known by then.
const READ_STACK: usize = 12;

/// What is expected of one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// To which resource.
    pub address: ResourceAddress,
    /// Which half of its step.
    pub verb: Verb,
    /// The operation whose calls do this one too; none when it has calls of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with: Option<ResourceAddress>,
    /// The actions that change something, in the order they are called. A refusal that is passed over, such as a type
    /// that is sold out, adds to them.
    pub calls: Vec<&'static str>,
    /// What is waited for, in this order.
    pub waits: Vec<Wait>,
    /// When it begins, from the beginning of the apply.
    #[serde(serialize_with = "seconds", rename = "begins_after_seconds")]
    pub begins: Duration,
    /// How long it takes.
    #[serde(serialize_with = "seconds", rename = "seconds")]
    pub takes: Duration,
    /// The operation whose end it waits for longest.
    #[serde(skip)]
    pub behind: Option<usize>,
}

impl Expected {
    fn ends(&self) -> Duration {
        self.begins + self.takes
    }
}

/// What is expected of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// One for each of the plan's operations, in the order of [`operations`].
    pub operations: Vec<Expected>,
    /// Calls of a command before its plan is there.
    pub read_first: usize,
    /// The operations that decide when all is done: indices, the first one first.
    pub path: Vec<usize>,
}

/// Foretells an apply.
///
/// # Errors
/// When the plan's steps wait for each other; apply says the same.
pub fn forecast(plan: &Plan) -> Result<Forecast, Cycle> {
    let mut expected = Vec::new();
    let (order, steps) = (operations(plan)?, plan.by_address());
    for operation in &order {
        let step = steps.get(&operation.step).copied();
        let (calls, waits) = step.map(|step| work::of(step, operation)).unwrap_or_default();
        let takes = waits.iter().map(|wait| wait.usual.takes).sum::<Duration>()
            + usual::CALL.takes * u32::try_from(calls.len() + waits.len()).unwrap_or(u32::MAX);
        let (address, verb) = (operation.address.clone(), operation.verb);
        let (begins, behind) = (Duration::ZERO, None);
        let with = operation.with.map(|first| order[first].address.clone());
        expected.push(Expected { address, verb, with, calls, waits, begins, takes, behind });
    }
    schedule::lay_out(&order, &mut expected);
    let path = schedule::critical_path(&expected);
    let is_something = plan.steps.iter().any(|step| step.current.is_some());
    let read_first = if is_something { READ_STACK } else { READ_NOTHING };
    Ok(Forecast { operations: expected, read_first, path })
}

impl Forecast {
    /// How many calls change something.
    pub fn changes(&self) -> usize {
        self.operations.iter().map(|one| one.calls.len()).sum()
    }

    /// About how many calls in all: what is read first, what changes something, and a look for each state that is
    /// waited for. Those that wait for the same at the same time are looked at together.
    pub fn calls(&self) -> usize {
        let mut looks = BTreeSet::new();
        for one in &self.operations {
            let mut at = one.begins;
            for wait in &one.waits {
                at += wait.usual.takes;
                let together = (wait.lane, at.as_secs(), wait.lane.alone().then_some(&one.address));
                looks.extend((wait.lane != Lane::Machine).then_some(together));
            }
        }
        self.read_first + self.changes() + looks.len()
    }

    /// How long it takes.
    pub fn takes(&self) -> Duration {
        self.path.last().map(|last| self.operations[*last].ends()).unwrap_or_default()
    }

    /// Whether a duration on the critical path is nobody's observation.
    pub fn is_partly_guessed(&self) -> bool {
        let waits = self.path.iter().flat_map(|index| &self.operations[*index].waits);
        waits.into_iter().any(|wait| wait.usual.basis == Basis::Guessed)
    }
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 10.0).round() / 10.0)
}

#[cfg(test)]
mod tests;
