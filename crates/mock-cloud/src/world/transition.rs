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
    /// All servers behind this listener are healthy, since it was made.
    ServersHealthy(String),
}

/// The last ones.
#[derive(Debug, Clone, Default)]
pub struct Transitions(VecDeque<Transition>);

impl Transitions {
    pub(super) fn add(&mut self, since: Moment, at: Moment, what: What) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(Transition { since, at, what });
    }

    /// From the oldest on.
    pub fn iter(&self) -> impl Iterator<Item = &Transition> {
        self.0.iter()
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
            let known = self.listeners.get(listener);
            if let Some(known) =
                known.filter(|_| is_healthy(Some(servers)) && !is_healthy(before.get(listener)))
            {
                let what = What::Plane(Plane::ServersHealthy(listener.clone()));
                self.transitions.add(known.meta.created, self.now, what);
            }
        }
    }
}
