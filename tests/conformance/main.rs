//! Other people's clients judge mock-cloud and our own client: builds the programs and runs the cases beside this file.
//!
//! `cargo test --test conformance` runs all of them, `cargo test --test conformance -- PART...` those whose names hold
//! one of the parts. It is not in a plain `cargo test`, since it installs the official SDKs the first time.

#![expect(clippy::print_stderr, reason = "a test says why it failed")]

#[path = "../support/cargo.rs"]
mod cargo;

use std::path::Path;
use std::process::{Command, ExitCode};

use cargo::cargo_build;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("conformance: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every case passed.
fn run() -> std::io::Result<bool> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let albatross = Path::new(env!("CARGO_BIN_EXE_albatross"));
    // With this test, as it was built itself: less would be built anew with other features of the same dependencies.
    let built = cargo_build(&["--test", "conformance"]).status()?;
    if !built.success() {
        return Err(std::io::Error::other("the programs cannot be built"));
    }
    // The others are built beside it.
    let status = Command::new(home.join(".ci/conformance"))
        .args(std::env::args_os().skip(1))
        .env("MOCK_CLOUD", albatross.with_file_name("mock-cloud"))
        .env("ALBATROSS", albatross)
        .current_dir(home)
        .status()?;
    Ok(status.success())
}
