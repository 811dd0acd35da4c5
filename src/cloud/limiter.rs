//! Slows the calls of a product down when the cloud says that there are too many, and lets them go again.
//!
//! Limits differ by account, action and day, and other programs of the account share them: nobody can know them
//! beforehand. So the rate is found out, as congestion control finds it (additive increase, multiplicative decrease):
//!
//! - while nothing is refused there is no limit, and a call costs a look at a counter;
//! - a refusal halves the rate that the product was called at, and all its calls queue for their turn at that rate;
//!   refusals of calls that were under way already do not halve it again;
//! - calls that succeed raise the rate by [`STEP`] calls a second each second, until it is twice what was refused and
//!   [`LIFT`] at least and nobody queues, or nothing was refused for [`FORGET`]: then there is no limit any more;
//! - who queues goes in the order of arrival, each at the rate that holds when its turn comes.
//!
//! A client has one account, so a limiter is for one account.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as Turn;
use tokio::time::Instant;

use crate::base::retry::Deadline;
use crate::cloud::Product;

/// Calls a second that are added each second.
const STEP: f64 = 1.0;
/// No limit below this is lifted, in calls a second: one good answer after a long pause proves little.
const LIFT: f64 = 4.0;
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
    queues: Queues,
}

/// A queue for each product: whoever holds it is the next to go, the others wait in the order of arrival.
#[derive(Debug)]
struct Queues(BTreeMap<Product, Turn<()>>);

impl Default for Queues {
    fn default() -> Self {
        Self(Product::ALL.into_iter().map(|product| (product, Turn::default())).collect())
    }
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
        if self.gate(product, |gate| gate.due(Instant::now())).is_some() {
            // Past the deadline it goes all the same.
            let _ = tokio::time::timeout(deadline.remaining(), self.turn(product)).await;
        }
        let at = Instant::now();
        self.gate(product, |gate| gate.count(at));
        Admission { product, at }
    }

    /// Waits until a call may go.
    async fn turn(&self, product: Product) {
        let _first = match self.queues.0.get(&product) {
            Some(queue) => Some(queue.lock().await),
            None => None,
        };
        while let Some(due) = self.gate(product, |gate| gate.take_turn(Instant::now())) {
            tokio::time::sleep_until(due).await;
        }
    }

    /// A call was not refused for being one too many.
    pub(crate) fn accepted(&self, admission: Admission) {
        let queued = self.queues.0.get(&admission.product).is_some_and(|queue| queue.try_lock().is_err());
        self.gate(admission.product, |gate| gate.accepted(admission.at, Instant::now(), queued));
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
    /// When the last call went.
    last: Instant,
    /// The cloud asked to be left alone until then.
    quiet: Instant,
}

impl Gate {
    /// When the next call may go; none when nothing is limited.
    fn due(&mut self, now: Instant) -> Option<Instant> {
        let limit = self.limit.as_ref()?;
        if now.saturating_duration_since(limit.halved) > FORGET {
            self.limit = None;
            return None;
        }
        Some((limit.last + gap(limit.rate)).max(limit.quiet))
    }

    /// None when a call goes now, else when to ask again.
    fn take_turn(&mut self, now: Instant) -> Option<Instant> {
        let due = self.due(now)?;
        if due > now {
            return Some(due);
        }
        if let Some(limit) = &mut self.limit {
            limit.last = now;
        }
        None
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

    /// A limit that somebody queues for is not lifted: all of them would go at once and be refused again.
    fn accepted(&mut self, sent: Instant, now: Instant, queued: bool) {
        let Some(limit) = self.limit.as_mut().filter(|limit| sent >= limit.halved) else { return };
        limit.rate += STEP / limit.rate.max(STEP);
        let enough = limit.rate >= (limit.refused * 2.0).max(LIFT);
        if (enough && !queued) || now.saturating_duration_since(limit.halved) > FORGET {
            self.limit = None;
        }
    }

    fn refused(&mut self, sent: Instant, now: Instant, pause: Duration) {
        let current = self.limit.as_ref().map_or_else(|| self.rate(), |limit| limit.rate);
        match &mut self.limit {
            Some(limit) if sent < limit.halved => limit.quiet = limit.quiet.max(now + pause),
            limit => {
                let rate = (current / 2.0).max(SLOWEST);
                let refused = current.max(rate);
                *limit = Some(Limit { rate, refused, halved: now, last: now, quiet: now + pause });
            }
        }
    }
}

fn gap(rate: f64) -> Duration {
    Duration::from_secs_f64(1.0 / rate)
}

#[cfg(test)]
mod tests;
