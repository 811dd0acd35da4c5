//! When a look is worth a call.
//!
//! How long a condition takes is known as what lies between two looks: it did not hold at the one and held at the
//! other. A condition that was waited for before is expected to take as long again. One that was not is expected to
//! take its usual time, at the speed that this cloud has shown so far: a test cloud may be a hundred times as fast as
//! the real one. Before anything is known the looks begin early and get thinner; and once
//! something held at the first of them, they begin at once, since this cloud may take no time for anything.
//!
//! A cloud that turns out faster than expected is not slowed down for long: the real cloud's usual time is the longest
//! that is expected of an unknown condition, and no gap is longer than five seconds.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::base::usual::{Basis, Usual};

/// The shortest gap between two looks while nothing is known.
const FIRST_GAP: Duration = Duration::from_millis(50);
/// The shortest gap at all.
const SHORTEST_GAP: Duration = Duration::from_millis(5);
/// The longest gap at all.
const LONGEST_GAP: Duration = Duration::from_secs(5);

/// A duration between two looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// So long it took at least.
    pub(super) least: Duration,
    /// So long it took at most.
    pub(super) most: Duration,
}

impl Span {
    /// What both say, or what the later one says when they differ.
    fn narrowed(self, later: Self) -> Self {
        let both = Self { least: self.least.max(later.least), most: self.most.min(later.most) };
        if both.least < both.most { both } else { later }
    }

    fn times(self, factor: f64) -> Self {
        Self { least: self.least.mul_f64(factor), most: self.most.mul_f64(factor) }
    }

    /// Whether it says anything: slow answers leave few looks, and a long time between them.
    fn is_vague(self) -> bool {
        self.most > self.least * 4
    }

    /// Whether a look in between would tell more than it costs.
    fn is_wide(self) -> bool {
        self.most > self.least.mul_f64(1.2)
    }
}

/// How fast this cloud is, as all lanes have seen it: the time that a condition with a usual duration of one second
/// takes.
#[derive(Debug, Default)]
pub(super) struct Speed {
    second: Mutex<Option<Span>>,
    /// Something of which nothing was known held at the first look.
    is_instant: AtomicBool,
}

impl Speed {
    /// Whether the first look at a condition of which nothing is known is worth it at once.
    pub(super) fn is_instant(&self) -> bool {
        self.is_instant.load(Ordering::Relaxed)
    }

    fn learn(&self, usual: Duration, took: Span) {
        let Some(scale) = scale(usual) else { return };
        let later = took.times(scale.recip());
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        *second = Some(second.map_or(later, |earlier| earlier.narrowed(later)));
    }

    /// What a condition with this usual duration is expected to take; never longer than usual.
    fn expect(&self, usual: Duration) -> Option<Span> {
        let second = (*self.second.lock().unwrap_or_else(PoisonError::into_inner))?;
        // A wait begins a little after its call, which is more of a short one than of a long one; `most` is late by
        // itself.
        let span = second.times(scale(usual)? * 1.01);
        Some(Span { least: span.least.min(usual / 2), most: span.most.min(usual) })
    }
}

fn scale(usual: Duration) -> Option<f64> {
    (!usual.is_zero()).then_some(usual.as_secs_f64())
}

/// What one lane has learned, condition by condition.
#[derive(Debug, Default)]
pub(super) struct Learned {
    conditions: BTreeMap<&'static str, Span>,
}

impl Learned {
    /// A condition took this long.
    pub(super) fn learn(&mut self, speed: &Speed, condition: &'static str, usual: Usual, took: Span) {
        let known = self.expect(speed, condition, usual);
        if known.is_none() && took.least.is_zero() {
            speed.is_instant.store(true, Ordering::Relaxed);
        }
        let took = known.map_or(took, |known| known.narrowed(took));
        if took.is_vague() {
            self.conditions.remove(condition);
            return;
        }
        self.conditions.insert(condition, took);
        if !took.least.is_zero() {
            speed.is_instant.store(false, Ordering::Relaxed);
        }
        // What the usual time is a guess of says nothing of others.
        if usual.basis == Basis::Published {
            speed.learn(usual.takes, took);
        }
    }

