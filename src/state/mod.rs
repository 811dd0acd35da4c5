//! Layer 2: what we remember, on disk before it is acted upon.
//!
//! The cloud is the truth; this is a fast, fsynced memory of it. [`journal`] is an append-only file of checksummed
//! lines, [`Memory`] is the fold over them, [`lock`] keeps a second command away. The folder can be deleted: the
//! next plan finds everything again by tag and name.
//!
//! Files of a stack, all 0600 in folders 0700, under `.albatross/<account>/<region>/<stack>/`:
//!
//! | file | what |
//! |---|---|
//! | `journal` | a line an event: checksum, blank, JSON |
//! | `lock` | who is at work; `lock.gate` is held while it changes hands |
//! | `secrets/` | secret parameters of calls whose outcome is not known |
//! | `plan` | id of the saved plan that was begun and not finished |
//! | `shared` | how far the journal is known in the bucket that several people share, where there is one |
//!
//! [`shared`] keeps the journal in a bucket, too, and the lock there.
//!
//! Beside the accounts' folders, `.albatross/accounts.json` says which access key belongs to which of them.

pub mod accounts;
pub mod begun;
pub mod error;
pub mod explain;
pub mod journal;
pub mod lock;
pub mod memory;
pub mod shared;
pub mod vault;

pub use error::StateError;
pub use memory::{Identity, Memory, Remembered};
