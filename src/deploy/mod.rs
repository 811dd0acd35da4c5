//! Puts Redis and the chat node on hosts, over SSH.
//!
//! 1. [`Program`] is the binary, an [`Artifact`] for each processor; [`facts()`] says what the host is, and so which one
//!    it is given; the two are compared before anything is uploaded.
//! 2. [`redis::install`] and [`node::prepare`] with what follows it are sequences of steps, each of which finds out
//!    whether it is already done: run again after a cut at any point, they go on from there and end in the same state.
//! 3. What is in force on a host is written there last (`redis.json`, the `current` link), so an observation never
//!    claims more than was reached.
//!
//! `rehearsal` goes through all of it without doing anything, to say beforehand what would be done.
//!
//! A host is worked on by one operator at a time, and no command of one who died does harm later: `step` says how.
//!
//! Command lines are built in `command`, files in `template`; both are pure. Secrets travel in files of mode 0600
//! and on standard input, never in arguments, notes or errors.

use std::sync::Arc;

mod artifact;
mod command;
mod error;
mod facts;
mod host;
mod inspect;
mod kernel;
pub mod node;
mod observe;
mod package;
mod program;
pub mod redis;
pub mod rehearsal;
mod step;
mod template;
mod unit;
pub mod vitals;

pub use artifact::{Architecture, Artifact, ArtifactError};
pub use error::{DeployError, Trouble};
pub use facts::{Facts, PackageManager, facts};
pub use host::Host;
pub use observe::observe;
pub use program::Program;

/// Receives progress lines, each a step in words.
pub type Note = Arc<dyn Fn(&str) + Send + Sync>;

#[cfg(test)]
mod tests;
