//! The world as it was: kept only while a fault may ask for it, and no longer than that fault looks back.

use std::collections::VecDeque;

use crate::world::{Moment, World};

/// The world after each of the last changes.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<(Moment, World)>);

impl History {
    /// Keeps the world of now, when something happened since the last one that was kept.
    pub(super) fn keep(&mut self, world: &World, longest: i64) {
        if longest == 0 {
            self.0.clear();
            return;
        }
        if self.0.back().is_none_or(|(_, last)| last.revision() != world.revision()) {
            self.0.push_back((world.now, world.clone()));
        }
        // The last one before the horizon is what the world still looked like there.
        while self.0.get(1).is_some_and(|(moment, _)| *moment <= world.now.saturating_sub(longest)) {
            self.0.pop_front();
        }
    }

    /// The world as it was so many milliseconds before, or as early as is known.
    pub(super) fn world_before(&self, world: &World, milliseconds: i64) -> World {
        let then = world.now.saturating_sub(milliseconds);
        let known = self.0.iter().rev().find(|(moment, _)| *moment <= then).or_else(|| self.0.front());
        let mut past = known.map_or_else(|| world.clone(), |(_, past)| past.clone());
        past.advance(then);
        past
    }
}
