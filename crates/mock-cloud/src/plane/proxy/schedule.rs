//! Who is next: the schedulers of a server group, over the servers that may serve.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::plane::proxy::backend::Backend;
use crate::plane::spec::{Scheduler, ServerGroup};

/// A weight of one, so that a server that warms up can have less.
const UNIT: u64 = 1000;

/// A server's place in the rotation.
pub(super) struct Slot {
    pub(super) backend: Arc<Backend>,
    pub(super) weight: u16,
    /// Grows by the share each turn and falls by the total when chosen: smooth weighted round robin.
    credit: i64,
    start: Start,
}

/// How far a server is from its full share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// Not seen healthy yet.
    Cold,
    /// Healthy since then, while others were.
    Warming(Instant),
    /// At its full share.
    Warm,
}

impl Slot {
    pub(super) fn new(backend: Arc<Backend>, weight: u16) -> Self {
        Self { backend, weight, credit: 0, start: Start::Cold }
    }

    fn may_serve(&self) -> bool {
        self.weight > 0 && self.backend.is_healthy()
    }

    /// Its weight, less while it warms up; never nothing.
    fn share(&self, slow_start: Option<Duration>, now: Instant) -> u64 {
        let full = u64::from(self.weight) * UNIT;
        let (Start::Warming(since), Some(whole)) = (self.start, slow_start) else { return full };
        let (gone, whole) = (now.saturating_duration_since(since).as_millis(), whole.as_millis().max(1));
        let part = u64::try_from(u128::from(full) * gone / whole).unwrap_or(full);
        part.clamp(full / 100, full)
    }
}

/// The server for the next request.
pub(super) fn choose(
    slots: &mut BTreeMap<String, Slot>,
    group: &ServerGroup,
    client: IpAddr,
) -> Option<Arc<Backend>> {
    warm(slots, group.slow_start);
    let now = Instant::now();
    let able: Vec<(&mut Slot, u64)> = slots
        .values_mut()
        .filter(|slot| slot.may_serve())
        .map(|slot| {
            let share = slot.share(group.slow_start, now);
            (slot, share)
        })
        .collect();
    match group.scheduler {
        Scheduler::RoundRobin => by_turns(able),
        Scheduler::LeastConnections => by_turns(least_busy(able)),
        Scheduler::SourceHash => by_hash(&able, client),
    }
}

/// The server that a cookie names, while it can serve.
pub(super) fn named(slots: &BTreeMap<String, Slot>, cookie: &str) -> Option<Arc<Backend>> {
    let slot = slots.values().find(|slot| slot.may_serve() && slot.backend.cookie() == cookie);
    slot.map(|slot| Arc::clone(&slot.backend))
}

/// A new server warms up when it is healthy and another one was before it.
fn warm(slots: &mut BTreeMap<String, Slot>, slow_start: Option<Duration>) {
    let has_warm = slots.values().any(|slot| slot.start != Start::Cold && slot.may_serve());
    for slot in slots.values_mut().filter(|slot| slot.start == Start::Cold) {
        if let Some(since) = slot.backend.healthy_since() {
            let is_slow = has_warm && slow_start.is_some();
            slot.start = if is_slow { Start::Warming(since) } else { Start::Warm };
        }
    }
}

fn by_turns(able: Vec<(&mut Slot, u64)>) -> Option<Arc<Backend>> {
    let mut total = 0;
    let mut best: Option<&mut Slot> = None;
    for (slot, share) in able {
        let share = i64::try_from(share).unwrap_or(i64::MAX);
        total += share;
        slot.credit += share;
        if best.as_ref().is_none_or(|best| slot.credit > best.credit) {
            best = Some(slot);
        }
    }
    best.map(|slot| {
        slot.credit -= total;
        Arc::clone(&slot.backend)
    })
}

/// Those with the fewest open requests and tunnels for their share.
fn least_busy(mut able: Vec<(&mut Slot, u64)>) -> Vec<(&mut Slot, u64)> {
    // Compared as fractions: open / share of the one against that of the other.
    let load = |(slot, share): &(&mut Slot, u64)| (slot.backend.open() as u64, *share);
    let lightest = able.iter().map(load).reduce(
        |one, other| {
            if other.0 * one.1 < one.0 * other.1 { other } else { one }
        },
    );
    if let Some((open, share)) = lightest {
        able.retain(|own| load(own).0 * share == open * load(own).1);
    }
    able
}

/// Rendezvous hashing: when a server comes or goes, only its own clients move.
fn by_hash(able: &[(&mut Slot, u64)], client: IpAddr) -> Option<Arc<Backend>> {
    let score = |(slot, share): &(&mut Slot, u64)| {
        let mut hasher = DefaultHasher::new();
        (client, slot.backend.cookie()).hash(&mut hasher);
        let drawn = u32::try_from(hasher.finish() >> 32).unwrap_or(u32::MAX);
        // Between 0 and 1, never either.
        let drawn = (f64::from(drawn) + 0.5) / (f64::from(u32::MAX) + 1.0);
        f64::from(u32::try_from(*share).unwrap_or(u32::MAX)) / -drawn.ln()
    };
    let best = able.iter().max_by(|one, other| score(one).total_cmp(&score(other)));
    best.map(|(slot, _)| Arc::clone(&slot.backend))
}
