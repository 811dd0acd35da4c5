//! `albatross validate FILE`

use crate::cli::GlobalOptions;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::render::count;
use crate::cli::session;
use crate::cli::topology_file::TopologyArgument;
use crate::topology::model::Topology;

/// Arguments of `validate`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    topology: TopologyArgument,
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let loaded = session::load(options, &arguments.topology.locate(options)?.file)?;
    anstream::println!("{} is valid: {}", loaded.path.display(), summary(&loaded.topology));
    Ok(ExitStatus::Done)
}

/// `stack chatroom in cn-hangzhou, 3 instances, 2 nodes as http://example.com:5000/`
pub(super) fn summary(topology: &Topology) -> String {
    format!(
        "stack {} in {}, {}, {} as {}",
        topology.stack,
        topology.region,
        count(topology.instances.len(), "instance"),
        count(topology.node.on.len(), "node"),
        topology.url(),
    )
}
