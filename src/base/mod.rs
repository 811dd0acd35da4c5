//! Layer 0: what everything else stands on. Imports nothing of ours, and is a closed list, not a drawer.

pub mod address;
pub mod address_map;
pub mod bucket;
pub mod certificate;
pub mod chance;
pub mod clock;
pub mod crash_point;
pub mod diagnostic;
pub mod disk;
pub mod durable;
pub mod expiry;
pub mod flow;
pub mod ids;
pub mod operator;
#[cfg(test)]
pub(crate) mod parts;
pub mod resolver;
pub mod retry;
pub mod secret;
pub mod spot;
pub mod tagger;
pub mod usual;
pub mod word;
