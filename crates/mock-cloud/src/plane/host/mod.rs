//! Process hosts: each instance is an embedded SSH server with SFTP over its own root directory.
//!
//! 1. [`Machine`] is one host: files, services, programs; [`Fleet`] is all of them.
//! 2. `ssh` lets clients in, `sftp` serves files, `programs` is everything that can be executed.
//! 3. `service` runs units as real processes under the supervisor; `timer` those that are no process.
//! 4. `ordeal` does to a host what faults want.
//!
//! No shell is ever started, and no path leaves the root.

mod console;
mod fleet;
mod journal;
mod keeper;
mod launch;
pub(crate) mod machine;
mod notify;
mod ordeal;
pub(crate) mod outcome;
mod packages;
pub(crate) mod process;
mod programs;
pub(crate) mod root;
mod service;
mod sftp;
pub(crate) mod ssh;
mod timer;
mod unit;
mod vigil;
mod words;

pub(crate) use fleet::Fleet;
pub(crate) use machine::Machine;
