//! The protocols themselves, against small applications on our own layers: every case of the suites that are published
//! with Engine.IO 4 and Socket.IO 5, and what those leave open.

mod engine_close;
mod engine_handshake;
mod engine_heartbeat;
mod engine_messages;
mod engine_upgrade;
mod frames;
mod limits;
mod origins;
mod queues;
mod server;
mod socket_connect;
mod socket_messages;
mod wire;
