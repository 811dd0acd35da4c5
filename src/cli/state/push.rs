//! `albatross state push FILE`: puts what only this machine has into the bucket that the state is shared in.

use super::{find, needs_bucket};
use crate::cli::GlobalOptions;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Stop;
use crate::cli::render::count;
use crate::cli::shared;
use crate::cli::topology_file::{Located, TopologyArgument};

pub(super) async fn run(options: &GlobalOptions, argument: &TopologyArgument) -> Result<ExitStatus, Failure> {
    let Located { file, options } = &argument.locate(options)?;
    let (topology, stack) = find(options, file).await?;
    let store = needs_bucket(&topology, &stack)?;
    let stop = Stop::listen()?;
    let (_guard, journal, opened) = stack.lock_saying(options, &stop).await?;
    if opened.merged.is_some() {
        shared::show(&opened, store.place());
    }
    let place = store.place();
    if opened.pushed == 0 {
        anstream::println!("{place} has all that is here: {}.", count(lines(journal.sequence()), "line"));
    } else {
        anstream::println!("Put {} into {place}.", count(opened.pushed, "line"));
    }
    Ok(ExitStatus::Done)
}

/// How many lines there ever were.
fn lines(sequence: u64) -> usize {
    usize::try_from(sequence).unwrap_or(usize::MAX)
}
