//! Where lines go, in the order they are told, and the sign of life between them.

use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use super::line::Line;
use crate::base::clock;
use crate::cli::exit::ExitStatus;

/// How long nothing is said at most. The contract says ten seconds, so that a busy machine keeps it too.
const SILENCE: Duration = Duration::from_secs(8);

/// The lines of one command.
pub(super) struct Stream {
    is_on_stdout: bool,
    began: Instant,
    state: Mutex<State>,
}

struct State {
    places: Vec<Box<dyn Write + Send>>,
    said: Instant,
    is_over: bool,
}

/// A line with the time at which it was told.
#[derive(Serialize)]
struct Stamped<'a, 'l> {
    #[serde(flatten)]
    line: &'a Line<'l>,
    at: Timestamp,
}

impl Stream {
    pub(super) fn new(places: Vec<Box<dyn Write + Send>>, is_on_stdout: bool) -> Self {
        let now = Instant::now();
        Self { is_on_stdout, began: now, state: Mutex::new(State { places, said: now, is_over: false }) }
    }

    pub(super) fn is_on_stdout(&self) -> bool {
        self.is_on_stdout
    }

    pub(super) fn tell(&self, line: &Line<'_>) {
        self.state().write(line);
    }

    pub(super) fn end(&self, status: ExitStatus) {
        self.state().end(status, self.began);
    }

    /// Does not wait for somebody whose line nobody reads.
    pub(super) fn end_at_once(&self, status: ExitStatus) {
        if let Ok(mut state) = self.state.try_lock() {
            state.end(status, self.began);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whoever does not listen any more is not spoken to again; the work goes on.
    fn write(&mut self, line: &Line<'_>) {
        if self.is_over {
            return;
        }
        let stamped = Stamped { line, at: clock::now() };
        let mut text = serde_json::to_string(&stamped).expect("a line has texts and numbers");
        text.push('\n');
        self.places.retain_mut(|place| match place.write_all(text.as_bytes()).and_then(|()| place.flush()) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!("events are not written any more: {error}");
                false
            }
        });
        self.said = Instant::now();
    }

    fn end(&mut self, status: ExitStatus, began: Instant) {
        self.write(&Line::End { exit_code: status.code(), means: status.means(), seconds: began.elapsed() });
        self.is_over = true;
    }
}

/// Says that the command is at work whenever nothing else was said for a while.
pub(super) async fn beat(stream: Weak<Stream>) {
    while let Some(said) = stream.upgrade().map(|stream| stream.state().said) {
        tokio::time::sleep_until(said + SILENCE).await;
        let Some(stream) = stream.upgrade() else { return };
        let mut state = stream.state();
        if state.said == said {
            state.write(&Line::Heartbeat {});
        }
        if state.is_over {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use serde_json::Value;

    use super::*;

    /// A place that can be read.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Kept {
        fn lines(&self) -> Vec<Value> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    }

    /// A reader that has gone.
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn notice(text: &str) -> Line<'_> {
        Line::Notice { text }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silence_has_a_heartbeat_every_ten_seconds_at_most_and_no_other_time_has_one() {
        let kept = Kept::default();
        let stream = Arc::new(Stream::new(vec![Box::new(kept.clone())], true));
        tokio::spawn(beat(Arc::downgrade(&stream)));
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            stream.tell(&notice("something"));
        }
        assert!(kept.lines().iter().all(|line| line["type"] == "notice"), "{:?}", kept.lines());
        tokio::time::sleep(Duration::from_mins(1)).await;
        let beats = kept.lines().iter().filter(|line| line["type"] == "heartbeat").count();
        assert!((6..=8).contains(&beats), "{beats} heartbeats in a minute");
        stream.end(ExitStatus::Done);
        let lines = kept.lines().len();
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(kept.lines().len(), lines, "after its end nothing is said");
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_line_says_how_it_ended_and_none_comes_after_it() {
        let kept = Kept::default();
        let stream = Stream::new(vec![Box::new(kept.clone())], true);
        tokio::time::advance(Duration::from_millis(1500)).await;
        stream.end(ExitStatus::PartlyApplied);
        stream.tell(&notice("too late"));
        stream.end_at_once(ExitStatus::Interrupted);
        let [end] = &kept.lines()[..] else { panic!("{:?}", kept.lines()) };
        assert_eq!(
            (&end["type"], &end["exit_code"], &end["seconds"]),
            (&"end".into(), &3.into(), &1.5.into())
        );
    }

    #[test]
    fn a_reader_that_goes_away_stops_neither_the_work_nor_the_file() {
        let kept = Kept::default();
        let stream = Stream::new(vec![Box::new(Closed), Box::new(kept.clone())], true);
        stream.tell(&notice("one"));
        stream.tell(&notice("two"));
        assert_eq!(kept.lines().len(), 2);
    }
}
