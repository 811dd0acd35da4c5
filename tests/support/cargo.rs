//! Building programs from inside of a test.

use std::process::Command;

/// What cargo tells a program that it runs. Build scripts that look at it would run again for it, and all that depends
/// on them would be built anew.
const OF_THE_TEST: [&str; 2] = ["CARGO_MANIFEST_", "CARGO_PKG_"];

/// `cargo build` of these programs and test targets of the whole workspace, as it would be from outside of the test.
#[expect(clippy::disallowed_methods, reason = "the environment is what is to be cleaned")]
pub(crate) fn cargo_build(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--quiet", "--workspace", "--bins", "--locked"]).args(arguments);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    for (name, _) in std::env::vars() {
        if OF_THE_TEST.iter().any(|start| name.starts_with(start)) {
            command.env_remove(name);
        }
    }
    command
}
