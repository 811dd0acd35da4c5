//! The cloud from outside: a real process, real HTTP, and a signer that shares no code with the one under test.

mod errors;
mod lifetime;
mod lists;
mod model;
mod road;
mod signatures;
mod support;
mod tokens;
