//! A small Socket.IO client: Engine.IO 4 and Socket.IO 5 over WebSocket, on any byte stream.
//!
//! It speaks text packets on one namespace, which is what the chatroom uses; it answers pings while it is asked for
//! events. Not here: long-polling, binary packets, reconnecting by itself.

mod client;
mod packet;

pub use client::{Client, ClientError, Event};
pub use packet::{EnginePacket, Handshake, Packet, PacketError};
