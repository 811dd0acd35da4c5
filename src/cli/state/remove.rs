//! `albatross state rm FILE ADDRESS`: forgets what is, and touches nothing of it.

use super::{OneArguments, find, find_one};
use crate::cli::GlobalOptions;
use crate::cli::apply::agreed;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Stop;
use crate::state::Remembered;
use crate::state::journal::Event;

/// Arguments of `state rm`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  albatross state rm chatroom.yaml record.main")]
pub(super) struct Arguments {
    #[command(flatten)]
    one: OneArguments,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let one = &arguments.one;
    let (topology, stack) = find(options, &one.file).await?;
    let stop = Stop::listen()?;
    let (_lock, mut journal) = stack.lock(options, &stop).await?;
    let remembered = find_one(journal.memory(), one)?.clone();
    let Some(id) = remembered.phase.id().filter(|_| !journal.memory().is_under_way(&one.address)) else {
        return Err(under_way(one));
    };
    let question = format!("Forget {}, which is {id} in stack {}?", one.address, topology.stack);
    if !agreed(arguments.yes.into(), &question, &stop).await? {
        return Ok(ExitStatus::Failed);
    }
    journal.append(Event::Forgotten { address: one.address.clone() })?;
    anstream::println!("Forgot {}. It stays in the cloud as it is: {id}.", one.address);
    anstream::println!("{}", way_back(one, &remembered));
    Ok(ExitStatus::Done)
}

/// What a call makes would be lost if nobody remembered it.
fn under_way(one: &OneArguments) -> Failure {
    Failure::saying(
        ExitStatus::Failed,
        format!("a call for {} is under way, and nobody knows yet what became of it", one.address),
        format!(
            "run `albatross apply {}`, or the command that was interrupted: it finds out; then forget it",
            one.file.display()
        ),
    )
}

/// How the resource comes back into the journal.
fn way_back(one: &OneArguments, remembered: &Remembered) -> String {
    let id = remembered.phase.id().map(ToString::to_string).unwrap_or_default();
    let adopt = format!("`albatross adopt {} {}={id}`", one.file.display(), one.address);
    if remembered.adopted {
        return format!(
            "It was adopted, and nothing in the cloud says whose it is: the next plan may make another beside it.\n\
             {adopt} takes it over again."
        );
    }
    format!(
        "The next plan finds it again by its tag, and the next apply writes it down again. If that tag is gone,\n\
         {adopt} takes it over."
    )
}
