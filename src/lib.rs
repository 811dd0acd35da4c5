//! Albatross: one YAML topology in; a running, proven WebSocket service on Alibaba Cloud out.

pub mod base;
pub mod deploy;
pub mod socketio;
pub mod ssh;
pub mod verify;
