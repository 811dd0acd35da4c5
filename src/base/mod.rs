//! Layer 0: imports nothing of ours.

pub mod address_map;
pub mod secret;
