//! Shows what happens while a plan is made true: live lines on a terminal, one plain line an event elsewhere, and at
//! the end where the time went. Programs are told the same ([`events`]).

mod glyphs;
mod line;
mod live;
mod summary;
mod timetable;

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::glyphs::Glyphs;
pub(crate) use self::line::seconds;
use self::live::Live;
use self::timetable::Timetable;
use crate::apply::event::{Event, Sink};
use crate::cli::{environment, events, say};
use crate::plan::forecast::Forecast;
use crate::plan::graph::Operation;

/// Hears what happens, shows it, and knows how long everything took.
#[derive(Clone)]
pub(crate) struct Progress {
    shared: Arc<Shared>,
}

struct Shared {
    timetable: Mutex<Timetable>,
    view: View,
    glyphs: Glyphs,
}

enum View {
    /// Nobody looks.
    Silent,
    /// Lines that stay, as in a log.
    Plain,
    /// Lines that change, at the bottom of a terminal.
    Live(Live),
}

impl Progress {
    /// For the standard error stream as it is.
    pub(crate) fn new() -> Self {
        // A terminal that cannot go back to the beginning of a line shows plain ones.
        let is_live = std::io::stderr().is_terminal() && environment::terminal_kind() != "dumb";
        let view = match (say::narrates(), is_live) {
            (false, _) => View::Silent,
            (true, false) => View::Plain,
            (true, true) => View::Live(Live::default()),
        };
        let glyphs = Glyphs::fit(is_live, environment::locale().as_deref());
        let shared = Arc::new(Shared { timetable: Mutex::new(Timetable::new()), view, glyphs });
        if let View::Live(_) = shared.view {
            let shared = Arc::downgrade(&shared);
            tokio::spawn(live::keep_moving(move || shared.upgrade().map(|shared| shared.redraw()).is_some()));
        }
        Self { shared }
    }

    /// Where events go.
    pub(crate) fn sink(&self) -> Sink {
        let shared = self.shared.clone();
        Arc::new(move |event| shared.take(&event))
    }

    /// From now on times are counted, and compared with what is expected of a plan.
    pub(crate) fn begin(&self, operations: &[Operation], forecast: &Forecast) {
        self.shared.timetable().begin(operations, forecast);
    }

    /// How long everything took.
    pub(crate) fn times(&self) -> summary::Times {
        self.shared.timetable().times()
    }

    /// Shows where the time went, if there is something to tell.
    pub(crate) fn show_times(&self, times: &summary::Times) {
        for line in summary::block(times, &self.shared.glyphs) {
            say::on_stderr(&line);
        }
    }
}

impl Shared {
    fn timetable(&self) -> MutexGuard<'_, Timetable> {
        self.timetable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, event: &Event) {
        let mut timetable = self.timetable();
        timetable.take(event);
        events::tell(&line::of_stream(event, &timetable));
        match &self.view {
            View::Silent => {}
            View::Plain => {
                if let Some(line) = line::plain(event) {
                    say::on_stderr(&format!("{}  {line}", line::clock(timetable.elapsed())));
                }
            }
            View::Live(live) => live.show(event, &timetable, &self.glyphs),
        }
    }

    fn redraw(&self) {
        let timetable = self.timetable();
        if let View::Live(live) = &self.view {
            live.redraw(&timetable, &self.glyphs);
        }
    }
}
