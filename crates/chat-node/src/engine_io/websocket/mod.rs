//! WebSocket (RFC 6455) as a transport: the codec, the opening handshake, and the task that drives a connection.
//!
//! No extension is offered: compressing each message for each client would cost more than it saves here.

pub mod connection;
pub mod frame;
pub mod handshake;
mod parting;
pub mod reader;
mod scratch;
mod writer;
