//! A report as `JUnit` XML: a test suite for the checks, one for what came around them, one for what was broken on
//! purpose.

use std::time::Duration;

use quick_junit::{NonSuccessKind, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::check::{Check, Status};
use super::report::{Report, Stage};

impl Report {
    /// The report as `JUnit` XML: one test case a check, under its name; then one a phase and one a control.
    ///
    /// # Errors
    /// When the XML writer refuses; text it cannot write is left out before.
    pub fn to_junit(&self) -> Result<String, SerializeError> {
        let mut report = quick_junit::Report::new("albatross");
        let began = self.started.to_string();
        report.set_time(self.duration);
        let checks = self.checks.iter().map(of_check).collect();
        report.add_test_suite(suite("albatross verify", checks, &began));
        for (name, class, stages) in [
            ("albatross smoke", "albatross.smoke", &self.phases),
            ("albatross smoke controls", "albatross.smoke.controls", &self.controls),
        ] {
            if !stages.is_empty() {
                let cases = stages.iter().map(|stage| of_stage(stage, class)).collect();
                report.add_test_suite(suite(name, cases, &began));
            }
        }
        report.to_string()
    }
}

/// A suite takes as long as its cases together, so that the figures agree.
fn suite(name: &str, cases: Vec<TestCase>, began: &str) -> TestSuite {
    let mut suite = TestSuite::new(name);
    suite.set_time(cases.iter().filter_map(|case| case.time).sum::<Duration>());
    suite.add_property(("started", began));
    suite.add_test_cases(cases);
    suite
}

fn of_check(check: &Check) -> TestCase {
    let evidence = check.evidence.iter().map(|(name, value)| format!("{name}: {value}\n"));
    let told = std::iter::once(format!("{}\n", check.sentence)).chain(evidence).collect::<String>();
    let status = status(check.status, &check.sentence, check.hint.as_deref());
    case(check.id.name(), "albatross.verify", status, check.duration, &told)
}

fn of_stage(stage: &Stage, class: &str) -> TestCase {
    let status = status(stage.status, &stage.sentence, None);
    case(&stage.name, class, status, stage.duration, &format!("{}\n", stage.sentence))
}

fn case(name: &str, class: &str, status: TestCaseStatus, time: Duration, told: &str) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(class).set_time(time).set_system_out(told);
    case
}

fn status(status: Status, sentence: &str, hint: Option<&str>) -> TestCaseStatus {
    let mut shown = match status {
        Status::Passed => return TestCaseStatus::success(),
        Status::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Status::Skipped => TestCaseStatus::skipped(),
    };
    shown.set_message(sentence);
    if status == Status::Failed {
        shown.set_type("check");
        if let Some(hint) = hint {
            shown.set_description(hint);
        }
    }
    shown
}
