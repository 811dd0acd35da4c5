//! A report for GitHub Actions: annotations that its runner reads from the output of a step, and a summary in Markdown.

use std::fmt::Write as _;
use std::time::Duration;

use super::check::{NOT_REACHED, Status};
use super::report::{Report, shown};

impl Report {
    /// One `::error` line for each check, phase and control that failed by itself; nothing when none did.
    pub fn to_annotations(&self) -> String {
        let mut text = String::new();
        let is_cause = |row: &Row<'_>| row.status == Status::Failed && !row.sentence.starts_with(NOT_REACHED);
        for row in self.rows().filter(is_cause) {
            let title = property(&format!("albatross: {}", row.name));
            let said = match row.hint {
                Some(hint) => format!("{}\nhelp: {hint}", row.sentence),
                None => row.sentence.to_owned(),
            };
            // A line of its own each: the writer of a String never fails.
            let _ = writeln!(text, "::error title={title}::{}", data(&said));
        }
        text
    }

    /// What came of it, in Markdown: counts, a table of the checks, and of what came around them.
    pub fn to_markdown(&self) -> String {
        let word = if self.passed() {
            "The chatroom is proven to work"
        } else {
            "The chatroom is not proven to work"
        };
        let (passed, failed) = (self.count(Status::Passed), self.count(Status::Failed));
        let mut text = format!(
            "## {word}\n\n{passed} checks passed, {failed} failed, {} skipped in {}.\n",
            self.count(Status::Skipped),
            shown(self.duration)
        );
        let checks: Vec<Row<'_>> = self.checks.iter().map(Row::from).collect();
        let phases: Vec<Row<'_>> = self.phases.iter().map(Row::from).collect();
        let controls: Vec<Row<'_>> = self.controls.iter().map(Row::from).collect();
        for (title, rows) in [("Check", checks), ("Phase", phases), ("Broken on purpose", controls)] {
            text.push_str(&table(title, &rows));
        }
        text
    }

    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let stages = self.phases.iter().chain(&self.controls);
        self.checks.iter().map(Row::from).chain(stages.map(Row::from))
    }
}

/// A check or a stage, whichever.
struct Row<'a> {
    name: &'a str,
    status: Status,
    duration: Duration,
    sentence: &'a str,
    hint: Option<&'a str>,
}

impl<'a> From<&'a super::Check> for Row<'a> {
    fn from(check: &'a super::Check) -> Self {
        let hint = check.hint.as_deref();
        Self {
            name: check.id.name(),
            status: check.status,
            duration: check.duration,
            sentence: &check.sentence,
            hint,
        }
    }
}

impl<'a> From<&'a super::Stage> for Row<'a> {
    fn from(stage: &'a super::Stage) -> Self {
        let super::Stage { name, status, sentence, duration } = stage;
        Self { name, status: *status, duration: *duration, sentence, hint: None }
    }
}

fn table(title: &str, rows: &[Row<'_>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut text = format!("\n| | {title} | Took | Seen |\n|---|---|--:|---|\n");
    for Row { name, status, duration, sentence, .. } in rows {
        let sign = match status {
            Status::Passed => "✅ passed",
            Status::Failed => "❌ failed",
            Status::Skipped => "➖ skipped",
        };
        let _ = writeln!(text, "| {sign} | `{name}` | {} | {} |", shown(*duration), cell(sentence));
    }
    text
}

/// Text in a cell of a table: nothing in it is read as Markdown or HTML.
fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\r' => {}
            '\n' => cell.push_str("<br>"),
            '&' => cell.push_str("&amp;"),
            '<' => cell.push_str("&lt;"),
            '>' => cell.push_str("&gt;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '#' | '@' | '!' => {
                // By its number, as a backslash ends what a table takes for one.
                let _ = write!(cell, "&#{};", u32::from(letter));
            }
            other => cell.push(other),
        }
    }
    cell
}

/// The message of a workflow command: what would end its line or begin an escape is escaped.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a workflow command, which ends at a comma or a colon.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check_of, report_of};
    use super::super::{CheckId, Stage};
    use super::*;

    #[test]
    fn each_failure_is_one_line_that_nothing_in_it_can_end() {
        let mut failed = check_of(CheckId::MessageAToB, Status::Failed, "100% lost\r\n::error::no, fine");
        failed.hint = Some("look, at: Redis".to_owned());
        let mut report = report_of(vec![check_of(CheckId::DnsCname, Status::Passed, "good"), failed]);
        report.controls = vec![Stage::new("redis,stopped", Status::Failed, "verify did not notice")];
        report.phases = vec![Stage::not_reached("destroy")];
        assert_eq!(
            report.to_annotations(),
            "::error title=albatross%3A message.a_to_b::100%25 lost%0D%0A::error::no, fine%0Ahelp: look, at: Redis\n\
             ::error title=albatross%3A redis%2Cstopped::verify did not notice\n"
        );
        assert_eq!(report_of(vec![check_of(CheckId::DnsCname, Status::Passed, "good")]).to_annotations(), "");
    }

    #[test]
    fn nothing_in_a_cell_is_read_as_markdown() {
        let bad = check_of(CheckId::PageLoads, Status::Failed, "a | b <img src=x> `c`\n*d* [e](f) @g");
        let markdown = report_of(vec![bad]).to_markdown();
        let row = markdown.lines().find(|line| line.contains("page.loads")).unwrap();
        assert_eq!(row.matches('|').count(), 5, "{row}");
        for part in ["<img", "*d*", "[e]", "`c`", "@g"] {
            assert!(!row.contains(part), "{part} in {row}");
        }
        assert!(row.contains("❌ failed") && row.contains("a &#124; b &lt;img"), "{row}");
        assert!(markdown.starts_with("## The chatroom is not proven to work\n"), "{markdown}");
    }

    #[test]
    fn phases_and_controls_have_tables_of_their_own() {
        let mut report = report_of(vec![check_of(CheckId::DnsCname, Status::Passed, "good")]);
        assert!(!report.to_markdown().contains("| Phase |"));
        report.phases = vec![Stage::new("apply", Status::Passed, "25 created")];
        report.controls = vec![Stage::new("certificate.wrong", Status::Skipped, "plain HTTP")];
        let markdown = report.to_markdown();
        assert!(markdown.contains("| Phase |") && markdown.contains("| ✅ passed | `apply` |"), "{markdown}");
        assert!(markdown.contains("| Broken on purpose |") && markdown.contains("➖ skipped"), "{markdown}");
    }
}
