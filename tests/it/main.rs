//! The program from outside, and the house it is built as.

#![expect(clippy::disallowed_methods, reason = "tests write files and read CI and the search path")]

mod architecture;
mod browser;
mod docs;
mod transcripts;
mod walk;
