//! A verified SSH session to one host, over libssh2.
//!
//! 1. [`Route`] says where a host is and through which other hosts it is reached; [`Session::connect`] walks it.
//! 2. The host key is compared with the pinned ones before anything is authenticated; nothing is ever trusted on
//!    first use, on no hop.
//! 3. [`Command`] is an argument vector, quoted in one place (`quote`), run by [`Session::run`] or [`Session::check`].
//! 4. [`Session::converse`] starts a program that somebody sits at, with a terminal or without.
//! 5. [`Session::upload`] moves bytes under a new name, compares the checksum on the host and moves them into place.
//!    [`Session::send`] does so with a large file: compressed (`packed`), and from where an earlier try was cut.
//! 6. [`Session::look`] runs several commands in one round trip (`look`).
//! 7. Who is no root goes through [`Sudo`]; the password for it is input, never an argument.
//! 8. Keys are unlocked from their text or stay with an agent ([`agent`]); [`KnownHosts`] reads what an operator knows.
//!
//! libssh2 blocks and knows no overall deadline. So each session has a thread that owns it and drives it in its
//! non-blocking mode (`link`); the waiting is ours, therefore every operation ends at its deadline: the socket is
//! shut and whoever waits is told which operation it was. A session whose operation ran out of time is over.
//!
//! Not here: where keys and passwords come from, retries.

pub mod agent;
mod command;
mod conversation;
mod dial;
mod error;
mod job;
mod key;
mod known_hosts;
mod link;
mod look;
mod packed;
mod quote;
mod route;
mod sending;
mod session;
mod sudo;
mod transfer;
mod tunnel;

pub use command::{Command, Output};
pub use conversation::{Conversation, Program, Size, Terminal};
pub use error::SshError;
pub use key::{HostKey, Identity, KeyError, KeyKind};
pub use known_hosts::{Known, KnownHosts};
pub use packed::{Packed, Sent};
pub use quote::quote;
pub use route::{Limits, Route, Voucher};
pub use session::Session;
pub use sudo::Sudo;

#[cfg(test)]
mod tests;
