//! `albatross schema [--out FILE]`: what a topology may say, for editors.

use std::path::PathBuf;

use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::init::write;
use crate::topology::json_schema::json_schema;

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Write it into this file; default: print it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let text = format!("{:#}\n", json_schema());
    match &arguments.out {
        Some(path) => write(path, &text).map_err(|error| {
            let hint = "name a file in a folder that you may write to";
            Failure::new(ExitStatus::Failed, error, Some(hint.to_owned()))
        })?,
        None => anstream::print!("{text}"),
    }
    Ok(ExitStatus::Done)
}
