//! `albatross plan FILE`

use std::path::PathBuf;

use crate::apply::refresh::{Depth, refresh};
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::render;
use crate::cli::session::{self, Session, Use};
use crate::cli::{GlobalOptions, protection};
use crate::plan::{self, Plan};

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
}

pub(super) async fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let session = session::begin(options, session::load(&arguments.file)?, Use::Plan).await?;
    let plan = make(&session).await?;
    if arguments.json {
        anstream::println!("{:#}", render::plan::to_json(&plan));
    } else {
        render::plan::print(&plan);
    }
    protection::check(&session, &plan)?;
    let pending = arguments.detailed_exitcode && plan.has_changes();
    Ok(if pending { ExitStatus::ChangesPending } else { ExitStatus::Done })
}

/// Reads what there is and plans what would change.
pub(super) async fn make(session: &Session) -> Result<Plan, Failure> {
    let observed = refresh(&session.provider, &session.desired, Depth::CloudAndHosts).await?;
    let topology = &session.topology;
    Ok(plan::make(&topology.stack, &topology.region, &session.desired, &observed))
}
