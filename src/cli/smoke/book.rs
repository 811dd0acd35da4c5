//! What a smoke run has done so far: printed as it comes, and the report in the end, however the run ends.

use std::time::Instant;

use jiff::Timestamp;

use super::control::Control;
use crate::base::clock;
use crate::cli::failure::Failure;
use crate::cli::render::progress::seconds;
use crate::cli::render::report;
use crate::cli::say;
use crate::verify::{Report, Stage, Status};

/// The phases, in the order they are gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The topology is read.
    Validate,
    /// The cloud is started.
    Cloud,
    /// What would be made is planned.
    Plan,
    /// It is made.
    Apply,
    /// Nothing is left to do.
    EmptyPlan,
    /// The chatroom is proven to work.
    Verify,
    /// A node is added and the release is another one.
    Change,
    /// The chatroom is proven to work once more.
    VerifyChange,
    /// Things are broken, and verify notices.
    Controls,
    /// Everything is removed, and nothing is left.
    Destroy,
}

impl Phase {
    const ALL: [Self; 10] = [
        Self::Validate,
        Self::Cloud,
        Self::Plan,
        Self::Apply,
        Self::EmptyPlan,
        Self::Verify,
        Self::Change,
        Self::VerifyChange,
        Self::Controls,
        Self::Destroy,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Cloud => "cloud",
            Self::Plan => "plan",
            Self::Apply => "apply",
            Self::EmptyPlan => "empty plan",
            Self::Verify => "verify",
            Self::Change => "change",
            Self::VerifyChange => "verify change",
            Self::Controls => "controls",
            Self::Destroy => "destroy",
        }
    }
}

/// What a phase came to, in words: passed, or failed without an error.
pub(super) type Verdict = Result<String, String>;

/// The record of a run.
pub(super) struct Book {
    started: (Timestamp, Instant),
    /// What verify said of the stack as it was made.
    pub(super) proof: Option<Report>,
    phases: Vec<Stage>,
    controls: Vec<Stage>,
}

impl Book {
    pub(super) fn open() -> Self {
        Self { started: (clock::now(), now()), proof: None, phases: Vec::new(), controls: Vec::new() }
    }

    /// Goes through a phase, and writes down how it ended and how long it took.
    pub(super) async fn phase<T>(
        &mut self,
        phase: Phase,
        work: impl Future<Output = Result<(T, Verdict), Failure>>,
    ) -> Result<T, Failure> {
        title(phase.name());
        let begun = now();
        let done = work.await;
        let (status, sentence) = match &done {
            Ok((_, Ok(sentence))) => (Status::Passed, sentence.clone()),
            Ok((_, Err(sentence))) => (Status::Failed, sentence.clone()),
            Err(failure) => (Status::Failed, failure.sentence()),
        };
        let stage = Stage { duration: begun.elapsed(), ..Stage::new(phase.name(), status, sentence) };
        say::narrate(|| anstream::println!("{} took {}", phase.name(), seconds(stage.duration)));
        self.phases.push(stage);
        done.map(|(value, _)| value)
    }

    /// Leaves phases out.
    pub(super) fn leave_out(&mut self, phases: &[Phase], why: &str) {
        self.phases.extend(phases.iter().map(|phase| Stage::new(phase.name(), Status::Skipped, why)));
    }

    /// Leaves every control out.
    pub(super) fn leave_out_controls(&mut self, why: &str) {
        self.leave_out(&[Phase::Controls], why);
        let left_out = Control::ALL.iter().map(|control| Stage::new(control.name(), Status::Skipped, why));
        self.controls.extend(left_out);
    }

    /// Writes down what became of a control.
    pub(super) fn control(&mut self, stage: Stage) {
        report::print_stage(&stage);
        self.controls.push(stage);
    }

    /// Takes over the controls of another book, which was written while a phase of this one ran.
    pub(super) fn take_controls_of(&mut self, other: Self) {
        self.controls.extend(other.controls);
    }

    /// How many controls came to this.
    pub(super) fn count(&self, status: Status) -> usize {
        self.controls.iter().filter(|stage| stage.status == status).count()
    }

    /// Closes the book. What was not reached is part of it, so that a run that broke off does not look like a shorter
    /// one.
    pub(super) fn close(self) -> Report {
        let mut report = self.proof.unwrap_or_else(Report::empty);
        let is_missing = |phase: &Phase| self.phases.iter().all(|stage| stage.name != phase.name());
        let missing: Vec<Stage> = Phase::ALL
            .iter()
            .filter(|phase| is_missing(phase))
            .map(|phase| Stage::not_reached(phase.name()))
            .collect();
        report.phases = [self.phases, missing].concat();
        report.controls = self.controls;
        (report.started, report.duration) = (self.started.0, self.started.1.elapsed());
        report
    }
}

/// The heading of what comes.
pub(super) fn title(name: &str) {
    let bold = anstyle::Style::new().bold();
    say::narrate(|| anstream::println!("\n{bold}== {name}{bold:#}"));
}

#[expect(clippy::disallowed_methods, reason = "how long a phase took is shown, and decides nothing")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exit::ExitStatus;

    async fn told(verdict: Result<Verdict, Failure>) -> Report {
        let mut book = Book::open();
        let _ = book.phase(Phase::Validate, async { verdict.map(|verdict| ((), verdict)) }).await;
        book.close()
    }

    #[tokio::test]
    async fn a_phase_says_how_it_ended() {
        let good = told(Ok(Ok("it is valid".to_owned()))).await;
        assert_eq!(
            (good.phases[0].status, good.phases[0].sentence.as_str()),
            (Status::Passed, "it is valid")
        );
        let bad = told(Ok(Err("two are left".to_owned()))).await;
        assert_eq!((bad.phases[0].status, bad.phases[0].sentence.as_str()), (Status::Failed, "two are left"));
        let broken = told(Err(Failure::saying(ExitStatus::Failed, "no such file", "name another"))).await;
        assert_eq!(broken.phases[0].sentence, "no such file");
    }

    #[tokio::test]
    async fn what_was_not_reached_is_a_failure_of_the_report() {
        let report = told(Ok(Ok("it is valid".to_owned()))).await;
        assert_eq!(report.phases.len(), Phase::ALL.len());
        assert!(
            report.phases[1..].iter().all(|stage| stage.sentence.starts_with("not reached because")),
            "{report:?}"
        );
        assert!(!report.passed());
    }

    #[test]
    fn a_control_that_failed_fails_the_report() {
        let control = |status| {
            let mut book = Book::open();
            let check = crate::verify::Check {
                id: crate::verify::CheckId::DnsCname,
                status: Status::Passed,
                sentence: String::new(),
                duration: std::time::Duration::ZERO,
                evidence: std::collections::BTreeMap::new(),
                hint: None,
            };
            book.proof = Some(Report { checks: vec![check], ..Report::empty() });
            book.leave_out(&Phase::ALL, "not now");
            book.control(Stage::new("redis.stopped", status, "verify did not notice"));
            book.close().passed()
        };
        assert!(control(Status::Passed) && control(Status::Skipped));
        assert!(!control(Status::Failed));
    }
}
