//! What is expected of a program that runs: that it says it is ready, and from then on that it lives.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::plane::host::notify::Listener;
use crate::plane::host::unit::Unit;

/// What comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The program says that it has started.
    Ready,
    /// It did not say so in time.
    StartTimeout,
    /// It was silent for too long.
    WatchdogTimeout(Duration),
}

/// The expectation of one run. Of a unit that does not notify, nothing is expected.
#[derive(Debug, Default)]
pub(super) struct Vigil(Option<Expected>);

#[derive(Debug)]
struct Expected {
    listener: Listener,
    is_ready: bool,
    start_limit: Duration,
    start: Instant,
    watchdog: Option<(Duration, Instant)>,
}

impl Vigil {
    /// From the moment its program is started.
    pub(super) fn over(unit: &Unit, listener: Listener) -> Self {
        let start_limit = unit.start_timeout;
        let start = Instant::now() + start_limit;
        let watchdog = unit.watchdog.map(|limit| (limit, Instant::now() + limit));
        Self(Some(Expected { listener, is_ready: false, start_limit, start, watchdog }))
    }

    /// Whether the program has started as far as the service manager is concerned.
    pub(super) fn is_over_start(&self) -> bool {
        self.0.as_ref().is_none_or(|expected| expected.is_ready)
    }

    /// What is waited for may take as long as it might from the beginning.
    pub(super) fn begin_anew(&mut self) {
        if let Some(expected) = &mut self.0 {
            expected.start = Instant::now() + expected.start_limit;
            expected.hear();
        }
    }

    /// Waits for what comes; for ever when nothing is expected. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Event {
        match &mut self.0 {
            None => std::future::pending().await,
            Some(expected) => expected.next().await,
        }
    }
}

impl Expected {
    async fn next(&mut self) -> Event {
        loop {
            let (deadline, late) = self.deadline();
            tokio::select! {
                said = self.listener.next() => {
                    if said.is_alive || said.is_ready {
                        self.hear();
                    }
                    if said.is_ready && !std::mem::replace(&mut self.is_ready, true) {
                        return Event::Ready;
                    }
                }
                () = wait_until(deadline) => return late,
            }
        }
    }

    fn deadline(&self) -> (Option<Instant>, Event) {
        match self.watchdog {
            _ if !self.is_ready => (Some(self.start), Event::StartTimeout),
            Some((limit, deadline)) => (Some(deadline), Event::WatchdogTimeout(limit)),
            None => (None, Event::StartTimeout),
        }
    }

    fn hear(&mut self) {
        if let Some((limit, deadline)) = &mut self.watchdog {
            *deadline = Instant::now() + *limit;
        }
    }
}

async fn wait_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
