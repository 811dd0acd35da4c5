//! What happens while a plan is made true, for whoever shows it.

use std::sync::Arc;
use std::time::Duration;

use crate::plan::graph::Verb;
use crate::resource::ResourceAddress;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Work on a resource began.
    Started {
        /// Which one.
        address: ResourceAddress,
        /// What.
        verb: Verb,
        /// The word for it: `create`, `update`, `delete`.
        word: &'static str,
    },
    /// A word about how far it is.
    Noted {
        /// Which one.
        address: ResourceAddress,
        /// What.
        text: String,
    },
    /// It waits for the cloud: at each new state, and every few seconds while nothing changes.
    Waiting {
        /// Which one.
        address: ResourceAddress,
        /// What is waited for: `Running`, `removal`.
        condition: &'static str,
        /// What was seen last.
        state: String,
        /// For how long.
        waited: Duration,
    },
    /// Work on a resource ended well.
    Finished {
        /// Which one.
        address: ResourceAddress,
        /// What.
        verb: Verb,
        /// Its id.
        id: Option<String>,
        /// How long it took.
        took: Duration,
    },
    /// Somebody said stop: the cloud goes on with it, and the next command waits for it.
    Left {
        /// Which one.
        address: ResourceAddress,
        /// What was waited for.
        condition: &'static str,
        /// How long it took so far.
        took: Duration,
    },
    /// Work on a resource failed; the error is in the outcome.
    Failed {
        /// Which one.
        address: ResourceAddress,
        /// How long it took.
        took: Duration,
    },
}

/// Takes events. Shared by everything that is at work at once.
pub type Sink = Arc<dyn Fn(Event) + Send + Sync>;
