//! `albatross validate FILE`

use std::path::PathBuf;

use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::render::count;
use crate::cli::session;

/// Arguments of `validate`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The topology
    file: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let loaded = session::load(&arguments.file)?;
    let topology = &loaded.topology;
    anstream::println!(
        "{} is valid: stack {} in {}, {}, {} as {}",
        loaded.path.display(),
        topology.stack,
        topology.region,
        count(topology.instances.len(), "instance"),
        count(topology.node.on.len(), "node"),
        topology.url(),
    );
    Ok(ExitStatus::Done)
}
