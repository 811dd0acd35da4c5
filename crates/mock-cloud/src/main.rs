//! The `mock-cloud` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    mock_cloud::cli::run()
}
