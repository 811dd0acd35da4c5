//! All verdicts of a run, for people's tools: JSON and `JUnit`.

use std::time::Duration;

use jiff::Timestamp;
use quick_junit::{NonSuccessKind, SerializeError, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;

use super::check::{Check, Status, milliseconds};

/// What a verification came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Every check, in order.
    pub checks: Vec<Check>,
    /// When it began.
    pub started: Timestamp,
    /// How long it took.
    #[serde(rename = "duration_milliseconds", serialize_with = "milliseconds")]
    pub duration: Duration,
    /// What stood behind the instances: `machine`, `process`; absent where they are real.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosts: Option<String>,
}

impl Report {
    /// Whether the chatroom is proven to work: there are checks, and none failed.
    pub fn passed(&self) -> bool {
        !self.checks.is_empty() && self.count(Status::Failed) == 0
    }

    /// How many checks have a verdict.
    pub fn count(&self, status: Status) -> usize {
        self.checks.iter().filter(|check| check.status == status).count()
    }

    /// The report as JSON, with `passed` beside the checks.
    pub fn to_json(&self) -> String {
        let mut value = serde_json::json!(self);
        value["passed"] = self.passed().into();
        format!("{value:#}")
    }

    /// The report as `JUnit` XML: one test case a check, under its name.
    ///
    /// # Errors
    /// When the XML writer refuses; text it cannot write is left out before.
    pub fn to_junit(&self) -> Result<String, SerializeError> {
        let mut suite = TestSuite::new("albatross verify");
        suite.set_time(self.duration);
        for check in &self.checks {
            suite.add_test_case(test_case(check));
        }
        let mut report = quick_junit::Report::new("albatross");
        report.set_time(self.duration).add_test_suite(suite);
        report.to_string()
    }
}

fn test_case(check: &Check) -> TestCase {
    let mut status = match check.status {
        Status::Passed => TestCaseStatus::success(),
        Status::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Status::Skipped => TestCaseStatus::skipped(),
    };
    if check.status != Status::Passed {
        status.set_message(check.sentence.clone());
        if let Some(hint) = &check.hint {
            status.set_description(hint.clone());
        }
    }
    let mut case = TestCase::new(check.id.name(), status);
    case.set_classname("albatross.verify").set_time(check.duration);
    let evidence: Vec<String> =
        check.evidence.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    case.set_system_out(format!("{}\n{}\n", check.sentence, evidence.join("\n")));
    case
}
