//! Shows saved plans, and why one must not be carried out any more.

use serde_json::{Value, json};

use crate::cli::render::plan;
use crate::plan::saved::SavedPlan;
use crate::plan::saved::difference::Difference;
use crate::topology;

const BOLD: anstyle::Style = anstyle::Style::new().bold();

/// Prints a saved plan as it was printed when it was made.
pub(crate) fn print(saved: &SavedPlan) {
    anstream::println!("Made {} by albatross {} from {}", made(saved), saved.program, saved.topology.path);
    anstream::println!("For account {} at {}\n", saved.origin.account, saved.origin.endpoint);
    let topology = topology::load(saved.topology.text.as_bytes()).ok();
    plan::print(&saved.plan, topology.as_ref().and_then(|topology| topology.state.as_ref()));
}

/// The plan as JSON, with what it was made for and from.
pub(crate) fn to_json(saved: &SavedPlan) -> Value {
    let mut json = plan::to_json(&saved.plan);
    json["saved"] = json!({
        "program": saved.program,
        "made": saved.made,
        "origin": saved.origin,
        "options": saved.options,
        "topology": saved.topology,
        "fingerprint": saved.fingerprint,
    });
    json
}

/// Prints what is not as it was, resource by resource.
pub(crate) fn print_differences(saved: &SavedPlan, differences: &[Difference]) {
    anstream::eprintln!("The plan was made {}. Since then this has changed:\n", made(saved));
    let mut subject = "";
    for difference in differences {
        if subject != difference.subject {
            subject = &difference.subject;
            anstream::eprintln!("  {BOLD}{subject}{BOLD:#}");
        }
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
        anstream::eprintln!(
            "    {}: planned: {}; now: {}",
            difference.field,
            shown(&difference.planned),
            shown(&difference.now)
        );
    }
    anstream::eprintln!();
}

fn made(saved: &SavedPlan) -> String {
    saved.made.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
