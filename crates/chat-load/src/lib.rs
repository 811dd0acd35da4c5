//! Clients of the chatroom in great number, cheap enough that a machine carries thousands beside the room itself.
//!
//! 1. [`client`] is one of them: a Socket.IO client over WebSocket that comes back as the bundled page does;
//! 2. [`crowd`] lets many in, and waits until they have heard everything;
//! 3. [`judge`] holds what all of them heard against what was said;
//! 4. [`rapid`] is other clients, for the benches: they stay only while nothing fails, and cost next to nothing.

pub mod client;
pub mod crowd;
pub mod judge;
pub mod rapid;
