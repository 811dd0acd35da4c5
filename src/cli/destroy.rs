//! `albatross destroy FILE`

use std::time::Duration;

use crate::apply::recover::{adopt, forget_all, recover};
use crate::apply::refresh::{Depth, refresh};
use crate::base::retry::{Backoff, Deadline};
use crate::cli::apply::{Consent, agreed, carry_out};
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::render::{self, count, progress};
use crate::cli::session::{self, Session, Use};
use crate::cli::{ChangeArguments, GlobalOptions, protection};
use crate::plan;
use crate::resource::observed::Owner;

/// How long lists may show what is gone.
const LAG: Duration = Duration::from_secs(30);

pub(super) async fn run(options: &GlobalOptions, arguments: &ChangeArguments) -> Result<ExitStatus, Failure> {
    let session = session::begin(options, session::load(&arguments.file)?, Use::Remove).await?;
    let session = session.with_sink(progress::sink());
    remove_all(&session, arguments.yes.into()).await
}

/// Removes everything of the stack and asks the cloud what is left.
pub(super) async fn remove_all(session: &Session, consent: Consent) -> Result<ExitStatus, Failure> {
    session.stop.heard(recover(&session.provider)).await?;
    let reading = refresh(&session.provider, &session.desired, Depth::Cloud);
    let observed = session.stop.or(async { Ok(reading.await?) }).await?;
    adopt(&session.provider, &observed)?;
    let plan = plan::make_destroy(&session.topology.stack, &session.topology.region, &observed);
    render::plan::print(&plan);
    protection::check(session, &plan)?;
    if plan.has_work() {
        if !agreed(consent, "Remove all of this?", &session.stop).await? {
            return Ok(ExitStatus::Failed);
        }
        carry_out(session, &plan, &observed).await?;
    }
    let left = session.stop.or(left(session)).await?;
    anstream::println!("{} left", count(left.len(), "resource"));
    if left.is_empty() {
        forget_all(&session.provider)?;
        return Ok(ExitStatus::Done);
    }
    for address in &left {
        anstream::println!("  {address}");
    }
    Err(Failure::saying(
        ExitStatus::PartlyApplied,
        "the cloud still has resources of this stack",
        "run the same command again",
    ))
}

/// What the cloud still shows of the stack once its lists have caught up.
async fn left(session: &Session) -> Result<Vec<String>, Failure> {
    let deadline = Deadline::after(LAG);
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
    loop {
        let observed = refresh(&session.provider, &session.desired, Depth::Cloud).await?;
        let ours = observed.resources.iter().filter(|(_, found)| found.owner == Owner::Stack);
        let left: Vec<String> = ours.map(|(address, found)| format!("{address} {}", found.id)).collect();
        if left.is_empty() || !backoff.wait(&deadline).await {
            return Ok(left);
        }
    }
}
