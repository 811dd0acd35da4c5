//! All verdicts of a run, for people's tools: JSON here, other forms beside it.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::check::{Check, NOT_REACHED, Status, milliseconds};
use super::picture::Picture;
use crate::base::clock;

/// A part of a longer run around the checks, or something that was broken on purpose to see whether they notice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stage {
    /// What people and reports call it.
    pub name: String,
    /// The verdict.
    pub status: Status,
    /// What was done and seen; of one that was left out why.
    pub sentence: String,
    /// How long it took.
    #[serde(rename = "duration_milliseconds", serialize_with = "milliseconds")]
    pub duration: Duration,
}

impl Stage {
    /// One that took no time yet.
    pub fn new(name: &str, status: Status, sentence: impl Into<String>) -> Self {
        Self { name: name.to_owned(), status, sentence: sentence.into(), duration: Duration::ZERO }
    }

    /// One that failed only because one before it did.
    pub fn not_reached(name: &str) -> Self {
        Self::new(name, Status::Failed, format!("{NOT_REACHED} one before it failed"))
    }
}

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
    /// What came before and after the checks, when they are a part of something longer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Stage>,
    /// What was broken on purpose, and whether the checks noticed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub controls: Vec<Stage>,
    /// What the chatroom is made of, when somebody wants a picture of it.
    #[serde(skip)]
    pub picture: Option<Picture>,
}

/// A time in a report.
pub(super) fn shown(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.1} s") }
}

impl Report {
    /// Of checks that were made one after the other, and nothing beside them.
    pub(super) fn of(checks: Vec<Check>, started: Timestamp, duration: Duration) -> Self {
        Self {
            checks,
            started,
            duration,
            hosts: None,
            phases: Vec::new(),
            controls: Vec::new(),
            picture: None,
        }
    }

    /// Before anything was checked.
    pub fn empty() -> Self {
        Self::of(Vec::new(), clock::now(), Duration::ZERO)
    }

    /// Whether the chatroom is proven to work: there are checks, and nothing failed.
    pub fn passed(&self) -> bool {
        let mut stages = self.phases.iter().chain(&self.controls);
        !self.checks.is_empty()
            && self.count(Status::Failed) == 0
            && stages.all(|stage| stage.status != Status::Failed)
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
}
