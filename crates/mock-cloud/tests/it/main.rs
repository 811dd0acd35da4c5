//! The cloud from outside: a real process, real HTTP, and a signer that shares no code with the one under test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod certificates;
mod errors;
mod lifetime;
mod lists;
mod model;
mod redis;
mod redis_time;
mod road;
mod signatures;
mod support;
mod tokens;
