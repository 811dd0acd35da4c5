//! A plan that would delete or replace what the topology protects is refused before anything changes.

use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::render;
use crate::cli::session::Session;
use crate::plan::Plan;
use crate::plan::action::Action;
use crate::plan::protect::{Refusal, refusals};

/// Lets a plan through that ends nothing protected.
///
/// # Errors
/// With exit status 1, one error for each resource: why it would go, and the line that protects it.
pub(super) fn check(session: &Session, plan: &Plan) -> Result<(), Failure> {
    let refused = refusals(&session.topology, plan);
    if refused.is_empty() {
        return Ok(());
    }
    for refusal in &refused {
        render::failure::print(&failure(session, plan, refusal));
    }
    Err(Failure::shown(ExitStatus::Failed))
}

fn failure(session: &Session, plan: &Plan, refusal: &Refusal) -> Failure {
    let Refusal { address, verb, field } = refusal;
    let sentence = format!("{address} is protected, and this plan would {verb} it{}", why(plan, refusal));
    let (path, text) = (session.source.0.display(), &session.source.1);
    let place = text.place_of(field).map_or_else(
        || format!("on the command line, beside {path}"),
        |place| format!("in line {} of {path}", place.line),
    );
    let hint = format!("nothing was changed; if it shall go, set `{field}` to false {place}");
    Failure::saying(ExitStatus::Failed, sentence, hint)
}

/// The changes that force a replacement.
fn why(plan: &Plan, refusal: &Refusal) -> String {
    let step = plan.step(&refusal.address);
    let Some(Action::Replace(changes)) = step.map(|step| &step.action) else {
        return String::new();
    };
    let forcing = changes.iter().filter_map(|change| {
        let reason = change.reason(refusal.address.kind)?;
        Some(format!("{}: {} -> {}, {reason}", change.field, change.from, change.to))
    });
    let forcing: Vec<String> = forcing.collect();
    format!(" ({})", forcing.join("; "))
}
