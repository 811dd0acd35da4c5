//! What has happened by itself, with when it began and when it was over: how long the cloud took, whoever watched.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use crate::plane::spec::Health;
use crate::world::event::Event;
use crate::world::{Moment, World};

/// How many are remembered.
const MOST: usize = 10_000;

/// Something that took its time.
#[derive(Debug, Clone, Serialize)]
pub struct Transition {
    /// When it began.
    pub since: Moment,
    /// When it was over.
    pub at: Moment,
    /// What it was.
    pub what: What,
}

/// What took its time.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum What {
    /// It was due.
    Event(Event),
    /// A machine began to run, or a server's probes found it well: the data plane took as long as it took.
    Plane(Plane),
}

/// What the data plane took its time for.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Plane {
    /// The machine of this instance runs, since it had booted.
    HostReady(String),
    /// All servers behind this listener are healthy, since they were not, or since it was made.
    ServersHealthy(String),
}

/// The last ones.
#[derive(Debug, Clone, Default)]
pub struct Transitions {
    past: VecDeque<Transition>,
    /// Listeners with servers that are not healthy after all were, with since when.
    unwell: BTreeMap<String, Moment>,
}

impl Transitions {
    pub(super) fn add(&mut self, since: Moment, at: Moment, what: What) {
        if self.past.len() == MOST {
            self.past.pop_front();
        }
        self.past.push_back(Transition { since, at, what });
    }

    /// From the oldest on.
    pub fn iter(&self) -> impl Iterator<Item = &Transition> {
        self.past.iter()
    }
}

impl World {
    /// Notes which listeners have only healthy servers since now.
    pub(super) fn note_health(&mut self, before: &BTreeMap<String, BTreeMap<String, Health>>) {
        let is_healthy = |servers: Option<&BTreeMap<String, Health>>| {
            servers.is_some_and(|servers| {
                !servers.is_empty() && servers.values().all(|health| *health == Health::Healthy)
            })
        };
        for (listener, servers) in &self.health {
            let Some(known) = self.listeners.get(listener) else { continue };
            match (is_healthy(before.get(listener)), is_healthy(Some(servers))) {
                (true, false) => {
                    self.transitions.unwell.insert(listener.clone(), self.now);
                }
                (false, true) => {
                    let since = self.transitions.unwell.remove(listener).unwrap_or(known.meta.created);
                    let what = What::Plane(Plane::ServersHealthy(listener.clone()));
                    self.transitions.add(since, self.now, what);
                }
                (true, true) | (false, false) => {}
            }
        }
        let listeners = &self.listeners;
        self.transitions.unwell.retain(|listener, _| listeners.contains_key(listener));
    }
}
