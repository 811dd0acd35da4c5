//! `albatross plan FILE`

use std::path::PathBuf;

use crate::apply::refresh::{Depth, refresh};
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::session::{self, Session, Use};
use crate::cli::{GlobalOptions, render, saved, selection};
use crate::plan::saved::{Options, Source};
use crate::plan::{self, Plan};
use crate::resource::observed::Observed;

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The topology
    #[arg(required_unless_present = "show", conflicts_with = "show")]
    file: Option<PathBuf>,
    /// Print the plan as JSON
    #[arg(long)]
    json: bool,
    /// Exit with 2 when there are changes, 0 when there are none
    #[arg(long)]
    detailed_exitcode: bool,
    /// Plan to remove everything
    #[arg(long, conflicts_with = "show")]
    destroy: bool,
    #[command(flatten)]
    selection: selection::SelectionArguments,
    /// Save the plan; `apply` takes it in place of a topology and does exactly its steps
    #[arg(long, value_name = "PLAN", conflicts_with = "show")]
    out: Option<PathBuf>,
    /// Print a saved plan again; nothing else is looked at
    #[arg(long, value_name = "PLAN", conflicts_with_all = ["target", "exclude"])]
    show: Option<PathBuf>,
}

pub(super) async fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let plan = match (&arguments.file, &arguments.show) {
        (Some(file), _) => new(options, arguments, file).await?,
        (None, Some(show)) => again(arguments, show)?,
        (None, None) => unreachable!("one of the two is required"),
    };
    let pending = arguments.detailed_exitcode && plan.has_changes();
    Ok(if pending { ExitStatus::ChangesPending } else { ExitStatus::Done })
}

async fn new(
    options: &GlobalOptions,
    arguments: &Arguments,
    file: &std::path::Path,
) -> Result<Plan, Failure> {
    let loaded = session::load(file)?;
    let source = Source { path: file.to_string_lossy().into_owned(), text: loaded.text.clone() };
    if let Some(out) = &arguments.out {
        saved::check_place(out)?;
    }
    let access = if arguments.destroy { Use::Look } else { Use::Plan };
    let session = session::begin(options, loaded, access).await?;
    let how = Options {
        destroy: arguments.destroy,
        selection: arguments.selection.selection(),
        local: options.local,
        address: options.endpoint.clone().filter(|_| !options.local),
    };
    let (plan, observed) = look(&session, &how).await?;
    if arguments.json {
        anstream::println!("{:#}", render::plan::to_json(&plan));
    } else {
        render::plan::print(&plan);
    }
    if let Some(out) = &arguments.out {
        let saved = saved::of(&session, source, how, (plan.clone(), observed));
        saved::write(out, &saved)?;
    }
    Ok(plan)
}

/// Prints a saved plan.
fn again(arguments: &Arguments, path: &std::path::Path) -> Result<Plan, Failure> {
    let saved = saved::read(path)?;
    if arguments.json {
        anstream::println!("{:#}", render::saved::to_json(&saved));
    } else {
        render::saved::print(&saved);
    }
    Ok(saved.plan)
}

/// Reads what there is and plans what would change.
pub(super) async fn look(session: &Session, how: &Options) -> Result<(Plan, Observed), Failure> {
    // What is on a machine goes with it.
    let depth = if how.destroy { Depth::Cloud } else { Depth::CloudAndHosts };
    let reading = refresh(&session.provider, &session.desired, depth);
    let observed = session.stop.or(async { Ok(reading.await?) }).await?;
    let (stack, region) = (&session.topology.stack, &session.topology.region);
    let plan = if how.destroy {
        plan::make_destroy(stack, region, &observed)
    } else {
        plan::make(stack, region, &session.desired, &observed)
    };
    Ok((how.selection.of(plan, &session.desired)?, observed))
}
