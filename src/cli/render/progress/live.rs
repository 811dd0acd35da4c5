//! Lines at the bottom of a terminal: one for each thing under way, cut at its width, with what ended above them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::glyphs::Glyphs;
use super::line;
use super::timetable::Timetable;
use crate::apply::event::Event;
use crate::cli::say;
use crate::resource::ResourceAddress;

/// How often something that turns looks different.
const TURN: Duration = Duration::from_millis(120);

/// The lines, by what they are about.
#[derive(Default)]
pub(super) struct Live {
    lines: Mutex<BTreeMap<ResourceAddress, ProgressBar>>,
}

impl Live {
    /// Shows an event.
    pub(super) fn show(&self, event: &Event, timetable: &Timetable, glyphs: &Glyphs) {
        // What is finished for an earlier command has no line that changes.
        let of_earlier = (!timetable.has_begun()).then(|| line::plain(event)).flatten();
        let stays = line::ended(event, glyphs).or(of_earlier);
        self.redraw(timetable, glyphs);
        if let Some(stays) = stays {
            say::on_stderr(&format!("  {stays}"));
        }
    }

    /// Makes the lines those of what is under way now.
    pub(super) fn redraw(&self, timetable: &Timetable, glyphs: &Glyphs) {
        let mut lines = self.lines();
        lines.retain(|address, line| {
            let stays = timetable.under_way.contains_key(address);
            if !stays {
                line.finish_and_clear();
            }
            stays
        });
        let moment = timetable.elapsed().as_millis() / TURN.as_millis();
        let turn = glyphs.turn(usize::try_from(moment).unwrap_or_default());
        for (address, one) in &timetable.under_way {
            let shown = lines.entry(address.clone()).or_insert_with(new_line);
            shown.set_message(line::live(address, one, turn));
        }
    }

    fn lines(&self) -> MutexGuard<'_, BTreeMap<ResourceAddress, ProgressBar>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn new_line() -> ProgressBar {
    // A wide message is as wide as the terminal at most, however wide that is now.
    let style = ProgressStyle::with_template("{wide_msg}").expect("a template");
    say::live_lines().add(ProgressBar::new_spinner().with_style(style))
}

/// Redraws again and again, for as long as there is something to redraw.
pub(super) async fn keep_moving(redraw: impl Fn() -> bool) {
    let mut turns = tokio::time::interval(TURN);
    while redraw() {
        turns.tick().await;
    }
}
