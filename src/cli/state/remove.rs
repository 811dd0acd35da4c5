//! `albatross state rm FILE ADDRESS`: forgets what is, and touches nothing of it.

use super::{OneArguments, find, find_one};
use crate::apply::adoption::has_a_list;
use crate::cli::GlobalOptions;
use crate::cli::apply::agreed;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Stop;
use crate::resource::Kind;
use crate::state::Remembered;
use crate::state::journal::Event;

/// Arguments of `state rm`.
#[derive(Debug, clap::Args)]
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
    let address = &one.address;
    let mark = match (has_a_list(address.kind), address.kind == Kind::Record) {
        (true, true) => "its remark",
        (true, false) => "its tag",
        // What has no list of its own is read where it is.
        (false, _) => "what it is in",
    };
    let again = if remembered.adopted {
        "It was adopted, and nothing in the cloud says whose it is: the next plan may make another beside it."
            .to_owned()
    } else {
        format!("The next plan finds it again by {mark}, and the next apply writes it down again.")
    };
    let Some(id) = remembered.phase.id().filter(|_| has_a_list(address.kind) && !address.is_deposed()) else {
        return again;
    };
    let adopt = format!("`albatross adopt {} {address}={id}`", one.file.display());
    let when = if remembered.adopted { "To take it over again" } else { "Should that be gone" };
    format!("{again}\n{when}: {adopt}.")
}
