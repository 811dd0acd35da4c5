//! `albatross policy FILE`: the least that a RAM user has to be allowed for a topology.

use crate::cli::GlobalOptions;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::session;
use crate::cli::topology_file::{Located, TopologyArgument};
use crate::policy::{self, Part};

/// Arguments of `policy`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    topology: TopologyArgument,
    /// What is to be allowed beside plan, apply, deploy, scale, verify and destroy
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART")]
    also: Vec<Also>,
}

/// What can be allowed beside the usual life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Also {
    /// Change in place what is there, and bring back what others have changed
    Changes,
    /// Ask what `doctor` asks
    Doctor,
    /// Ask what `cost` asks
    Cost,
    /// Make ALB's service-linked role, which is done once for an account
    Role,
}

impl From<Also> for Part {
    fn from(also: Also) -> Self {
        match also {
            Also::Changes => Self::Changes,
            Also::Doctor => Self::Doctor,
            Also::Cost => Self::Cost,
            Also::Role => Self::Role,
        }
    }
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let Located { file, options } = &arguments.topology.locate(options)?;
    let topology = session::load(options, file)?.topology;
    let also = arguments.also.iter().copied().map(Part::from);
    let parts: Vec<Part> = std::iter::once(Part::Life).chain(also).collect();
    anstream::println!("{:#}", policy::document(&topology, &parts));
    Ok(ExitStatus::Done)
}
