//! What the crash harness deploys as the node: a few hundred kilobytes that become the real node at once.
//!
//! Thousands of trials send a node to two machines each. What they prove is the road, whatever its load; with the whole
//! node, half of the processor's time went into hashing, sealing and copying it.

#![expect(clippy::print_stderr, reason = "it is a program, and whoever started it reads its log")]

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

/// The real node, where `tests/crash/programs.rs` puts it.
const NODE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/crash-programs/node/chat-node");

fn main() -> ExitCode {
    let mut node = Command::new(NODE);
    // A node that nobody is on ends at once: thousands are restarted.
    node.env("CHAT_NODE_DRAIN_DELAY", "0s").env("CHAT_NODE_DRAIN_SPREAD", "0s");
    let error = node.args(std::env::args_os().skip(1)).exec();
    eprintln!("cannot become {NODE}: {error}");
    ExitCode::FAILURE
}
