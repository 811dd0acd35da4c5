//! What a plan is made from: what there is now, or what was last written down; and taking the one into the other.

use serde_json::json;

use crate::apply::provider::Known;
use crate::apply::recover::{Unmendable, adopt, learn, recover, take_in};
use crate::apply::refresh::{Depth, from_journal, refresh, refresh_to_remove};
use crate::cli::apply::{Consent, agreed};
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::render::{self, count};
use crate::cli::session::{self, Loaded, Session, Use};
use crate::cli::{GlobalOptions, events, say};
use crate::plan::Plan;
use crate::plan::action::Action;
use crate::plan::drift::{Drift, replaces_adopted};
use crate::resource::observed::Observed;

/// Options of `plan` about what it is made from.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct RefreshArguments {
    /// Whether the cloud and the machines are looked at; `false` plans from the journal alone
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, require_equals = true)]
    refresh: bool,
    /// Show what others have changed, and plan nothing
    #[arg(long)]
    pub(super) refresh_only: bool,
}

impl RefreshArguments {
    /// Refuses what contradicts itself.
    ///
    /// # Errors
    /// When nothing but a look is asked for, and no look.
    pub(super) fn check(self) -> Result<(), Failure> {
        if self.refresh || !self.refresh_only {
            return Ok(());
        }
        Err(Failure::saying(
            ExitStatus::Usage,
            "`--refresh-only` looks at what is there, and `--refresh=false` forbids it",
            "leave one of the two out",
        ))
    }

    /// Refuses to look away where what is there will be compared later.
    ///
    /// # Errors
    /// When nothing is looked at.
    pub(super) fn must_look(self, why: &str) -> Result<(), Failure> {
        if self.refresh {
            return Ok(());
        }
        Err(Failure::saying(
            ExitStatus::Usage,
            format!("{why}, and `--refresh=false` does not look"),
            "leave one of the two out",
        ))
    }

    /// What there is, as far as it may be asked.
    ///
    /// # Errors
    /// When the cloud cannot be asked.
    pub(super) async fn observe(self, session: &Session, destroy: bool) -> Result<Observed, Failure> {
        if self.refresh {
            return observe(session, destroy).await;
        }
        Ok(from_journal(&session.provider, &session.desired))
    }
}

/// What there is, as far as it matters for a plan, or for one that removes everything.
///
/// # Errors
/// When the cloud cannot be asked.
pub(super) async fn observe(session: &Session, destroy: bool) -> Result<Observed, Failure> {
    let Session { provider, desired, .. } = session;
    if !destroy {
        return Ok(Box::pin(refresh(provider, desired, Depth::CloudAndHosts)).await?);
    }
    // What is on a machine goes with it; one that was adopted stays, and what we put on it goes.
    let adopted = provider.ledger.memory().resources.into_values().any(|one| one.adopted);
    let depth = if adopted { Depth::CloudAndHosts } else { Depth::Cloud };
    Ok(Box::pin(refresh_to_remove(provider, desired, depth)).await?)
}

/// Looks at what there is, and knows from then on where the machines are.
///
/// # Errors
/// When the cloud cannot be asked.
pub(super) async fn get_to_know(session: &Session, depth: Depth) -> Result<Observed, Failure> {
    let observed = refresh(&session.provider, &session.desired, depth).await?;
    session.provider.known.replace(Known::from_observed(&observed));
    Ok(observed)
}

/// `plan --refresh-only`: shows drift alone.
pub(super) async fn show(
    options: &GlobalOptions,
    loaded: Loaded,
    json: bool,
    detailed_exitcode: bool,
) -> Result<ExitStatus, Failure> {
    let session = session::begin(options, loaded, Use::Plan).await?;
    let observed = refresh(&session.provider, &session.desired, Depth::CloudAndHosts).await?;
    let drift = Drift::of(&observed);
    let topology = &session.topology;
    if json {
        let document = render::plan::drift_to_json(&topology.stack, &topology.region, &drift);
        anstream::println!("{document:#}");
    } else {
        anstream::println!("Stack {} in {}", topology.stack, topology.region);
        print(&drift);
    }
    let pending = detailed_exitcode && !drift.resources.is_empty();
    Ok(if pending { ExitStatus::ChangesPending } else { ExitStatus::Done })
}

fn print(drift: &Drift) {
    render::drift::print(drift);
    if drift.resources.is_empty() {
        anstream::println!("\nNothing was changed outside of Albatross.");
    } else {
        anstream::println!("\n{} not as it was left.", count(drift.resources.len(), "resource"));
    }
}

/// `apply --refresh-only`: what there is is taken into the journal; nothing else changes.
pub(super) async fn accept(
    options: &GlobalOptions,
    loaded: Loaded,
    consent: Consent,
) -> Result<ExitStatus, Failure> {
    let session = session::begin(options, loaded, Use::Change).await?;
    session.stop.heard(recover(&session.provider)).await?;
    let reading = Box::pin(refresh(&session.provider, &session.desired, Depth::CloudAndHosts));
    let observed = session.stop.or(async { Ok(reading.await?) }).await?;
    let drift = Drift::of(&observed);
    events::tell(&events::Line::Drift { drift: json!(drift.resources), foreign: json!(drift.foreign) });
    say::narrate(|| {
        anstream::println!("Stack {} in {}", session.topology.stack, session.topology.region);
        print(&drift);
    });
    if drift.resources.is_empty() {
        adopt(&session.provider, &observed)?;
        return Ok(ExitStatus::Done);
    }
    if !agreed(consent, "Take this into the journal?", &session.stop).await? {
        return Ok(ExitStatus::Failed);
    }
    take_in(&session.provider, &observed)?;
    say::narrate(|| anstream::println!());
    say::outcome("The journal has it; the cloud and the machines are as they were.");
    Ok(ExitStatus::Done)
}

/// Writes down what is as it shall be; the next plan then has nothing to say about it.
///
/// # Errors
/// When the disk refuses.
pub(super) fn remember(session: &Session, plan: &Plan, observed: &Observed) -> Result<(), Failure> {
    let kept = plan.steps.iter().filter(|step| step.action == Action::Keep);
    let kept = kept.map(|step| &step.address);
    Ok(learn(&session.provider, observed, kept, Unmendable::GoesOnShowing)?)
}

/// Refuses a plan that would make anew what was adopted, or what holds something of others.
///
/// # Errors
/// When it would.
pub(super) fn spare_others(plan: &Plan) -> Result<(), Failure> {
    if let Some(one) = plan.drift.obstacles().next() {
        return Err(Failure::saying(
            ExitStatus::Failed,
            format!("{} cannot go: {}, which is not ours", one.container, render::drift::foreign(one)),
            "remove it or take it elsewhere first, or say `exclusive: true`; nothing was changed",
        ));
    }
    let Some(step) = replaces_adopted(&plan.steps) else { return Ok(()) };
    let why: Vec<String> = step
        .action
        .changes()
        .iter()
        .filter(|change| change.forces_replacement)
        .map(|change| format!("{}: {} -> {}", change.field, change.from, change.to))
        .collect();
    Err(Failure::saying(
        ExitStatus::Failed,
        format!("{} was adopted and is never replaced or deleted; {}", step.address, why.join(", ")),
        "make the topology say what is there, or adopt what it stands on as well; nothing was changed",
    ))
}
