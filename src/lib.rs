//! Albatross: one YAML topology in; a running, proven WebSocket service on Alibaba Cloud out.

pub mod base;
pub mod cloud;
pub mod plan;
pub mod resource;
pub mod state;
pub mod topology;
