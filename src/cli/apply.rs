//! `albatross apply FILE`

use crate::apply::provider::Known;
use crate::apply::recover::{adopt, recover};
use crate::apply::{self, ApplyError, Outcome};
use crate::cli::diff::DiffArguments;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::hooks;
use crate::cli::interrupt::{Stop, command_line};
use crate::cli::outputs;
use crate::cli::plan::look;
use crate::cli::refresh;
use crate::cli::render::{self, count};
use crate::cli::session::{self, Session, Target, Use};
use crate::cli::topology_file::Located;
use crate::cli::{ChangeArguments, GlobalOptions, events, protection, saved, say};
use crate::plan::Plan;
use crate::plan::forecast::forecast;
use crate::plan::graph::operations;
use crate::plan::saved::{Options, is_saved_plan};
use crate::plan::select::Selection;
use crate::resource::observed::{Observed, Output};
use crate::resource::phase::Phase;
use crate::resource::{Kind, ResourceAddress};
use std::io::{BufRead, IsTerminal, Write};

/// Whether somebody is asked before anything changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consent {
    /// Given on the command line.
    Given,
    /// To be asked for.
    Ask,
}

impl From<bool> for Consent {
    fn from(yes: bool) -> Self {
        if yes { Self::Given } else { Self::Ask }
    }
}

/// Arguments of `apply`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    change: ChangeArguments,
    #[command(flatten)]
    diff: DiffArguments,
    /// Take what others have changed into the journal, and change nothing else
    #[arg(long, conflicts_with_all = ["target", "exclude"])]
    refresh_only: bool,
    /// Let the time of instances that expire begin anew
    #[arg(long, conflicts_with = "refresh_only")]
    extend: bool,
}

pub(super) async fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let Arguments { change, diff, refresh_only, extend } = arguments;
    change.events.open("apply")?;
    let Located { file, options } = &change.topology.locate(options)?;
    let consent = Consent::from(change.yes);
    if *refresh_only {
        return refresh::accept(options, session::load(options, file)?, consent).await;
    }
    let bytes = session::read(file)?;
    if is_saved_plan(&bytes) {
        if *extend {
            return Err(Failure::saying(
                ExitStatus::Usage,
                "a saved plan has no time to extend",
                "apply the topology with `--extend` instead",
            ));
        }
        return Box::pin(saved::apply(options, (change, *diff), (file, &bytes))).await;
    }
    let loaded = session::check(options, file, &bytes)?;
    let mut session = session::begin(options, loaded, Use::Change).await?;
    session.desired.extends = *extend;
    let session = session.with_progress().with_hooks(change.hooks).with_diff(*diff);
    let selection = change.selection.selection();
    let is_all = selection.is_all();
    let status = bring_about(&session, hooks::Phase::Apply, consent, selection, |_| Ok(())).await?;
    if is_all && status == ExitStatus::Done {
        print_address(&session).await?;
    }
    Ok(status)
}

/// Recovers, plans, asks and applies, with the hooks of its phase around that; `accept` may refuse a plan.
pub(super) async fn bring_about(
    session: &Session,
    phase: hooks::Phase,
    consent: Consent,
    selection: Selection,
    accept: impl FnOnce(&Plan) -> Result<(), Failure>,
) -> Result<ExitStatus, Failure> {
    go_on(session).await?;
    let (plan, observed) = look(session, &Options { selection, ..Options::default() }).await?;
    adopt(&session.provider, &observed)?;
    accept(&plan)?;
    render::plan::announce(&plan, session.topology.state.as_ref());
    session.diff.print(session, &plan, &observed).await?;
    protection::check(session, &plan)?;
    refresh::spare_others(&plan)?;
    refresh::remember(session, &plan, &observed)?;
    if !plan.has_work() {
        return Ok(nothing_to_do(session, &plan, &observed));
    }
    if !agreed(consent, "Apply these changes?", &session.stop).await? {
        return Ok(ExitStatus::Failed);
    }
    hooks::around(session, phase, &observed, finish(session, &plan, &observed)).await
}

/// Finds out what became of an earlier command.
pub(super) async fn go_on(session: &Session) -> Result<(), Failure> {
    let recovered = session.stop.heard(recover(&session.provider)).await?;
    if recovered.resent + recovered.settled > 0 {
        let (resent, settled) = (recovered.resent, recovered.settled);
        let unfinished = count(resent.max(settled), "step");
        events::tell(&events::Line::Recovered { resent, settled });
        say::narrate(|| {
            say::on_stderr(&format!("going on from an earlier command: {unfinished} it had begun"));
        });
    }
    Ok(())
}

/// How a command ends whose plan is empty.
pub(super) fn nothing_to_do(session: &Session, plan: &Plan, observed: &Observed) -> ExitStatus {
    events::tell_outputs(&session.topology, &observed.outputs());
    // The plan has said so already.
    if say::is_quiet() {
        session.conclude(&render::plan::no_changes(plan));
    }
    ExitStatus::Done
}

/// Makes a plan true; what could not be done is said.
pub(super) async fn carry_out(session: &Session, plan: &Plan, observed: &Observed) -> Result<(), Failure> {
    session.provider.known.replace(Known::from_observed(observed));
    session.begun.begin(session.saved.as_deref())?;
    if let Some(progress) = &session.progress {
        progress.begin(&operations(plan)?, &forecast(plan)?);
    }
    let stop = &session.stop;
    let outcome = stop.heard(apply::apply(plan, &session.provider, stop.token())).await?;
    if outcome.is_complete() {
        session.begun.end()?;
    }
    conclude(outcome, plan, session)
}

