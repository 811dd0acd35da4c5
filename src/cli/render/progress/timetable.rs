//! What was to take how long, what is under way since when, and how long everything took.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::line;
use super::summary::Times;
use crate::apply::event::Event;
use crate::cli::events::Timing;
use crate::plan::forecast::Forecast;
use crate::plan::graph::{Operation, Verb};
use crate::resource::ResourceAddress;

/// How many of the longest operations are told.
const LONGEST: usize = 3;

/// Times of a command.
pub(super) struct Timetable {
    began: Instant,
    /// The plan's operations with what is expected of each.
    planned: Vec<(Operation, Duration)>,
    /// How long all of it is expected to take.
    expected: Duration,
    /// What is under way.
    pub(super) under_way: BTreeMap<ResourceAddress, UnderWay>,
    /// What ended, with the moment at which it did.
    ended: Vec<(Timing, Duration)>,
}

/// Something under way.
#[derive(Debug, Clone)]
pub(super) struct UnderWay {
    pub(super) began: Instant,
    pub(super) expected: Option<Duration>,
    /// What it does now.
    pub(super) says: String,
}

impl Timetable {
    pub(super) fn new() -> Self {
        let (planned, ended) = (Vec::new(), Vec::new());
        let (expected, under_way) = (Duration::ZERO, BTreeMap::new());
        Self { began: Instant::now(), planned, expected, under_way, ended }
    }

    /// A plan begins.
    pub(super) fn begin(&mut self, operations: &[Operation], forecast: &Forecast) {
        let takes = forecast.operations.iter().map(|one| one.takes);
        let planned = operations.iter().cloned().zip(takes).collect();
        *self = Self { planned, expected: forecast.takes(), ..Self::new() };
    }

    /// Whether a plan is being made true.
    pub(super) fn has_begun(&self) -> bool {
        !self.planned.is_empty()
    }

    /// Since the beginning.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// How long an operation usually takes.
    pub(super) fn expected(&self, address: &ResourceAddress, verb: Verb) -> Option<Duration> {
        let is_it = |one: &&(Operation, Duration)| one.0.address == *address && one.0.verb == verb;
        self.planned.iter().find(is_it).map(|(_, takes)| *takes)
    }

    /// Takes down what happened.
    pub(super) fn take(&mut self, event: &Event) {
        match event {
            Event::Started { address, verb, word } => {
                let expected = self.expected(address, *verb);
                let one = UnderWay { began: Instant::now(), expected, says: (*word).to_owned() };
                self.under_way.insert(address.clone(), one);
            }
            Event::Noted { address, text } => self.says(address, text.clone()),
            Event::Waiting { address, condition, state, .. } => {
                self.says(address, line::waiting(condition, state));
            }
            Event::Finished { address, verb, took, .. } => {
                self.under_way.remove(address);
                let (seconds, expected_seconds) = (*took, self.expected(address, *verb));
                let timing = Timing { address: address.clone(), verb: *verb, seconds, expected_seconds };
                self.ended.push((timing, self.elapsed()));
            }
            Event::Left { address, .. } | Event::Failed { address, .. } => {
                self.under_way.remove(address);
            }
        }
    }

    fn says(&mut self, address: &ResourceAddress, text: String) {
        if let Some(one) = self.under_way.get_mut(address) {
            one.says = text;
        }
    }

    /// Where the time went so far.
    pub(super) fn times(&self) -> Times {
        let mut longest: Vec<Timing> = self.ended.iter().map(|(timing, _)| timing.clone()).collect();
        longest.sort_by_key(|timing| std::cmp::Reverse(timing.seconds));
        longest.truncate(LONGEST);
        Times {
            took: self.elapsed(),
            expected: self.expected,
            operations: self.ended.len(),
            longest,
            critical_path: self.critical_path(),
        }
    }

    /// From what ended last back along whatever was waited for longest: what decided when all was done.
    fn critical_path(&self) -> Vec<Timing> {
        let mut path = Vec::new();
        let mut next = self.ended.iter().max_by_key(|(_, at)| *at);
        while let Some((timing, _)) = next {
            path.push(timing.clone());
            next = self.waited_for(timing).max_by_key(|(_, at)| *at);
        }
        path.reverse();
        path
    }

    /// What had to end before an operation could begin.
    fn waited_for(&self, timing: &Timing) -> impl Iterator<Item = &(Timing, Duration)> {
        let is = |operation: &Operation, timing: &Timing| {
            operation.address == timing.address && operation.verb == timing.verb
        };
        let operation = self.planned.iter().find(|(operation, _)| is(operation, timing));
        let before = operation.into_iter().flat_map(|(operation, _)| &operation.after);
        before.filter_map(move |index| {
            let before = &self.planned.get(*index)?.0;
            self.ended.iter().find(|(timing, _)| is(before, timing))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::rollout::Traffic;
    use crate::resource::Kind;

    fn operation(name: &str, after: Vec<usize>) -> Operation {
        let address = ResourceAddress::new(Kind::Instance, name);
        Operation {
            step: address.clone(),
            address,
            verb: Verb::Put,
            after,
            with: None,
            order: None,
            traffic: Traffic::Stays,
        }
    }

    fn finished(name: &str, seconds: u64) -> Event {
        let address = ResourceAddress::new(Kind::Instance, name);
        Event::Finished { address, verb: Verb::Put, id: None, took: Duration::from_secs(seconds) }
    }

    fn names(timings: &[Timing]) -> Vec<&str> {
        timings.iter().map(|timing| timing.address.name.as_str()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_critical_path_goes_along_what_was_waited_for_longest() {
        let planned = [
            operation("base", vec![]),
            operation("quick", vec![0]),
            operation("slow", vec![0]),
            operation("beside", vec![]),
            operation("last", vec![1, 2]),
        ];
        let mut timetable = Timetable::new();
        let forecast = Forecast { operations: Vec::new(), read_first: 0, path: Vec::new() };
        timetable.begin(&planned, &forecast);
        timetable.planned = planned.map(|operation| (operation, Duration::from_secs(9))).into();
        for (name, waits, took) in
            [("base", 1, 1), ("quick", 1, 1), ("slow", 3, 4), ("beside", 1, 6), ("last", 1, 2)]
        {
            tokio::time::advance(Duration::from_secs(waits)).await;
            timetable.take(&finished(name, took));
        }
        let times = timetable.times();
        assert_eq!(names(&times.critical_path), ["base", "slow", "last"]);
        assert_eq!(names(&times.longest), ["beside", "slow", "last"]);
        assert_eq!(times.longest[0].expected_seconds, Some(Duration::from_secs(9)));
        assert_eq!(times.took, Duration::from_secs(7));
    }
}
