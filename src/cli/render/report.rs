//! Shows the checks of a verification as named lines with times.

use std::time::Duration;

use anstyle::{AnsiColor, Style};

use crate::cli::render::count;
use crate::cli::render::progress::seconds;
use crate::cli::say;
use crate::verify::{Check, Report, Stage, Status};

/// Columns of verdict and name together.
const NAMES: usize = 24;

/// Whether a verdict is shown: where all else is quiet only those that are bad news.
fn is_shown(status: Status) -> bool {
    status == Status::Failed || say::narrates()
}

/// Prints one check.
pub(crate) fn print_check(check: &Check) {
    if !is_shown(check.status) {
        return;
    }
    print_line(check.status, check.id.name(), check.duration, &check.sentence);
    if let Some(hint) = check.hint.as_ref().filter(|_| check.status == Status::Failed) {
        anstream::println!("         help: {hint}");
    }
}

/// Prints one phase or control.
pub(crate) fn print_stage(stage: &Stage) {
    if is_shown(stage.status) {
        print_line(stage.status, &stage.name, stage.duration, &stage.sentence);
    }
}

fn print_line(status: Status, name: &str, duration: Duration, sentence: &str) {
    let (word, style) = word(status);
    let width = NAMES - word.len();
    anstream::println!("  {style}{word}{style:#} {name:width$} {:>7}  {sentence}", seconds(duration));
}

/// The word of a verdict and how it is shown.
pub(crate) fn word(status: Status) -> (&'static str, Style) {
    match status {
        Status::Passed => ("passed", AnsiColor::Green.on_default()),
        Status::Failed => ("FAILED", AnsiColor::Red.on_default().bold()),
        Status::Skipped => ("skipped", AnsiColor::Yellow.on_default()),
    }
}

/// `13 checks passed, 0 failed, 3 skipped in 2.1 s`
pub(crate) fn count_words(report: &Report) -> String {
    let passed = count(report.count(Status::Passed), "check");
    let (failed, skipped) = (report.count(Status::Failed), report.count(Status::Skipped));
    format!("{passed} passed, {failed} failed, {skipped} skipped in {}", seconds(report.duration))
}
