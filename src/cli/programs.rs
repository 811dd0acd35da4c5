//! Finds the two programs that go with this one: beside it, or on the search path.

use std::path::PathBuf;

use crate::cli::environment;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;

/// Path of a program that goes with this one.
///
/// # Errors
/// When it is neither beside this executable nor on the search path.
pub(super) fn find(program: &str) -> Result<PathBuf, Failure> {
    let beside = environment::executable_folder();
    // Tests run from `target/debug/deps`, beside which the programs are one folder up.
    let above = beside.as_ref().and_then(|folder| folder.parent().map(PathBuf::from));
    let folders = beside.into_iter().chain(above).chain(environment::search_path());
    folders.map(|folder| folder.join(program)).find(|path| path.is_file()).ok_or_else(|| {
        Failure::saying(
            ExitStatus::Failed,
            format!("the program `{program}` is neither beside this executable nor on the search path"),
            format!("build it with `cargo build --release -p {program}`"),
        )
    })
}
