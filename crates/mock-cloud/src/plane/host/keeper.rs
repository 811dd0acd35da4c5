//! The task beside one running unit: waits for its end or for an order, and starts it again when the unit says so.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::plane::host::machine::Machine;
use crate::plane::host::process::{End, Running};
use crate::plane::host::service::{Active, Launched, Order, State};
use crate::plane::host::unit::{Restart, signal_name};
use crate::plane::host::vigil::Event;

/// Automatic restarts within ten seconds after which a unit is given up, as systemd does by default.
const MOST_RESTARTS: usize = 5;
const RESTART_WINDOW: Duration = Duration::from_secs(10);
/// How long a program may take to end where its unit does not say.
const STOP_TIMEOUT: Duration = Duration::from_secs(90);
/// How long the last output of an ended program is waited for; something it left behind may hold the pipe open.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Looks after one running unit.
pub(super) struct Keeper {
    pub(super) machine: Arc<Machine>,
    pub(super) unit: String,
    pub(super) inbox: mpsc::Receiver<Order>,
    /// The other end of `inbox`, to tell our registration from that of a later start.
    pub(super) own: mpsc::Sender<Order>,
    /// Told once it has started; dropped when that failed.
    pub(super) started: Option<oneshot::Sender<()>>,
}

/// What a program's end is called, and whether that is a clean one.
struct Conclusion {
    result: &'static str,
    status: i32,
    is_clean: bool,
}

impl Keeper {
    pub(super) async fn run(mut self, mut launched: Launched) {
        self.take_over(&launched);
        loop {
            let end = tokio::select! {
                end = launched.running.end() => (end, None),
                event = launched.vigil.next(), if !self.machine.is_frozen() => match self.heed(event, &mut launched.running).await {
                    Some((end, result)) => (end, Some(result)),
                    None => continue,
                },
                order = self.inbox.recv() => {
                    if let Some(Order::Signal(signal)) = order {
                        launched.running.signal(signal).await;
                        // The clock of a host that is frozen stands still, too.
                        launched.vigil.begin_anew();
                        continue;
                    }
                    self.obey(order, &mut launched.running, &mut launched.output).await;
                    return;
                }
            };
            finish_output(&mut launched.output).await;
            let restart = self.ended(end, launched.vigil.is_over_start());
            match self.start_again(restart).await {
                Some(again) => launched = again,
                None => return,
            }
            self.take_over(&launched);
        }
    }

    /// A program was executed. One that does not notify has started by that.
    fn take_over(&mut self, launched: &Launched) {
        if launched.vigil.is_over_start() {
            self.has_started();
        }
    }

    fn has_started(&mut self) {
        self.machine.has_started(&self.unit);
        if let Some(started) = self.started.take() {
            let _ = started.send(());
        }
    }

    /// Ends a program that is late; says how it ended and what that is called.
    async fn heed(&mut self, event: Event, running: &mut Running) -> Option<(End, &'static str)> {
        let (signal, result, text) = match event {
            Event::Ready => {
                self.has_started();
                return None;
            }
            Event::StartTimeout => (15, "timeout", "start operation timed out. Terminating.".to_owned()),
            Event::WatchdogTimeout(limit) => {
                (6, "watchdog", format!("Watchdog timeout (limit {}s)!", limit.as_secs_f64()))
            }
        };
        self.machine.services.note(&self.unit, "systemd[1]", &format!("{}: {text}", self.unit));
        let patience = self.machine.unit(&self.unit).map_or(STOP_TIMEOUT, |unit| unit.stop_timeout);
        Some((self.end_by(signal, patience, running).await, result))
    }

    /// Sends a signal, and after some time the one that cannot be refused.
    async fn end_by(&self, signal: i32, patience: Duration, running: &mut Running) -> End {
        running.signal(signal).await;
        if let Ok(end) = tokio::time::timeout(patience, running.end()).await {
            return end;
        }
        let unit = &self.unit;
        let text = format!("{unit}: State 'stop-sigterm' timed out. Killing.");
        self.machine.services.note(unit, "systemd[1]", &text);
        running.signal(9).await;
        running.end().await
    }

    /// Records an end nobody asked for; says whether and after what time it is started again.
    fn ended(&mut self, (end, late): (End, Option<&'static str>), has_started: bool) -> Option<Duration> {
        let (unit, services) = (&self.unit, &self.machine.services);
        let Conclusion { result, status, is_clean } = conclude(end, late, has_started);
        let text = match end {
            End::Exited(0) => None,
            End::Exited(status) => Some(format!("code=exited, status={status}/FAILURE")),
            End::Killed(signal) => Some(format!("code=killed, status={signal}/{}", signal_name(signal))),
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
        // Whoever waits for the start has waited in vain, even where there will be another one.
        self.started = None;
        self.machine.changed.notify();
        delay
    }

    /// Starts it again after its delay, as often as systemd would.
    async fn start_again(&mut self, delay: Option<Duration>) -> Option<Launched> {
        let (unit, services) = (self.unit.clone(), &self.machine.services);
        if let Some(delay) = delay {
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                order = next_order(&mut self.inbox) => {
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
            (Some(Order::Stop(_)), None) => (15, STOP_TIMEOUT),
            (Some(Order::Kill(_) | Order::Signal(_)) | None, _) => (9, Duration::from_secs(5)),
        };
        self.started = None;
        services.with(&unit, |entry| entry.state.active = Active::Deactivating);
        services.note(&unit, "systemd[1]", &format!("Stopping {unit}..."));
        self.machine.changed.notify();
        let end = self.end_by(signal, patience, running).await;
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

/// The next order to somebody who has no program to send signals to.
async fn next_order(inbox: &mut mpsc::Receiver<Order>) -> Option<Order> {
    loop {
        match inbox.recv().await {
            Some(Order::Signal(_)) => {}
            order => return order,
        }
    }
}

/// What systemd makes of an end nobody asked for. An end before the program was ready breaks the protocol.
fn conclude(end: End, late: Option<&'static str>, has_started: bool) -> Conclusion {
    let (result, status, is_clean) = match end {
        End::Exited(0) => ("success", 0, true),
        End::Exited(status) => ("exit-code", status, false),
        End::Killed(signal) if matches!(signal, 1 | 2 | 13 | 15) => ("success", signal, true),
        End::Killed(signal) => ("signal", signal, false),
    };
    match late {
        Some(result) => Conclusion { result, status, is_clean: false },
        None if is_clean && !has_started => Conclusion { result: "protocol", status, is_clean: false },
        None => Conclusion { result, status, is_clean },
    }
}

async fn finish_output(output: &mut JoinSet<()>) {
    let _ = tokio::time::timeout(LAST_WORDS, async { while output.join_next().await.is_some() {} }).await;
}
