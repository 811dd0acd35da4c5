//! `albatross destroy FILE`

use std::time::Duration;

use crate::apply::recover::{adopt, forget_all};
use crate::apply::refresh::{Depth, refresh};
use crate::base::retry::{Backoff, Deadline};
use crate::cli::apply::{Consent, agreed, carry_out, go_on};
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::hooks::{self, Phase};
use crate::cli::render::{self, count};
use crate::cli::session::{self, Session, Use};
use crate::cli::topology_file::Located;
use crate::cli::{ChangeArguments, GlobalOptions, events, plan, protection, say};
use crate::plan::saved::Options;
use crate::plan::select::Selection;
use crate::plan::{Plan, Step};
use crate::resource::ResourceAddress;
use crate::resource::observed::{Observed, Owner};

/// How long lists may show what is gone.
const LAG: Duration = Duration::from_secs(30);

pub(super) async fn run(options: &GlobalOptions, arguments: &ChangeArguments) -> Result<ExitStatus, Failure> {
    arguments.events.open("destroy")?;
    let Located { file, options } = &arguments.topology.locate(options)?;
    let session = session::begin(options, session::load(options, file)?, Use::Remove).await?;
    let session = session.with_progress().with_hooks(arguments.hooks);
    remove_all(&session, arguments.yes.into(), arguments.selection.selection()).await
}

/// Removes everything of the stack and asks the cloud what is left.
pub(super) async fn remove_all(
    session: &Session,
    consent: Consent,
    selection: Selection,
) -> Result<ExitStatus, Failure> {
    go_on(session).await?;
    let how = Options { destroy: true, selection, ..Options::default() };
    let (plan, observed) = plan::look(session, &how).await?;
    adopt(&session.provider, &observed)?;
    render::plan::announce(&plan, session.topology.state.as_ref());
    say::narrate(|| show_adopted(&observed));
    protection::check(session, &plan)?;
    if !plan.has_work() {
        return show_what_is_left(session, &plan, &how.selection).await;
    }
    if !agreed(consent, "Remove all of this?", &session.stop).await? {
        return Ok(ExitStatus::Failed);
    }
    carry_out_removal(session, (&plan, &observed), &how.selection).await
}

/// Removes what a plan says, with the hooks around it.
pub(super) async fn carry_out_removal(
    session: &Session,
    (plan, observed): (&Plan, &Observed),
    selection: &Selection,
) -> Result<ExitStatus, Failure> {
    let work = async {
        carry_out(session, plan, observed).await?;
        say::narrate(|| anstream::println!("\n{}", render::plan::done(plan)));
        show_what_is_left(session, plan, selection).await
    };
    hooks::around(session, Phase::Destroy, observed, work).await
}

/// What was taken over stays when everything goes.
pub(super) fn show_adopted(observed: &Observed) {
    for (address, found) in &observed.resources {
        if found.owner == Owner::Adopted {
            anstream::println!("    adopted, kept: {address} {}", found.id);
        }
    }
}

/// Asks the cloud what is left; what was not asked for may be.
async fn show_what_is_left(
    session: &Session,
    plan: &Plan,
    selection: &Selection,
) -> Result<ExitStatus, Failure> {
    let is_of = |steps: &[Step], address: &ResourceAddress| steps.iter().any(|step| step.address == *address);
    let was_to_go = |address: &ResourceAddress| {
        !is_of(&plan.left_out, address) && (is_of(&plan.steps, address) || selection.names(address))
    };
    let left = session.stop.or(Box::pin(left(session, was_to_go))).await?;
    let kept = plan.left_out.len();
    events::tell(&events::Line::Remaining { kept, left: &left });
    if selection.is_all() {
        session.conclude(&format!("{} left", count(left.len(), "resource")));
    } else {
        session.conclude(&format!("{} kept, {} left beside them", count(kept, "resource"), left.len()));
    }
    if left.is_empty() {
        // What is kept, and what is on it, stays known.
        if selection.is_all() {
            forget_all(&session.provider)?;
        }
        return Ok(ExitStatus::Done);
    }
    for address in &left {
        session.conclude(&format!("  {address}"));
    }
    if let Some(one) = plan.drift.obstacles().next() {
        return Err(Failure::saying(
            ExitStatus::PartlyApplied,
            format!("things of others stand in the way: {}", render::drift::foreign(one)),
            "remove them or take them elsewhere, then run the same command again",
        ));
    }
    Err(Failure::saying(
        ExitStatus::PartlyApplied,
        "the cloud still has resources of this stack",
        "run the same command again",
    ))
}

/// What the cloud still shows of the stack once its lists have caught up.
async fn left(
    session: &Session,
    was_to_go: impl Fn(&ResourceAddress) -> bool,
) -> Result<Vec<String>, Failure> {
    let deadline = Deadline::after(LAG);
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
    loop {
        let observed = refresh(&session.provider, &session.desired, Depth::Cloud).await?;
        let ours = observed.resources.iter().filter(|(_, found)| found.owner == Owner::Stack);
        let ours = ours.filter(|(address, _)| was_to_go(address));
        let left: Vec<String> = ours.map(|(address, found)| format!("{address} {}", found.id)).collect();
        if left.is_empty() || !backoff.wait(&deadline).await {
            return Ok(left);
        }
    }
}
