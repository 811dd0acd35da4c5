//! Albatross: one YAML topology in; a running, proven WebSocket service on Alibaba Cloud out.
//!
//! The map, from the top; imports go down only, and `tests/it/architecture.rs` holds the table:
//!
//! - [`cli`] parses, prints and exits: one verb a file;
//! - [`apply`] reads what there is, walks a plan and journals every effect;
//! - [`deploy`] puts releases on machines, [`verify`] proves from outside that they work,
//!   [`diagnosis`] asks the cloud and the hosts why they do not;
//! - [`doctor`] asks the cloud beforehand whether a topology can become real;
//! - [`cost`] asks it what a topology costs, [`policy`] tells what it has to be allowed;
//! - [`plan`] is the pure middle: a topology and what was observed go in, a plan comes out;
//! - [`cloud`], [`ssh`], [`state`] and [`socketio`] are adapters that do not know each other;
//! - [`topology`] is what people write, [`resource`] what we believe;
//! - [`base`] is what all of them stand on.
//!
//! Reading order: [`topology::load`], [`plan::make`], [`apply::engine`], then whatever a step of yours calls.

#![cfg_attr(
    test,
    expect(clippy::disallowed_methods, reason = "tests write files, read CI and wait for processes")
)]

pub mod apply;
pub mod base;
pub mod cli;
pub mod cloud;
pub mod cost;
pub mod deploy;
pub mod diagnosis;
pub mod doctor;
pub mod plan;
pub mod policy;
pub mod resource;
pub mod socketio;
pub mod ssh;
pub mod state;
pub mod topology;
pub mod verify;
