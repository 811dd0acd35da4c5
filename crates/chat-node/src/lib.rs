//! The chatroom that Albatross deploys: Socket.IO clients on one side, one Redis Stream on the other.
//!
//! The life of a message:
//! 1. [`chat`] takes it from a client in the order it was sent and hands it to [`bus`].
//! 2. [`bus::writer`] appends it to the stream `chat:messages`; a failure is told to the sender.
//! 3. [`bus::tail`] of every node, this one included, reads the stream and gives it to [`room`].
//! 4. [`room`] emits it to each client of this node, and cuts those that do not keep up.
//!
//! Nothing is delivered on a shortcut past the stream, so all clients of all nodes see one order.
//!
//! Around that: [`server`] (HTTP routes, start, drain), [`link`] (the accepted TCP connections), [`health`]
//! (probes and metrics), [`page`] (the browser's side), [`config`] and [`wording`] (every sentence a client reads).

pub mod bus;
pub mod chat;
pub mod config;
pub mod engine_io;
pub mod health;
pub mod http;
pub mod link;
pub mod metrics;
pub mod page;
pub mod room;
pub mod server;
pub mod session_id;
pub mod socket_io;
pub mod wording;

pub use config::{Config, Limits, NodeId, RedisAddress};
pub use server::serve;
pub use session_id::SessionId;
