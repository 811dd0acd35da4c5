//! Shows the checks of a verification as named lines with times.

use std::time::Duration;

use anstyle::{AnsiColor, Style};

use crate::cli::render::progress::seconds;
use crate::cli::render::{columns, count, wrapped};
use crate::cli::say;
use crate::cli::typed;
use crate::verify::{Check, Report, Stage, Status};

/// Columns of verdict and name together.
const NAMES: usize = 24;
/// Columns before a sentence: verdict and name, the time, and what is between them.
const BEFORE: usize = NAMES + 13;
/// Columns that a sentence has at least, however narrow the terminal.
const FEWEST: usize = 24;

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
        anstream::println!("         help: {}", hung(&typed::spelled_out(hint), 15));
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
    let sentence = hung(sentence, BEFORE);
    anstream::println!("  {style}{word}{style:#} {name:width$} {:>7}  {sentence}", seconds(duration));
}

/// A text that begins behind so many columns, its further lines below its first. Where lines have no end, neither has
/// it.
fn hung(text: &str, before: usize) -> String {
    columns().map_or_else(|| text.to_owned(), |columns| hung_in(columns, text, before))
}

fn hung_in(columns: usize, text: &str, before: usize) -> String {
    let lines = wrapped(text, columns.saturating_sub(before).max(FEWEST));
    lines.join(&format!("\n{:before$}", ""))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_sentence_goes_on_below_itself() {
        assert_eq!(hung_in(40, "one two three four five six", 10), "one two three four five six");
        assert_eq!(hung_in(36, "one two three four five six", 10), "one two three four five\n          six");
        let narrow = hung_in(10, "one two three four five six", 10);
        assert_eq!(narrow, "one two three four five\n          six", "not a word a line");
    }
}
