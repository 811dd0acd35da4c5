//! What systemd is told, when it has started the program and wants to know: ready, stopping, still alive.
//!
//! Where nobody listens, nothing is said.

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

/// Clients can connect.
pub fn ready() {
    tell(NotifyState::Ready);
}

/// The node drains.
pub fn stopping() {
    tell(NotifyState::Stopping);
}

/// Says at intervals that the runtime still runs tasks, if systemd watches for that. Never returns then.
pub async fn keep_watchdog() {
    let mut microseconds = 0;
    if !sd_notify::watchdog_enabled(false, &mut microseconds) {
        return;
    }
    let half = std::time::Duration::from_micros(microseconds.max(2) / 2);
    let mut tick = interval(half);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        tell(NotifyState::Watchdog);
    }
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(false, &[state]) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
