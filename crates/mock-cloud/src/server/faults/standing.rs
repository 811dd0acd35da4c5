//! Faults of the data plane that were asked for: when each begins and ends, and what they come to at a moment.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::plane::spec::Troubles;
use crate::server::faults::PlaneFault;
use crate::world::instance::Instance;
use crate::world::{Moment, World};

/// A fault of the data plane that was asked for.
#[derive(Debug, Clone)]
pub struct PlaneWish {
    /// A host by name, id or address, or a name of the DNS.
    pub(super) target: String,
    pub(super) fault: PlaneFault,
    /// From when it is asked for until it begins.
    pub(super) begins_in: Duration,
    /// Until it is lifted when absent.
    pub(super) lasts: Option<Duration>,
}

/// Who wanted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A file or a person.
    Asked,
    /// A seed.
    Drawn,
}

/// One of them.
#[derive(Debug)]
struct Entry {
    wish: PlaneWish,
    origin: Origin,
    begins: Moment,
    ends: Option<Moment>,
}

/// Those that are not over, by number.
#[derive(Debug, Default)]
pub(super) struct Standing {
    entries: BTreeMap<u64, Entry>,
    /// What has begun by then is in force.
    seen: Moment,
}

impl Standing {
    pub(super) fn add(&mut self, number: u64, wish: PlaneWish, origin: Origin, now: Moment) {
        let begins = now + milliseconds(wish.begins_in);
        let ends = wish.lasts.map(|lasts| begins + milliseconds(lasts));
        self.entries.insert(number, Entry { wish, origin, begins, ends });
    }

    /// Takes one back; whether there was one.
    pub(super) fn lift(&mut self, number: u64) -> bool {
        self.entries.remove(&number).is_some()
    }

    /// Forgets those that are over; whether one of them ended or began since the last time.
    pub(super) fn pass(&mut self, now: Moment) -> bool {
        let before = self.entries.len();
        self.entries.retain(|_, entry| entry.ends.is_none_or(|ends| ends > now));
        let since = std::mem::replace(&mut self.seen, now);
        let began = |entry: &Entry| since < entry.begins && entry.begins <= now;
        self.entries.len() != before || self.entries.values().any(began)
    }

    /// When the next one begins or ends.
    pub(super) fn next(&self, now: Moment) -> Option<Moment> {
        let moments = self.entries.values().flat_map(|entry| [Some(entry.begins), entry.ends]);
        moments.flatten().filter(|moment| *moment > now).min()
    }

    /// What is wrong now, with what there is.
    pub(super) fn troubles(&self, world: &World, now: Moment) -> Troubles {
        let mut troubles = Troubles::default();
        for entry in self.entries.values().filter(|entry| entry.begins <= now) {
            let PlaneWish { target, fault, .. } = &entry.wish;
            if fault.is_of_name() {
                troubles.stale_names.insert(target.trim_end_matches('.').to_ascii_lowercase());
                continue;
            }
            for instance in fitting(world, target) {
                if let PlaneFault::NetworkCut { to } = fault {
                    let others = fitting(world, to).filter(|other| other.id != instance.id);
                    troubles.cuts.extend(others.map(|other| ordered(&instance.id, &other.id)));
                } else {
                    fault.worsen(troubles.instances.entry(instance.id.clone()).or_default());
                }
            }
        }
        troubles
    }

    /// All of them, for people, with their numbers.
    pub(super) fn describe(&self, world: &World, now: Moment) -> Vec<(u64, Value)> {
        let describe = |(number, entry): (&u64, &Entry)| {
            let kind = if entry.wish.fault.is_of_name() { "name" } else { "host" };
            let described = json!({
                kind: entry.wish.target,
                "fault": entry.wish.fault.word(),
                "settings": entry.wish.fault.settings(),
                "state": entry.state(world, now),
                "begins_in": (entry.begins - now).max(0),
                "ends_in": entry.ends.map(|ends| (ends - now).max(0)),
                "drawn": entry.origin == Origin::Drawn,
            });
            (*number, described)
        };
        self.entries.iter().map(describe).collect()
    }
}

impl Entry {
    fn state(&self, world: &World, now: Moment) -> &'static str {
        let PlaneWish { target, fault, .. } = &self.wish;
        if self.begins > now {
            "to come"
        } else if fault.is_of_name() || fitting(world, target).next().is_some() {
            "in force"
        } else {
            "waits for its host"
        }
    }
}

/// The instances that a person means.
pub(in crate::server) fn fitting<'a>(
    world: &'a World,
    target: &'a str,
) -> impl Iterator<Item = &'a Instance> {
    let means = move |instance: &&Instance| {
        instance.name == target || instance.id == target || instance.private_address.to_string() == target
    };
    world.instances.values().filter(means)
}

fn ordered(one: &str, other: &str) -> (String, String) {
    let (first, second) = if one < other { (one, other) } else { (other, one) };
    (first.to_owned(), second.to_owned())
}

fn milliseconds(span: Duration) -> Moment {
    Moment::try_from(span.as_millis()).unwrap_or(Moment::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(begins_in: u64, lasts: Option<u64>) -> PlaneWish {
        PlaneWish {
            target: "ecs01".to_owned(),
            fault: PlaneFault::Freeze {},
            begins_in: Duration::from_secs(begins_in),
            lasts: lasts.map(Duration::from_secs),
        }
    }

    #[test]
    fn a_fault_begins_and_ends_when_it_says() {
        let mut standing = Standing::default();
        standing.pass(1_000);
        standing.add(1, wish(5, Some(10)), Origin::Asked, 1_000);
        standing.add(2, wish(0, None), Origin::Asked, 1_000);
        assert_eq!(standing.next(1_000), Some(6_000));
        assert!(!standing.pass(5_999), "nothing has begun");
        assert!(standing.pass(6_000), "one begins");
        assert_eq!(standing.next(6_000), Some(16_000));
        assert!(!standing.pass(15_999));
        assert!(standing.pass(16_000), "it ends");
        assert_eq!(standing.next(16_000), None, "the other one stays until it is lifted");
        assert!(standing.lift(2) && !standing.lift(2) && !standing.lift(1));
    }
}
