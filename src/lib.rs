//! Albatross: one YAML topology in; a running, proven WebSocket service on Alibaba Cloud out.

pub mod apply;
pub mod base;
pub mod cloud;
pub mod deploy;
pub mod plan;
pub mod resource;
pub mod socketio;
pub mod ssh;
pub mod state;
pub mod topology;
pub mod verify;
