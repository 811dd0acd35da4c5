//! `albatross plan FILE`

use std::path::{Path, PathBuf};

use crate::cli::diff::{Diff, DiffArguments};
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::refresh::{self, RefreshArguments};
use crate::cli::session::{self, Session, Use};
use crate::cli::topology_file::{Located, TopologyArgument};
use crate::cli::{GlobalOptions, destroy, protection, render, saved, selection};
use crate::plan::saved::{Options, Source};
use crate::plan::{self, Plan};
use crate::resource::observed::Observed;

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    topology: TopologyArgument,
    /// Print the plan as JSON
    #[arg(long)]
    json: bool,
    /// Exit with 2 when there are changes, 0 when there are none
    #[arg(long)]
    detailed_exitcode: bool,
    #[command(flatten)]
    refresh: RefreshArguments,
    #[command(flatten)]
    diff: DiffArguments,
    /// Plan to remove everything
    #[arg(long, conflicts_with_all = ["show", "refresh_only"])]
    destroy: bool,
    #[command(flatten)]
    selection: selection::SelectionArguments,
    /// Save the plan; `apply` takes it in place of a topology and does exactly its steps
    #[arg(long, value_name = "PLAN", conflicts_with_all = ["show", "refresh_only"])]
    out: Option<PathBuf>,
    /// Print a saved plan again; nothing else is looked at
    #[arg(long, value_name = "PLAN", conflicts_with_all = ["file", "target", "exclude", "refresh_only"])]
    show: Option<PathBuf>,
}

pub(super) async fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    arguments.refresh.check()?;
    let plan = if let Some(show) = &arguments.show {
        again(arguments, show)?
    } else {
        let Located { file, options } = &arguments.topology.locate(options)?;
        if arguments.refresh.refresh_only {
            let loaded = session::load(options, file)?;
            return refresh::show(options, loaded, arguments.json, arguments.detailed_exitcode).await;
        }
        new(options, arguments, file).await?
    };
    let pending = arguments.detailed_exitcode && plan.has_changes();
    Ok(if pending { ExitStatus::ChangesPending } else { ExitStatus::Done })
}

async fn new(options: &GlobalOptions, arguments: &Arguments, file: &Path) -> Result<Plan, Failure> {
    let loaded = session::load(options, file)?;
    let source = Source {
        path: file.to_string_lossy().into_owned(),
        text: loaded.text.text().to_owned(),
        given: options.inputs.words(),
    };
    if let Some(out) = &arguments.out {
        arguments.refresh.must_look("a saved plan is compared with what is there")?;
        saved::check_place(out)?;
    }
    if arguments.diff.diff() == Diff::Full {
        arguments.refresh.must_look("what is done on hosts follows from what is there")?;
    }
    let access = if arguments.destroy { Use::Look } else { Use::Plan };
    let session = session::begin(options, loaded, access).await?;
    let how = Options {
        destroy: arguments.destroy,
        selection: arguments.selection.selection(),
        local: options.local,
        address: options.endpoint.clone().filter(|_| !options.local),
    };
    let observed = arguments.refresh.observe(&session, arguments.destroy).await?;
    let plan = make(&session, &how, &observed)?;
    let rehearsed = arguments.diff.diff().rehearse(&session, &plan, &observed).await?;
    if arguments.json {
        let mut json = render::plan::to_json(&plan);
        if let Some(rehearsed) = &rehearsed {
            json["hosts"] = render::deeds::to_json(rehearsed);
        }
        anstream::println!("{json:#}");
    } else {
        render::plan::print(&plan, session.topology.state.as_ref());
        if let Some(rehearsed) = &rehearsed {
            render::deeds::print(rehearsed);
        }
        if arguments.destroy {
            destroy::show_adopted(&observed);
        }
    }
    protection::check(&session, &plan)?;
    if let Some(out) = &arguments.out {
        let saved = saved::of(&session, source, how, (plan.clone(), observed));
        saved::write(out, &saved)?;
    }
    Ok(plan)
}

/// Prints a saved plan.
fn again(arguments: &Arguments, path: &Path) -> Result<Plan, Failure> {
    let saved = saved::read(path)?;
    if arguments.json {
        anstream::println!("{:#}", render::saved::to_json(&saved));
    } else {
        render::saved::print(&saved);
    }
    Ok(saved.plan)
}

/// Reads what there is and plans what would change.
///
/// # Errors
/// When the cloud cannot be asked, or a pattern fits no resource.
pub(super) async fn look(session: &Session, how: &Options) -> Result<(Plan, Observed), Failure> {
    let reading = refresh::observe(session, how.destroy);
    let observed = session.stop.or(reading).await?;
    Ok((make(session, how, &observed)?, observed))
}

/// Plans what would change.
///
/// # Errors
/// When a pattern fits no resource.
pub(super) fn make(session: &Session, how: &Options, observed: &Observed) -> Result<Plan, Failure> {
    let (stack, region) = (&session.topology.stack, &session.topology.region);
    let plan = if how.destroy {
        plan::make_destroy(stack, region, observed)
    } else {
        plan::make(stack, region, &session.desired, observed)
    };
    Ok(how.selection.of(plan, &session.desired)?)
}
