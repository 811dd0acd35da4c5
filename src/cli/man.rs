//! `albatross man [--into FOLDER]`: manual pages, from the same words as `--help`.

use std::path::{Path, PathBuf};

use clap_mangen::Man;

use crate::base::durable::FileError;
use crate::cli::examples;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Write a page of each command into this folder, which is made if need be; default: print the first page
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitStatus, Failure> {
    match &arguments.into {
        Some(folder) => write(folder).map_err(|error| {
            let hint = "name a folder that you may write to";
            Failure::new(ExitStatus::Failed, error, Some(hint.to_owned()))
        })?,
        None => anstream::print!("{}", first_page()),
    }
    Ok(ExitStatus::Done)
}

/// `help` says nothing that a page does not.
fn command() -> clap::Command {
    examples::command().disable_help_subcommand(true)
}

/// The page of `albatross` itself, which names the others.
fn first_page() -> String {
    let mut page = Vec::new();
    Man::new(command()).render(&mut page).expect("memory takes all that is written to it");
    String::from_utf8_lossy(&page).into_owned()
}

fn write(folder: &Path) -> Result<(), FileError> {
    std::fs::create_dir_all(folder).map_err(FileError::new("create", folder))?;
    clap_mangen::generate_to(command(), folder).map_err(FileError::new("write into", folder))
}
