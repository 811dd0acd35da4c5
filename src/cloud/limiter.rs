//! Slows the calls of a product down when the cloud says that there are too many, and lets them go again.
//!
//! Limits differ by account, action and day, and other programs of the account share them: nobody can know them
//! beforehand. So the rate is found out, as congestion control finds it (additive increase, multiplicative decrease):
//!
//! - while nothing is refused there is no limit, and a call costs a look at a counter;
//! - a refusal halves the rate that the product was called at, and all its calls queue for their turn at that rate;
//!   refusals of calls that were under way already do not halve it again;
//! - calls that succeed raise the rate by [`STEP`] calls a second each second, until it is twice what was refused, or
//!   nothing was refused for [`FORGET`]: then there is no limit any more.
//!
//! A client has one account, so a limiter is for one account.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::retry::Deadline;
use crate::cloud::Product;

/// Calls a second that are added each second.
const STEP: f64 = 1.0;
/// The slowest rate, in calls a second: slower than that nothing would ever end.
const SLOWEST: f64 = 0.5;
/// How long a refusal is remembered.
const FORGET: Duration = Duration::from_mins(1);
/// Over what the rate is measured.
const WINDOW: Duration = Duration::from_secs(1);

/// The limits of all products.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    gates: Mutex<BTreeMap<Product, Gate>>,
}

/// A call that was let through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admission {
    product: Product,
    at: Instant,
}

impl Limiter {
    /// Waits for a call's turn, but not past its deadline: then the cloud itself may say no.
    pub(crate) async fn admit(&self, product: Product, deadline: &Deadline) -> Admission {
        loop {
            let turn = self.gate(product, |gate| gate.take_turn(Instant::now()));
            let Some(turn) = turn else { break };
            tokio::time::sleep_until(turn.at.min(Instant::now() + deadline.remaining())).await;
            // A refusal in the meantime has made a new queue.
            if deadline.passed() || self.gate(product, |gate| gate.is_current(&turn)) {
                break;
            }
        }
        let at = Instant::now();
        self.gate(product, |gate| gate.count(at));
        Admission { product, at }
    }

    /// A call was not refused for being one too many.
    pub(crate) fn accepted(&self, admission: Admission) {
        self.gate(admission.product, |gate| gate.accepted(admission.at, Instant::now()));
    }

    /// A call was refused for being one too many; the cloud may have asked for a pause.
    pub(crate) fn refused(&self, admission: Admission, pause: Duration) {
        self.gate(admission.product, |gate| gate.refused(admission.at, Instant::now(), pause));
        tracing::debug!(product = admission.product.name(), ?pause, "called too often, slowing down");
    }

    fn gate<T>(&self, product: Product, work: impl FnOnce(&mut Gate) -> T) -> T {
        let mut gates: MutexGuard<'_, _> = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        work(gates.entry(product).or_default())
    }
}

/// The limit of one product.
#[derive(Debug, Default)]
struct Gate {
    measured: Option<Measured>,
    limit: Option<Limit>,
    /// Counts the queues; a turn in an earlier one is void.
    queue: u64,
}

/// Calls of the last window, and of the one that runs.
#[derive(Debug)]
struct Measured {
    since: Instant,
    calls: u32,
    before: u32,
}

#[derive(Debug)]
struct Limit {
    /// Calls a second.
    rate: f64,
    /// The rate that was refused.
    refused: f64,
    /// When it was halved last.
    halved: Instant,
    /// When the next call may go.
    next: Instant,
}

/// A place in the queue.
#[derive(Debug, Clone, Copy)]
struct Turn {
    at: Instant,
    queue: u64,
}

impl Gate {
    /// None when a call may go at once.
    fn take_turn(&mut self, now: Instant) -> Option<Turn> {
        let limit = self.limit.as_mut()?;
        if now.saturating_duration_since(limit.halved) > FORGET {
            self.limit = None;
            return None;
        }
        let at = limit.next.max(now);
        limit.next = at + gap(limit.rate);
        (at > now).then_some(Turn { at, queue: self.queue })
    }

    fn is_current(&self, turn: &Turn) -> bool {
        self.queue == turn.queue
    }

    fn count(&mut self, now: Instant) {
        let measured = self.measured.get_or_insert(Measured { since: now, calls: 0, before: 0 });
        let age = now.saturating_duration_since(measured.since);
        if age >= WINDOW {
            measured.before = if age < WINDOW * 2 { measured.calls } else { 0 };
            (measured.since, measured.calls) = (now, 0);
        }
        measured.calls += 1;
    }

    /// Calls a second, over a window.
    fn rate(&self) -> f64 {
        self.measured.as_ref().map_or(0.0, |measured| f64::from(measured.calls.max(measured.before)))
    }

    fn accepted(&mut self, sent: Instant, now: Instant) {
        let Some(limit) = self.limit.as_mut().filter(|limit| sent >= limit.halved) else { return };
        limit.rate += STEP / limit.rate;
        if limit.rate >= limit.refused * 2.0 || now.saturating_duration_since(limit.halved) > FORGET {
            self.limit = None;
        }
    }

    fn refused(&mut self, sent: Instant, now: Instant, pause: Duration) {
        let current = self.limit.as_ref().map_or_else(|| self.rate(), |limit| limit.rate);
        match &mut self.limit {
            Some(limit) if sent < limit.halved => {
                if now + pause > limit.next {
                    limit.next = now + pause;
                    self.queue += 1;
                }
            }
            limit => {
                let rate = (current / 2.0).max(SLOWEST);
                let next = now + pause.max(gap(rate));
                *limit = Some(Limit { rate, refused: current.max(rate), halved: now, next });
                self.queue += 1;
            }
        }
    }
}

fn gap(rate: f64) -> Duration {
    Duration::from_secs_f64(1.0 / rate)
}

#[cfg(test)]
mod tests;
