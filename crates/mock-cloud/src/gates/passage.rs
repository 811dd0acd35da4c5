//! One effect on its way through the gates.

use serde::Deserialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::gates::{GateState, Gates, Moment, Progress};

/// What something held is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Do it, or answer it.
    Go,
    /// Never do it, or never answer it.
    Drop,
}

/// One effect that somebody is about to do. Dropping it ends it: held before it began it was never done, otherwise what
/// was done stays.
#[derive(Debug)]
pub(crate) struct Passage {
    gates: Gates,
    effect: u64,
    key: String,
    occurrence: u64,
    /// Gates it was held at.
    seen: Vec<watch::Sender<GateState>>,
    has_begun: bool,
    was_alone: bool,
}

impl Passage {
    pub(super) fn new(gates: Gates, effect: u64, key: String, occurrence: u64) -> Self {
        Self { gates, effect, key, occurrence, seen: Vec::new(), has_begun: false, was_alone: false }
    }

    /// Waits until it may be done; `gone` is cancelled when its caller is gone.
    pub(crate) async fn begin(&mut self, gone: &CancellationToken) -> Verdict {
        let verdict = self.hold(Moment::Before, gone).await;
        if verdict == Verdict::Go {
            self.has_begun = true;
            self.was_alone = gone.is_cancelled();
        }
        verdict
    }

    /// It is done: waits until it may be answered.
    pub(crate) async fn end(&mut self, gone: &CancellationToken) -> Verdict {
        self.hold(Moment::After, gone).await
    }

    /// So many bytes more have been written.
    pub(crate) fn wrote(&self, bytes: usize) {
        self.gates.lock().add_bytes(self.effect, bytes as u64);
    }

    async fn hold(&mut self, moment: Moment, gone: &CancellationToken) -> Verdict {
        let Some(state) = self.stop_at(moment) else {
            return Verdict::Go;
        };
        let mut changes = state.subscribe();
        self.seen.push(state.clone());
        let mut told = std::pin::pin!(verdict(&mut changes));
        let verdict = tokio::select! {
            biased;
            verdict = &mut told => verdict,
            () = gone.cancelled() => {
                state.send_if_modified(|state| {
                    let is_held = matches!(state, GateState::Held { .. });
                    if is_held {
                        *state = GateState::Held { is_alone: true };
                    }
                    is_held
                });
                told.await
            }
        };
        if verdict == Verdict::Go {
            self.gates.lock().set_progress(self.effect, Progress::Running);
        }
        verdict
    }

    /// Takes its place at the gate of this moment.
    fn stop_at(&self, moment: Moment) -> Option<watch::Sender<GateState>> {
        let mut book = self.gates.lock();
        // Counting may have begun anew since: then a gate is for another effect of the same number.
        if self.effect < book.first_effect {
            return None;
        }
        let (_, gate) = book.gate_at(&self.key, self.occurrence, moment)?;
        let is_mine = gate.state.send_if_modified(|state| {
            let is_armed = *state == GateState::Armed;
            if is_armed {
                *state = GateState::Held { is_alone: false };
            }
            is_armed
        });
        let state = is_mine.then(|| gate.state.clone())?;
        book.set_progress(self.effect, Progress::Held);
        Some(state)
    }
}

/// What is told at a gate.
async fn verdict(changes: &mut watch::Receiver<GateState>) -> Verdict {
    loop {
        if let GateState::Told(verdict) = *changes.borrow_and_update() {
            return verdict;
        }
        if changes.changed().await.is_err() {
            return Verdict::Go;
        }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        let progress = match (self.has_begun, self.was_alone) {
            (false, _) => Progress::Dropped,
            (true, false) => Progress::Done,
            (true, true) => Progress::Late,
        };
        self.gates.lock().set_progress(self.effect, progress);
        for gate in &self.seen {
            gate.send_replace(GateState::Over(progress));
        }
    }
}
