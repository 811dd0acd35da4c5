//! Shows what the doctor found: a line a finding, the next step below what is not as it should be.

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use crate::cli::render::count;
use crate::cli::topology_file::TopologyArgument;
use crate::doctor::{Finding, Report, Status};
use crate::topology::model::Topology;

/// Columns in front of a finding's text.
const MARGIN: usize = 21;

/// Prints one finding.
pub(crate) fn print(finding: &Finding) {
    let style = match finding.status {
        Status::Ok => AnsiColor::Green.on_default(),
        Status::Warn => AnsiColor::Yellow.on_default(),
        Status::Fail => AnsiColor::Red.on_default().bold(),
        Status::NotAsked | Status::NotReached => Style::new(),
    };
    let (word, name) = (finding.status.word(), finding.check.name());
    let sentence = match finding.status {
        Status::Ok | Status::Warn | Status::Fail => finding.sentence.clone(),
        Status::NotAsked | Status::NotReached => format!("{word}: {}", finding.sentence),
    };
    let word = match finding.status {
        Status::Ok | Status::Warn | Status::Fail => word,
        Status::NotAsked | Status::NotReached => "-",
    };
    anstream::println!("  {style}{word:4}{style:#} {name:12}  {}", indented(&sentence));
    if let Some(next) = &finding.next {
        anstream::println!("{:MARGIN$}next: {}", "", indented(next));
    }
}

/// A text whose further lines stand below its first one, so that none looks like a check of its own.
fn indented(text: &str) -> String {
    text.replace('\n', &format!("\n{:MARGIN$}", ""))
}

/// Prints the last sentence.
pub(crate) fn print_summary(report: &Report, topology: &TopologyArgument) {
    anstream::println!("{}", summary(report, topology));
}

fn summary(report: &Report, topology: &TopologyArgument) -> String {
    let unasked = report.count(Status::NotAsked);
    let unasked = if unasked == 0 { String::new() } else { format!(", {unasked} not asked") };
    match report.first_failure() {
        None => {
            let warnings = count(report.count(Status::Warn), "warning");
            format!(
                "Nothing is known to stand in the way ({warnings}{unasked}): `{}`.",
                topology.typed("albatross apply")
            )
        }
        Some(first) => format!(
            "{} to mend{unasked}: begin with `{}`, then run `{}` again.",
            count(report.count(Status::Fail), "finding"),
            first.check.name(),
            topology.typed("albatross doctor")
        ),
    }
}

/// The report as JSON.
pub(crate) fn to_json(topology: &Topology, report: &Report) -> Value {
    let finding = |finding: &Finding| {
        json!({
            "check": finding.check.name(),
            "status": finding.status,
            "sentence": finding.sentence,
            "next": finding.next,
        })
    };
    json!({
        "version": 1,
        "stack": topology.stack,
        "region": topology.region,
        "good": report.is_good(),
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::CheckId;

    #[test]
    fn the_last_sentence_says_what_to_type() {
        let mut report = Report::default();
        report.findings.push(Finding::not_asked(CheckId::Quota, "no permission"));
        let topology = TopologyArgument::given("chat.yaml");
        assert_eq!(
            summary(&report, &topology),
            "Nothing is known to stand in the way (0 warnings, 1 not asked): `albatross apply chat.yaml`."
        );
        report.findings.push(Finding::fail(CheckId::Domain, "it is not there", "add it"));
        assert_eq!(
            summary(&report, &topology),
            "1 finding to mend, 1 not asked: begin with `domain`, then run `albatross doctor chat.yaml` again."
        );
    }
}
