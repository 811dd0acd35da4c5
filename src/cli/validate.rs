//! `albatross validate FILE`

use crate::cli::GlobalOptions;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::render::count;
use crate::cli::session;
use crate::cli::topology_file::TopologyArgument;

/// Arguments of `validate`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    topology: TopologyArgument,
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let loaded = session::load(options, &arguments.topology.locate(options)?.file)?;
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
