//! An emulated Alibaba Cloud region.
//!
//! From the socket inwards:
//! 1. [`server`] listens, keeps the call log and answers the admin endpoints under `/_mock/`;
//! 2. [`wire`] decodes a request into flat parameters and encodes replies and errors as JSON or XML;
//! 3. [`auth`] verifies both signature versions from the bytes that arrived;
//! 4. [`facts`] checks parameters against the embedded table of the official metadata;
//! 5. [`api`] holds one handler an action, one group of actions a file; [`oss`] is the product with an API of its own;
//! 6. [`world`] is the state behind them: a pure model in logical time, without sockets or clocks;
//! 7. [`plane`] is the data plane, told of the world after every change;
//! 8. [`image`] builds what machine hosts are made of;
//! 9. [`gates`] counts what both are made to do, and holds it when a test asks for that.

pub mod api;
pub mod auth;
pub mod cli;
pub mod facts;
pub mod gates;
pub mod image;
pub mod oss;
pub mod plane;
pub mod secret;
pub mod server;
pub mod wire;
pub mod world;
