//! Timers, and services of one shot: lists of commands that are run one after another, and then are done.
//!
//! A timer counts from its start and then starts a service, once. Either is a task that ends when the unit is stopped
//! or the machine is switched off.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::plane::host::machine::Machine;
use crate::plane::host::service::{Active, JobError, State};
use crate::plane::host::unit::{BadUnit, Unit, settings, span};

/// A timer as its file describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Timer {
    /// From its start on.
    after: Duration,
    /// What it starts.
    service: String,
}

impl Timer {
    /// Reads the file of a timer.
    fn parse(name: &str, text: &str) -> Result<Self, BadUnit> {
        let (mut after, mut service) = (None, name.replace(".timer", ".service"));
        for (section, key, value) in settings(text) {
            match (section.as_str(), key.as_str()) {
                ("Timer", "OnActiveSec") => after = span(&value),
                ("Timer", "Unit") => service = value,
                ("Timer", "AccuracySec" | "RemainAfterElapse") | ("Unit" | "Install", _) => {}
                (_, key) => return Err(BadUnit(format!("mock host: {key}= of a timer is not understood"))),
            }
        }
        let missing = || BadUnit("Timer unit lacks value setting. Refusing.".to_owned());
        Ok(Self { after: after.ok_or_else(missing)?, service })
    }
}

impl Machine {
    /// Starts a timer unless it counts already.
    pub(crate) fn start_timer(self: &Arc<Self>, name: &str) -> Result<(), JobError> {
        if self.services.state(name).active == Active::Running {
            return Ok(());
        }
        let path = self.unit_file(name).ok_or(JobError::NotFound)?;
        let text = self.root.read_text(&path).map_err(|_| JobError::NotFound)?;
        let timer = Timer::parse(name, &text).map_err(|error| {
            self.services.note(name, "systemd[1]", &format!("{name}: {error}"));
            JobError::BadSetting(error.to_string())
        })?;
        self.services.note(name, "systemd[1]", &format!("Started {name}."));
        self.services.with(name, |entry| entry.state.active = Active::Running);
        let (machine, own) = (Arc::clone(self), name.to_owned());
        self.keep_task(
            name,
            tokio::spawn(async move {
                tokio::time::sleep(timer.after).await;
                machine.services.with(&own, |entry| entry.state.active = Active::Inactive);
                // The service is another unit: it goes on when the timer is stopped.
                tokio::spawn(async move {
                    if let Err(error) = machine.start_unit(&timer.service).await {
                        tracing::info!(service = timer.service, ?error, "what a timer started failed");
                    }
                });
            }),
        );
        Ok(())
    }

    /// Runs the commands of a service of one shot, and waits for the last.
    pub(super) async fn run_once(self: &Arc<Self>, name: &str, unit: Unit) -> Result<(), JobError> {
        self.services.note(name, "systemd[1]", &format!("Starting {name}..."));
        self.services.with(name, |entry| {
            entry.state = State { active: Active::Starting, ..State::default() };
        });
        let (machine, own) = (Arc::clone(self), name.to_owned());
        let (done, is_done) = tokio::sync::oneshot::channel();
        self.keep_task(
            name,
            tokio::spawn(async move {
                // Nobody may wait any more.
                let _ = done.send(machine.run_lines(&own, &unit).await);
            }),
        );
        // A stop drops the other end.
        is_done.await.unwrap_or(Err(JobError::Failed))
    }

    async fn run_lines(self: &Arc<Self>, name: &str, unit: &Unit) -> Result<(), JobError> {
        for line in &unit.commands {
            let outcome = self.run_quietly(&line.argv).await;
            if outcome.status != 0 {
                let said = String::from_utf8_lossy(&outcome.stderr).into_owned();
                self.services.note(name, &line.argv.join(" "), said.trim_end());
            }
            if outcome.status != 0 && !line.may_fail {
                self.set_failed(name, "exit-code", outcome.status);
                return Err(JobError::Failed);
            }
        }
        self.services.note(name, "systemd[1]", &format!("Finished {name}."));
        self.services.with(name, |entry| {
            entry.state = State { result: "success", ..State::default() };
        });
        Ok(())
    }

    /// Ends the task of a unit that has one.
    pub(super) fn end_task(&self, name: &str) {
        let task = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        if let Some(task) = task
            && !task.is_finished()
        {
            task.abort();
            self.services.note(name, "systemd[1]", &format!("Stopped {name}."));
            self.services.with(name, |entry| entry.state.active = Active::Inactive);
        }
    }

    /// Ends all of them.
    pub(super) fn end_tasks(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.values().for_each(JoinHandle::abort);
    }

    fn keep_task(&self, name: &str, task: JoinHandle<()>) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(former) = tasks.insert(name.to_owned(), task) {
            former.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_counts_from_its_start() {
        let timer =
            Timer::parse("x.timer", "[Unit]\nDescription=X\n[Timer]\nOnActiveSec=1min 30s\nAccuracySec=1s\n")
                .unwrap();
        assert_eq!(timer, Timer { after: Duration::from_secs(90), service: "x.service".to_owned() });
    }

    #[test]
    fn what_a_timer_cannot_do_here_is_refused() {
        for text in ["[Timer]\nAccuracySec=1s\n", "[Timer]\nOnActiveSec=1s\nOnCalendar=daily\n"] {
            assert!(Timer::parse("x.timer", text).is_err(), "{text}");
        }
    }
}
