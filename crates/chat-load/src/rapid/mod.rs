//! Clients that do next to nothing with what they hear, so that one thread carries more of it than any server sends: for
//! the benches.
//!
//! 1. [`room`] connects them, lets some of them speak, and reads all of them in one thread;
//! 2. [`client`] is one connection: from its first byte into the room, and frames read where they lie ([`frames`]);
//! 3. [`stamp`] is the text of a message, by which a delivery is known without a parser of JSON;
//! 4. [`tally`] counts what was lost, doubled or out of order; [`histogram`] counts how long it took;
//! 5. [`pace`] says when the next message is due, where they come at a rate.

mod client;
pub mod frames;
pub mod histogram;
mod pace;
pub mod room;
pub mod stamp;
pub mod tally;
