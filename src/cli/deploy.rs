//! `albatross deploy FILE`

use crate::cli::apply::bring_about;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::hooks::Phase;
use crate::cli::render::count;
use crate::cli::session::{self, Use};
use crate::cli::topology_file::Located;
use crate::cli::{ChangeArguments, GlobalOptions};
use crate::plan::Plan;
use crate::resource::Kind;

pub(super) async fn run(options: &GlobalOptions, arguments: &ChangeArguments) -> Result<ExitStatus, Failure> {
    arguments.events.open("deploy")?;
    let Located { file, options } = &arguments.topology.locate(options)?;
    let session = session::begin(options, session::load(options, file)?, Use::Change).await?;
    let session = session.with_progress().with_hooks(arguments.hooks);
    let selection = arguments.selection.selection();
    bring_about(&session, Phase::Deploy, arguments.yes.into(), selection, only_releases).await
}

/// What runs on machines may change; machines and the rest must be as the topology says.
fn only_releases(plan: &Plan) -> Result<(), Failure> {
    let is_release = |kind| matches!(kind, Kind::Redis | Kind::Release | Kind::Server);
    let others = plan.steps.iter().filter(|step| step.action.is_change() && !is_release(step.address.kind));
    match others.count() {
        0 => Ok(()),
        number => Err(Failure::saying(
            ExitStatus::Failed,
            format!("{} other than releases would change", count(number, "resource")),
            "run `albatross plan` to see them and `albatross apply` to make the changes",
        )),
    }
}
