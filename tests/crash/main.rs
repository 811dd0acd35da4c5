//! Kills.
fn main() {}
