//! Shows the checks of a verification as named lines with times.

use anstyle::AnsiColor;

use crate::cli::render::count;
use crate::cli::render::progress::seconds;
use crate::verify::{Check, Report, Status};

/// Columns of verdict and name together.
const NAMES: usize = 24;

/// Prints one check.
pub(crate) fn print_check(check: &Check) {
    let (word, style) = match check.status {
        Status::Passed => ("passed", AnsiColor::Green.on_default()),
        Status::Failed => ("FAILED", AnsiColor::Red.on_default().bold()),
        Status::Skipped => ("skipped", AnsiColor::Yellow.on_default()),
    };
    let name = check.id.name();
    let width = NAMES - word.len();
    anstream::println!(
        "  {style}{word}{style:#} {name:width$} {:>7}  {}",
        seconds(check.duration),
        check.sentence
    );
    if let Some(hint) = check.hint.as_ref().filter(|_| check.status == Status::Failed) {
        anstream::println!("         help: {hint}");
    }
}

/// Prints the counts.
pub(crate) fn print_summary(report: &Report) {
    let passed = report.count(Status::Passed);
    let (failed, skipped) = (report.count(Status::Failed), report.count(Status::Skipped));
    anstream::println!(
        "{} passed, {failed} failed, {skipped} skipped in {}",
        count(passed, "check"),
        seconds(report.duration)
    );
}
