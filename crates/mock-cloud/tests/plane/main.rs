//! Tests of the data plane, driven by the real clients: OpenSSH, dig, redis, hyper.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod balance;
#[path = "../shared/balancer.rs"]
mod balancer;
mod commands;
mod death;
mod faults;
mod files;
mod names;
mod redis;
mod services;
mod support;
#[path = "../shared/waiting.rs"]
mod waiting;
