//! Tests of machine hosts: real Debians under `systemd-nspawn`, entered by OpenSSH and by the Cloud Assistant.
//!
//! They need root and the programs that machines are run with; the image is built by the first of them when it is not
//! there. What is missing fails them under CI, and is told by name elsewhere.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod balance;
#[path = "../shared/balancer.rs"]
mod balancer;
mod boot;
mod death;
mod faults;
mod groups;
mod image;
mod life;
mod redis;
mod support;
#[path = "../shared/waiting.rs"]
mod waiting;
