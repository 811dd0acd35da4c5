//! The task beside one running unit: waits for its end or for an order, and starts it again when the unit says so.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::plane::host::machine::Machine;
use crate::plane::host::process::{End, Running};
use crate::plane::host::service::{Active, Order, State};
use crate::plane::host::unit::{Restart, signal_name};

/// Automatic restarts within ten seconds after which a unit is given up, as systemd does by default.
const MOST_RESTARTS: usize = 5;
const RESTART_WINDOW: Duration = Duration::from_secs(10);
/// How long the last output of an ended program is waited for; something it left behind may hold the pipe open.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Looks after one running unit.
pub(super) struct Keeper {
    pub(super) machine: Arc<Machine>,
    pub(super) unit: String,
    pub(super) inbox: mpsc::Receiver<Order>,
    /// The other end of `inbox`, to tell our registration from that of a later start.
    pub(super) own: mpsc::Sender<Order>,
}

impl Keeper {
    pub(super) async fn run(mut self, mut running: Running, mut output: JoinSet<()>) {
        loop {
            tokio::select! {
                end = running.end() => {
                    finish_output(&mut output).await;
                    let restart = self.ended(end);
                    match self.start_again(restart).await {
                        Some((again, its_output)) => (running, output) = (again, its_output),
                        None => return,
                    }
                }
                order = self.inbox.recv() => {
                    self.obey(order, &mut running, &mut output).await;
                    return;
                }
            }
        }
    }

    /// Records an end nobody asked for; says whether and after what time it is started again.
    fn ended(&self, end: End) -> Option<Duration> {
        let (unit, services) = (&self.unit, &self.machine.services);
        let (result, status, is_clean, text) = match end {
            End::Exited(0) => ("success", 0, true, None),
            End::Exited(status) => {
                ("exit-code", status, false, Some(format!("code=exited, status={status}/FAILURE")))
            }
            End::Killed(signal) => {
                let is_clean = matches!(signal, 1 | 2 | 13 | 15);
                let text = format!("code=killed, status={signal}/{}", signal_name(signal));
                (if is_clean { "success" } else { "signal" }, signal, is_clean, Some(text))
            }
        };
        if let Some(text) = text {
            services.note(unit, "systemd[1]", &format!("{unit}: Main process exited, {text}"));
        }
        let delay = self.machine.unit(unit).ok().and_then(|definition| match definition.restart {
            Restart::Always => Some(definition.restart_delay),
            Restart::OnFailure if !is_clean => Some(definition.restart_delay),
            Restart::OnFailure | Restart::No => None,
        });
        let text = if is_clean {
            "Deactivated successfully.".to_owned()
        } else {
            format!("Failed with result '{result}'.")
        };
        services.note(unit, "systemd[1]", &format!("{unit}: {text}"));
        // One step, so that nobody starts a unit that is about to start itself.
        services.with(unit, |entry| {
            let restarts = entry.state.restarts;
            let active = match delay {
                Some(_) => Active::Activating,
                None if is_clean => Active::Inactive,
                None => Active::Failed,
            };
            entry.state = State { active, pid: None, restarts, result, status };
        });
        self.machine.changed.notify();
        delay
    }

    /// Starts it again after its delay, as often as systemd would.
    async fn start_again(&mut self, delay: Option<Duration>) -> Option<(Running, JoinSet<()>)> {
        let (unit, services) = (self.unit.clone(), &self.machine.services);
        if let Some(delay) = delay {
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                order = self.inbox.recv() => {
                    services.with(&unit, |entry| entry.state.active = Active::Inactive);
                    self.leave(order);
                    return None;
                }
            }
            if self.may_restart() {
                services.note(&unit, "systemd[1]", &format!("{unit}: Scheduled restart job."));
                services.with(&unit, |entry| entry.state.restarts += 1);
                if let Ok(started) = self.machine.execute_unit(&unit).await {
                    return Some(started);
                }
            } else {
                services.note(&unit, "systemd[1]", &format!("{unit}: Start request repeated too quickly."));
                let State { result, status, .. } = services.state(&unit);
                self.machine.set_failed(&unit, result, status);
            }
        }
        self.leave(None);
        None
    }

    fn may_restart(&self) -> bool {
        self.machine.services.with(&self.unit, |entry| {
            entry.recent_restarts.retain(|at| at.elapsed() < RESTART_WINDOW);
            entry.recent_restarts.push(Instant::now());
            entry.recent_restarts.len() < MOST_RESTARTS
        })
    }

    async fn obey(&mut self, order: Option<Order>, running: &mut Running, output: &mut JoinSet<()>) {
        let (unit, services) = (self.unit.clone(), &self.machine.services);
        let definition = self.machine.unit(&unit).ok();
        let (signal, patience) = match (&order, definition) {
            (Some(Order::Stop(_)), Some(definition)) => (definition.kill_signal, definition.stop_timeout),
            (Some(Order::Stop(_)), None) => (15, Duration::from_secs(90)),
            (Some(Order::Kill(_)) | None, _) => (9, Duration::from_secs(5)),
        };
        services.with(&unit, |entry| entry.state.active = Active::Deactivating);
        services.note(&unit, "systemd[1]", &format!("Stopping {unit}..."));
        self.machine.changed.notify();
        running.signal(signal).await;
        let end = if let Ok(end) = tokio::time::timeout(patience, running.end()).await {
            end
        } else {
            services.note(&unit, "systemd[1]", &format!("{unit}: State 'stop-sigterm' timed out. Killing."));
            running.signal(9).await;
            running.end().await
        };
        finish_output(output).await;
        self.stopped(end, signal);
        self.leave(order);
    }

    /// Records an end that was asked for.
    fn stopped(&self, end: End, signal: i32) {
        let (unit, services) = (&self.unit, &self.machine.services);
        let (result, status) = match end {
            End::Exited(0) => ("success", 0),
            End::Exited(status) => ("exit-code", status),
            End::Killed(by) if by == signal || matches!(by, 1 | 2 | 13 | 15) => ("success", by),
            End::Killed(by) => ("signal", by),
        };
        let active = if result == "success" { Active::Inactive } else { Active::Failed };
        services.note(unit, "systemd[1]", &format!("Stopped {unit}."));
        services.with(unit, |entry| {
            let restarts = entry.state.restarts;
            entry.state = State { active, pid: None, restarts, result, status };
        });
    }

    /// Nobody looks after the unit from here on; whoever gave the order is told.
    fn leave(&self, order: Option<Order>) {
        self.machine.services.with(&self.unit, |entry| {
            entry.orders.take_if(|orders| orders.same_channel(&self.own));
        });
        self.machine.changed.notify();
        if let Some(Order::Stop(done) | Order::Kill(done)) = order {
            let _ = done.send(());
        }
    }
}

async fn finish_output(output: &mut JoinSet<()>) {
    let _ = tokio::time::timeout(LAST_WORDS, async { while output.join_next().await.is_some() {} }).await;
}
