//! Engine.IO 4: sessions with a client, over WebSocket or long-polling, and the move from one to the other.
//!
//! 1. [`requests`] takes an HTTP request of the path and opens a session, or finds the one it belongs to.
//! 2. [`session`] is what the layer above sends to: a bounded queue and a state.
//! 3. [`polling`] and [`websocket`] carry what is queued to the client, and bring what it sends to the [`Receiver`].
//! 4. [`registry`] knows all sessions, and sees to it that each end is told once.
//!
//! `heartbeat` has the clocks of both, `upgrade` the move from the one to the other. [`packet`] and [`encoded`] are the two directions of the packet codec; [`close`] has the reasons of an end.

pub mod close;
pub mod counts;
pub mod encoded;
mod heartbeat;
pub mod packet;
mod polling;
pub mod registry;
pub mod requests;
pub mod session;
mod upgrade;
pub mod websocket;

pub use close::CloseReason;
pub use encoded::{Encoded, TextPacket};
pub use packet::Message;
pub use requests::{Application, Body, Engine, Refusal};
pub use session::{Permit, Place, Receiver, Sent, Session, Settings, Visitor};
