//! The emulated region's program: for now only the supervisor of what runs on its hosts.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("supervise") => mock_cloud::plane::supervise::main(arguments),
        _ => ExitCode::from(64),
    }
}
