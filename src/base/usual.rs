//! How long things usually take on the real cloud: data, each with where it is known from.
//!
//! The planner adds them up, and whoever polls uses them to know when a look is worth a call. Nothing waits for as
//! long as it says here: a faster cloud is not slowed down, and a slower one has its deadline.

use std::time::Duration;

use serde::Serialize;

/// Where a duration is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// What Terraform printed in walks that people published.
    Published,
    /// What the documentation says.
    Documented,
    /// Nobody wrote it down; within the limits that the official Terraform provider waits.
    Guessed,
}

/// A duration and where it is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usual {
    /// How long.
    pub takes: Duration,
    /// Known from where.
    pub basis: Basis,
}

const fn published(seconds: u64) -> Usual {
    Usual { takes: Duration::from_secs(seconds), basis: Basis::Published }
}

const fn guessed(seconds: u64) -> Usual {
    Usual { takes: Duration::from_secs(seconds), basis: Basis::Guessed }
}

/// An uploaded certificate until its details are told.
pub const CERTIFICATE: Usual = guessed(1);
/// A VPC until it is Available, or gone.
pub const VPC: Usual = published(5);
/// A vSwitch until it is Available, or gone.
pub const VSWITCH: Usual = published(5);
/// An instance from the call that makes or starts it until it is Running.
pub const INSTANCE_RUNNING: Usual = published(15);
/// An instance until it is Stopped.
pub const INSTANCE_STOPPED: Usual = guessed(20);
/// A released instance until it is gone.
pub const INSTANCE_GONE: Usual = published(8);
/// The Cloud Assistant after its instance is Running.
pub const ASSISTANT: Usual = guessed(10);
/// A short command of the Cloud Assistant.
pub const INVOCATION: Usual = guessed(2);
/// A load balancer until it is Active.
pub const LOAD_BALANCER_ACTIVE: Usual = guessed(30);
/// A load balancer until it is gone.
pub const LOAD_BALANCER_GONE: Usual = guessed(20);
/// What a load balancer made for itself in the VPC, after it is gone.
pub const INTERFACES_GONE: Usual = guessed(60);
/// A server group after it was made, or after a change of it or of its servers.
pub const SERVER_GROUP: Usual = guessed(8);
/// A listener until it is Running, or gone.
pub const LISTENER: Usual = guessed(8);
/// Servers until a listener sends them traffic: two good probes, one a second, and a little for the probes themselves.
pub const HEALTHY: Usual = Usual { takes: Duration::from_millis(1_030), basis: Basis::Documented };
/// A machine that runs until it can be logged into.
pub const LOGIN: Usual = guessed(5);
/// Redis from the distribution's packages, until it answers.
pub const REDIS: Usual = guessed(20);
/// A managed Redis from the call that makes it until it is Normal.
pub const REDIS_NORMAL: Usual = guessed(240);
/// A managed Redis until it is Normal again after a change of its settings.
pub const REDIS_CHANGED: Usual = guessed(10);
/// A deleted managed Redis until it is gone.
pub const REDIS_GONE: Usual = guessed(30);
/// An account of a managed Redis until it can be used.
pub const REDIS_ACCOUNT: Usual = guessed(10);
/// A release, from its upload until it is ready.
pub const RELEASE: Usual = guessed(8);
/// One call of the API, there and back.
pub const CALL: Usual = Usual { takes: Duration::from_millis(200), basis: Basis::Guessed };