/// Says what became of a plan; every failure is shown, the last one ends the command.
fn conclude(outcome: Outcome, plan: &Plan, session: &Session) -> Result<(), Failure> {
    // What was begun may exist, whatever its call was answered.
    let memory = session.provider.ledger.memory();
    let begun = memory.resources.values().any(|remembered| remembered.phase != Phase::Absent);
    let changed = begun || !outcome.done.is_empty() || plan.steps.iter().any(|step| step.current.is_some());
    let not_begun = outcome.not_begun.len();
    sum_up(&outcome, session);
    if outcome.is_complete() {
        return Ok(());
    }
    let any = |is: fn(&ApplyError) -> bool| outcome.failed.iter().any(|failure| is(&failure.error));
    let status = match (any(ApplyError::lost_lock), any(ApplyError::rolled_back), changed) {
        (true, _, _) => ExitStatus::Locked,
        (false, true, _) => ExitStatus::RolledBack,
        (false, false, true) => ExitStatus::PartlyApplied,
        (false, false, false) => ExitStatus::Failed,
    };
    say::alert(&format!(
        "\n{} done, {} failed, {}{not_begun} not begun; the same command goes on from here:\n  {}",
        count(outcome.done.len(), "step"),
        outcome.failed.len(),
        under_way(&outcome),
        command_line(),
    ));
    for failure in outcome.failed {
        render::failure::print(&Failure::of_step(status, &failure.address.to_string(), failure.error));
    }
    Err(Failure::shown(if outcome.interrupted { session.stop.status() } else { status }))
}

/// Says how many steps came to which end, and where the time went.
fn sum_up(outcome: &Outcome, session: &Session) {
    let Some(progress) = &session.progress else { return };
    let times = progress.times();
    events::tell(&events::Line::Summary {
        done: outcome.done.len(),
        failed: outcome.failed.len(),
        under_way: outcome.under_way.len(),
        not_begun: outcome.not_begun.len(),
        seconds: times.took,
        longest: &times.longest,
        critical_path: &times.critical_path,
    });
    say::narrate(|| progress.show_times(&times));
}

/// What the cloud goes on with by itself.
fn under_way(outcome: &Outcome) -> String {
    match outcome.under_way.len() {
        0 => String::new(),
        number => format!("{number} under way in the cloud, "),
    }
}

/// Makes a plan true and says what became of everything.
pub(super) async fn finish(
    session: &Session,
    plan: &Plan,
    observed: &Observed,
) -> Result<ExitStatus, Failure> {
    carry_out(session, plan, observed).await?;
    events::tell_outputs(&session.topology, &session.provider.known.all_outputs());
    say::narrate(|| anstream::println!());
    session.conclude(&render::plan::done(plan));
    Ok(ExitStatus::Done)
}

/// Asks on the terminal; without one and without `--yes` nothing is changed, nor when somebody says stop.
pub(super) async fn agreed(consent: Consent, question: &str, stop: &Stop) -> Result<bool, Failure> {
    if consent == Consent::Given {
        return Ok(true);
    }
    let why = match (say::narrates(), std::io::stdin().is_terminal()) {
        (true, true) => None,
        (true, false) => Some("standard input is not a terminal"),
        (false, _) => Some("what the question is about is not shown, because of --quiet or --json"),
    };
    if let Some(why) = why {
        return Err(Failure::saying(
            ExitStatus::Usage,
            format!("nobody can be asked: {why}"),
            "add --yes to go ahead without a question",
        ));
    }
    anstream::print!("\n{question} [y/N] ");
    let answer = tokio::select! {
        biased;
        () = stop.token().cancelled() => {
            anstream::println!("\nNothing was changed.");
            return Err(Failure::shown(stop.status()));
        }
        answer = line_of_the_terminal() => answer.map_err(|error| Failure::new(ExitStatus::Failed, error, None))?,
    };
    let agreed = matches!(answer.trim(), "y" | "Y" | "yes");
    if !agreed {
        anstream::println!("Nothing was changed.");
    }
    Ok(agreed)
}

/// Read by a thread of its own, since nothing can call it back: it ends with the program.
async fn line_of_the_terminal() -> std::io::Result<String> {
    std::io::stdout().flush()?;
    let (sender, answer) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line).map(|_| line);
        // Nobody waits for it once somebody has said stop.
        let _ = sender.send(read);
    });
    answer.await.unwrap_or_else(|_| Err(std::io::ErrorKind::UnexpectedEof.into()))
}

/// Prints where the chatroom is.
pub(super) async fn print_address(session: &Session) -> Result<(), Failure> {
    if !say::narrates() {
        return Ok(());
    }
    let topology = &session.topology;
    let what = if topology.app.is_some() { "app" } else { "chatroom" };
    anstream::println!("\nThe {what} is at {}", topology.url());
    if let Target::Local(_) = session.target
        && let Some(address) = local_address(session).await
    {
        anstream::println!("On this machine open {address}");
    }
    outputs::print_own(session);
    Ok(())
}

/// Address at which a local cloud's load balancer can be opened in a browser of this machine.
pub(super) async fn local_address(session: &Session) -> Option<String> {
    let balancer = ResourceAddress::only(Kind::LoadBalancer);
    let shown = session.provider.known.output(&balancer, Output::PublicAddress)?;
    let map = session.hosts.address_map().await;
    let listener = &session.topology.load_balancer.listener;
    let reached = map.resolve(shown.parse().ok()?, listener.port).ok()?;
    Some(format!("{}://{reached}/", listener.protocol.scheme()))
}
