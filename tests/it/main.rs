//! The program from outside, and the house it is built as.

mod architecture;
mod browser;
mod docs;
mod transcripts;
mod walk;
