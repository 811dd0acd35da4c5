//! The chatroom that Albatross deploys: Socket.IO clients on one side, one Redis Stream on the other.
//!
//! The life of a message:
//! 1. [`chat`] takes it from a client in the order it was sent and hands it to [`bus`].
//! 2. [`bus`] appends it to the stream `chat:messages`; a failure is told to the sender.
//! 3. [`bus`] of every node, this one included, reads the stream, remembers it in [`history`] and gives it to [`room`].
//! 4. [`room`] emits it to each client of this node, and cuts those that do not keep up.
//!
//! Nothing is delivered on a shortcut past the stream, so all clients of all nodes see one order.
//!
//! Clients speak [`socket_io`] over [`engine_io`] over [`http`]; who sends how much is watched by [`rate`].
//!
//! Around that: [`server`] (start, drain), [`health`]
//! (probes and metrics), [`page`] (the browser's side), [`systemd`], [`config`] and [`wording`] (every sentence a client reads).

pub mod bus;
pub mod chat;
pub mod config;
pub mod engine_io;
pub mod health;
pub mod history;
pub mod http;
pub mod metrics;
pub mod page;
pub mod rate;
pub mod room;
pub mod server;
pub mod session_id;
pub mod socket_io;
pub mod systemd;
pub mod wording;

pub use bus::RedisAddress;
pub use config::{Config, Limits, NodeId, Recovery};
pub use server::serve;
pub use session_id::SessionId;
