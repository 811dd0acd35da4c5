//! `albatross --version`: the versions of the three programs that go together. `-V` is that of this one.

use std::process::Command;

use crate::cli::programs;

/// What `--version` says behind the name of this program.
pub(super) fn of_all() -> String {
    let others = ["mock-cloud", "chat-node"].map(of_program);
    [env!("CARGO_PKG_VERSION").to_owned()].into_iter().chain(others).collect::<Vec<_>>().join("\n")
}

/// `chat-node 0.1.0 (/usr/bin/chat-node)`, or why nobody knows.
fn of_program(name: &str) -> String {
    let Ok(path) = programs::find(name) else {
        return format!("{name}: neither beside this executable nor on the search path");
    };
    let place = path.display();
    match Command::new(&path).arg("--version").output() {
        Ok(output) if output.status.success() => {
            format!("{} ({place})", String::from_utf8_lossy(&output.stdout).trim())
        }
        Ok(output) => format!("{name}: {place} does not tell its version ({})", output.status),
        // One for another processor, for example, which is good for hosts all the same.
        Err(error) => format!("{name}: {place} cannot be run here: {error}"),
    }
}