    /// What a condition is expected to take; nothing when nothing is known yet.
    pub(super) fn expect(&self, speed: &Speed, condition: &'static str, usual: Usual) -> Option<Span> {
        let known = self.conditions.get(condition).copied();
        known.or_else(|| if usual.basis == Basis::Documented { None } else { speed.expect(usual.takes) })
    }
}

/// How long to wait with the first look. What was set in motion just now is hardly over at once.
pub(super) fn first_gap(expected: Option<Span>) -> Duration {
    expected.map_or(FIRST_GAP, |span| worth_it(span).min(LONGEST_GAP))
}

/// How long to wait with the next look, at a condition that did not hold after so long.
pub(super) fn next_gap(expected: Option<Span>, speed: &Speed, usual: Usual, waited: Duration) -> Duration {
    let is_known_by_settings = usual.basis == Basis::Documented && !speed.is_instant();
    let gap = match expected {
        Some(span) if waited < worth_it(span) => worth_it(span).saturating_sub(waited),
        Some(span) if waited < span.most => span.most.saturating_sub(waited).max(span.most / 20),
        Some(span) => (waited.saturating_sub(span.most) / 2).max(span.most / 20),
        // Known by its settings, not by its speed: a look at once, then one when they say so; but a cloud that takes no
        // time for anything may not take that either.
        None if is_known_by_settings && waited < usual.takes => usual.takes.saturating_sub(waited),
        None if is_known_by_settings => (waited.saturating_sub(usual.takes) / 2).max(usual.takes / 10),
        None if waited < usual.takes / 10 => (waited / 2).max(FIRST_GAP),
        // It is not one of the fast ones.
        None => (usual.takes.abs_diff(waited) / 2).max(usual.takes / 5),
    };
    gap.clamp(SHORTEST_GAP, LONGEST_GAP)
}

/// The earliest moment between two ticks of a lane, so that those who are due nearly together are looked at together.
pub(super) fn shortest_gap(expected: Option<Span>, speed: &Speed) -> Duration {
    let unknown = if speed.is_instant() { SHORTEST_GAP } else { FIRST_GAP };
    let gap = expected.map_or(unknown, |span| span.most / 20);
    gap.clamp(SHORTEST_GAP, Duration::from_secs(1))
}

