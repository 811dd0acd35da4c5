//! `albatross graph FILE`: the topology as a picture. Nobody is asked: it is what the file says.

use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::topology_file::TopologyArgument;
use crate::cli::{GlobalOptions, picture, session};

/// Arguments of `graph`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    topology: TopologyArgument,
    /// The notation of the picture
    #[arg(long, value_enum, default_value_t = Format::Mermaid)]
    format: Format,
}

/// Notations of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A picture by itself
    Svg,
    /// A flowchart as many pages of documents draw it
    Mermaid,
    /// For Graphviz
    Dot,
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let topology = session::load(options, &arguments.topology.locate(options)?.file)?.topology;
    let picture = picture::planned(&topology);
    let drawn = match arguments.format {
        Format::Svg => picture.to_svg(),
        Format::Mermaid => picture.to_mermaid(),
        Format::Dot => picture.to_dot(),
    };
    anstream::print!("{drawn}");
    Ok(ExitStatus::Done)
}
