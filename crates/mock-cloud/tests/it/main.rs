//! The cloud from outside: a real process, real HTTP, and a signer that shares no code with the one under test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod addresses;
mod balancer_options;
mod certificates;
mod errors;
mod every_action;
mod ground;
mod lifetime;
mod limits;
mod lists;
mod machines;
mod model;
mod redis;
mod redis_time;
mod replies;
mod road;
mod rules;
mod signatures;
mod support;
mod tokens;