/// When to look first: when it should hold for sure, or a little before, so that more is known next time.
fn worth_it(span: Span) -> Duration {
    if span.is_wide() { span.least + span.most.saturating_sub(span.least) * 3 / 4 } else { span.most }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::usual;

    fn milliseconds(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    fn span(least: u64, most: u64) -> Span {
        Span { least: milliseconds(least), most: milliseconds(most) }
    }

    #[test]
    fn nothing_known_means_an_early_look_and_then_thinner_and_thinner() {
        assert_eq!(first_gap(None), FIRST_GAP);
        let gaps = [0, 50, 200, 400]
            .map(|waited| next_gap(None, &Speed::default(), usual::VPC, milliseconds(waited)));
        assert_eq!(gaps, [50, 50, 100, 200].map(milliseconds));
        // Then it is a real cloud, and denser where it is expected.
        let gaps = [1000, 4000, 5000]
            .map(|waited| next_gap(None, &Speed::default(), usual::VPC, milliseconds(waited)));
        assert_eq!(gaps, [2000, 1000, 1000].map(milliseconds));
    }

    #[test]
    fn what_one_condition_took_is_the_speed_at_which_others_are_expected() {
        let (speed, mut vpcs, balancers) = (Speed::default(), Learned::default(), Learned::default());
        assert_eq!(balancers.expect(&speed, "Active", usual::LOAD_BALANCER_ACTIVE), None);
        vpcs.learn(&speed, "Available", usual::VPC, span(90, 100));
        let usual = usual::LOAD_BALANCER_ACTIVE;
        let expected = balancers.expect(&speed, "Active", usual).expect("it is known");
        assert_eq!(first_gap(Some(expected)), milliseconds(606));
        assert_eq!(next_gap(Some(expected), &speed, usual, milliseconds(606)), expected.most / 20);
    }

    #[test]
    fn a_slow_condition_does_not_make_others_expected_later_than_usual() {
        let (speed, mut vpcs, instances) = (Speed::default(), Learned::default(), Learned::default());
        vpcs.learn(&speed, "Available", usual::VPC, span(50_000, 60_000));
        let expected = instances.expect(&speed, "Running", usual::INSTANCE_RUNNING).expect("it is known");
        assert_eq!(expected.most, usual::INSTANCE_RUNNING.takes);
        assert_eq!(first_gap(Some(expected)), LONGEST_GAP, "and a look every five seconds in any case");
    }

    #[test]
    fn what_probes_decide_does_not_follow_the_speed() {
        let (speed, mut vpcs, health) = (Speed::default(), Learned::default(), Learned::default());
        vpcs.learn(&speed, "Available", usual::VPC, span(90, 100));
        assert_eq!(health.expect(&speed, "healthy servers", usual::HEALTHY), None);
        assert_eq!(next_gap(None, &Speed::default(), usual::HEALTHY, Duration::ZERO), usual::HEALTHY.takes);
    }

    #[test]
    fn looks_narrow_what_is_known_and_the_latest_is_believed() {
        assert_eq!(span(50, 100).narrowed(span(80, 120)), span(80, 100));
        assert_eq!(span(50, 100).narrowed(span(0, 100)), span(50, 100));
        assert_eq!(span(50, 100).narrowed(span(200, 300)), span(200, 300));
    }

    #[test]
    fn a_look_within_a_wide_span_narrows_it() {
        assert_eq!(first_gap(Some(span(100, 110))), milliseconds(110));
        assert_eq!(first_gap(Some(span(100, 200))), milliseconds(175));
        assert_eq!(
            next_gap(Some(span(100, 200)), &Speed::default(), usual::VPC, milliseconds(175)),
            milliseconds(25)
        );
    }

    #[test]
    fn a_guess_that_was_wrong_does_not_spoil_the_speed() {
        let (speed, mut vpcs, mut assistants) = (Speed::default(), Learned::default(), Learned::default());
        vpcs.learn(&speed, "Available", usual::VPC, span(90, 100));
        let before = speed.expect(usual::VPC.takes);
        assistants.learn(&speed, "the Cloud Assistant", usual::ASSISTANT, span(8, 10));
        assert_eq!(speed.expect(usual::VPC.takes), before);
        let expected = assistants.expect(&speed, "the Cloud Assistant", usual::ASSISTANT);
        assert_eq!(expected, Some(span(8, 10)));
    }

    #[test]
    fn a_cloud_that_takes_no_time_is_looked_at_at_once() {
        let (speed, mut vpcs, mut health) = (Speed::default(), Learned::default(), Learned::default());
        vpcs.learn(&speed, "Available", usual::VPC, span(90, 100));
        health.learn(&speed, "healthy servers", usual::HEALTHY, span(900, 1_000));
        assert!(!speed.is_instant());
        let speed = Speed::default();
        vpcs = Learned::default();
        vpcs.learn(&speed, "Available", usual::VPC, span(0, 50));
        assert!(speed.is_instant());
        assert_eq!(next_gap(None, &speed, usual::HEALTHY, Duration::ZERO), FIRST_GAP);
        vpcs.learn(&speed, "Available", usual::VPC, span(90, 100));
        assert!(!speed.is_instant(), "this one took its time");
    }

    #[test]
    fn what_slow_answers_tell_is_too_vague_to_wait_by() {
        let (speed, mut vpcs) = (Speed::default(), Learned::default());
        vpcs.learn(&speed, "Available", usual::VPC, span(50, 1_700));
        assert_eq!(vpcs.expect(&speed, "Available", usual::VPC), None);
        assert_eq!(speed.expect(usual::INSTANCE_RUNNING.takes), None);
    }
}
