//! Layer 4: makes a plan true.
//!
//! The life of one apply:
//!
//! 1. [`recover`] asks about calls whose outcome an earlier command did not live to hear, with the same tokens, and
//!    waits for what was still being made;
//! 2. [`refresh`] reads the cloud and the hosts; the planner turns that into a plan;
//! 3. [`engine`] walks the plan, as much at once as its order allows, through the [`provider`];
//! 4. every effect is in the journal before it is sent and after it is known ([`ledger`]).
//!
//! Whatever ends a command, the same command goes on from there.

pub mod adoption;
pub mod engine;
pub mod error;
pub mod event;
pub mod hosts;
pub mod ledger;
pub mod provider;
pub mod recover;
pub mod refresh;
pub mod rehearsal;

pub use engine::{Outcome, apply};
pub use error::ApplyError;
pub use provider::Provider;
