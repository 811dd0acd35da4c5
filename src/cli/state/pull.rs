//! `albatross state pull FILE`: brings what others wrote into the bucket onto this machine.

use std::time::Duration;

use super::{find, needs_bucket};
use crate::cli::GlobalOptions;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::interrupt;
use crate::cli::render::count;
use crate::cli::stack::show_lock_notice;
use crate::cli::topology_file::{Located, TopologyArgument};
use crate::cli::typed;
use crate::state::lock::{Claim, Lock};
use crate::state::shared::{Opened, pull};

/// Nobody else is kept away: only this machine's file changes, and only its own commands could mind.
pub(super) async fn run(options: &GlobalOptions, argument: &TopologyArgument) -> Result<ExitStatus, Failure> {
    let Located { file, options } = &argument.locate(options)?;
    let (topology, stack) = find(options, file).await?;
    let store = needs_bucket(&topology, &stack)?;
    let claim = Claim::new(&interrupt::command_line(), Duration::from_secs(options.lock_wait));
    let _lock = Lock::take(&stack.folder, &claim, &show_lock_notice).await?;
    let Opened { pulled, pushed, .. } = pull(store, &stack.folder, &stack.identity).await?;
    let place = store.place();
    match pulled {
        0 => anstream::println!("The journal here has all that is in {place}."),
        pulled => anstream::println!("Took {} from {place}.", count(pulled, "line")),
    }
    if pushed > 0 {
        let push = typed::spelled_out("`albatross state push FILE`");
        anstream::println!("{} are here only; {push} puts them there.", count(pushed, "line"));
    }
    Ok(ExitStatus::Done)
}
