//! `albatross state list|show|rm|push|pull FILE [ADDRESS]`: what the journal knows. The cloud is not asked; it is the truth.

mod list;
mod pull;
mod push;
mod remove;
mod show;

use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::cli::cloud;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::{Failure, did_you_mean};
use crate::cli::session::{self, Target};
use crate::cli::stack::{self, Stack};
use crate::cli::topology_file::TopologyArgument;
use crate::cli::{GlobalOptions, ShowArguments};
use crate::resource::ResourceAddress;
use crate::resource::phase::Phase;
use crate::state::shared::Store;
use crate::state::{Memory, Remembered};
use crate::topology::model::Topology;

/// Arguments of `state`.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List what the journal knows, with the ids
    List(ShowArguments),
    /// Show all that the journal knows of one resource
    Show(show::Arguments),
    /// Forget one resource; it stays in the cloud as it is
    Rm(remove::Arguments),
    /// Put what only this machine has into the bucket that the state is shared in
    Push(SharedArguments),
    /// Bring what others wrote into that bucket onto this machine
    Pull(SharedArguments),
}

/// Arguments of what is about a shared state.
#[derive(Debug, clap::Args)]
struct SharedArguments {
    #[command(flatten)]
    topology: TopologyArgument,
}

/// Arguments that name one resource of a stack.
#[derive(Debug, clap::Args)]
struct OneArguments {
    /// The topology; always given, as the address stands behind it
    file: PathBuf,
    /// The resource, as `albatross state list` shows it: instance.ecs01
    #[arg(value_parser = str::parse::<ResourceAddress>)]
    address: ResourceAddress,
}

pub(super) async fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    match &arguments.verb {
        Verb::List(arguments) => list::run(options, arguments).await,
        Verb::Show(arguments) => show::run(options, arguments).await,
        Verb::Rm(arguments) => remove::run(options, arguments).await,
        Verb::Push(arguments) => push::run(options, &arguments.topology).await,
        Verb::Pull(arguments) => pull::run(options, &arguments.topology).await,
    }
}

/// The stack of a topology. A local cloud is not started for it: what nobody runs has no state.
async fn find(options: &GlobalOptions, file: &Path) -> Result<(Topology, Stack), Failure> {
    let topology = session::load(options, file)?.topology;
    let target =
        if options.local { Target::Local(Box::new(cloud::running(options).await?)) } else { Target::Remote };
    let stack = stack::find(options, &topology, &target).await?;
    Ok((topology, stack))
}

/// The bucket of a stack that is shared.
fn needs_bucket<'s>(topology: &Topology, stack: &'s Stack) -> Result<&'s Store, Failure> {
    stack.store.as_ref().ok_or_else(|| {
        Failure::saying(
            ExitStatus::Usage,
            format!(
                "the state of {} is not shared: it is in `{}` alone",
                topology.stack,
                stack.folder.display()
            ),
            "write where it is to be shared into the topology: `state: oss://BUCKET/PREFIX`",
        )
    })
}

/// What is known of a resource that is there or may be; what was removed has left nothing but counters.
fn known(memory: &Memory) -> impl Iterator<Item = (&ResourceAddress, &Remembered)> {
    memory.resources.iter().filter(|(_, remembered)| remembered.phase != Phase::Absent)
}

/// What is known of one resource.
fn find_one<'m>(memory: &'m Memory, one: &OneArguments) -> Result<&'m Remembered, Failure> {
    let found = known(memory).find(|(address, _)| **address == one.address);
    found.map(|(_, remembered)| remembered).ok_or_else(|| {
        let list = format!("`albatross state list {}` lists what it knows", one.file.display());
        let names: Vec<String> = known(memory).map(|(address, _)| address.to_string()).collect();
        let hint = did_you_mean(&one.address.to_string(), names.iter().map(String::as_str), list);
        Failure::saying(ExitStatus::Failed, format!("the journal knows no `{}`", one.address), hint)
    })
}

/// Where a resource is in its life, in words.
fn words(memory: &Memory, address: &ResourceAddress, remembered: &Remembered) -> String {
    let mut words = vec![remembered.phase.word()];
    words.extend(remembered.adopted.then_some("(adopted)"));
    words.extend(memory.is_under_way(address).then_some("(a call is under way)"));
    words.join(" ")
}
