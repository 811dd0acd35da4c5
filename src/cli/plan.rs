//! `albatross plan FILE`

use std::path::PathBuf;

use crate::apply;
use crate::apply::refresh::Depth;
use crate::cli::GlobalOptions;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::refresh::{self, RefreshArguments};
use crate::cli::render;
use crate::cli::session::{self, Session, Use};
use crate::plan::{self, Plan};
use crate::resource::observed::Observed;

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The topology
    file: PathBuf,
    /// Print the plan as JSON
    #[arg(long)]
    json: bool,
    /// Exit with 2 when there are changes, 0 when there are none
    #[arg(long)]
    detailed_exitcode: bool,
    #[command(flatten)]
    refresh: RefreshArguments,
}

pub(super) async fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    arguments.refresh.check()?;
    let loaded = session::load(&arguments.file)?;
    if arguments.refresh.refresh_only {
        return refresh::show(options, loaded, arguments.json, arguments.detailed_exitcode).await;
    }
    let session = session::begin(options, loaded, Use::Plan).await?;
    let observed = arguments.refresh.observe(&session, Depth::CloudAndHosts).await?;
    let plan = make(&session, &observed);
    if arguments.json {
        anstream::println!("{:#}", render::plan::to_json(&plan));
    } else {
        render::plan::print(&plan);
    }
    let pending = arguments.detailed_exitcode && plan.has_changes();
    Ok(if pending { ExitStatus::ChangesPending } else { ExitStatus::Done })
}

/// Reads what there is and plans what would change.
///
/// # Errors
/// When the cloud cannot be asked.
pub(super) async fn look(session: &Session) -> Result<Plan, Failure> {
    let observed = apply::refresh::refresh(&session.provider, &session.desired, Depth::CloudAndHosts).await?;
    Ok(make(session, &observed))
}

/// Plans what would change.
pub(super) fn make(session: &Session, observed: &Observed) -> Plan {
    let topology = &session.topology;
    plan::make(&topology.stack, &topology.region, &session.desired, observed)
}
