//! The words of what happens: for a log, for the line of something under way, for programs.

use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::glyphs::{ASCII, Glyphs};
use super::timetable::{Timetable, UnderWay};
use crate::apply::event::Event;
use crate::cli::events;
use crate::plan::graph::Verb;
use crate::resource::ResourceAddress;

/// A wait that is over so soon needs no line of its own where lines stay.
const BRIEF: Duration = Duration::from_secs(1);

/// The line of an event that stays.
pub(super) fn plain(event: &Event) -> Option<String> {
    Some(match event {
        Event::Started { address, word, .. } => format!(".. {address}: {word}"),
        Event::Noted { address, text } => format!("   {address}: {text}"),
        Event::Waiting { waited, .. } if *waited < BRIEF => return None,
        Event::Waiting { address, condition, state, waited } => {
            format!("   {address}: {}, {} s", waiting(condition, state), waited.as_secs())
        }
        Event::Finished { .. } | Event::Left { .. } | Event::Failed { .. } => return ended(event, &ASCII),
    })
}

/// The line of something that ended, if it did.
pub(super) fn ended(event: &Event, glyphs: &Glyphs) -> Option<String> {
    let (style, glyph) = match event {
        Event::Finished { .. } => (AnsiColor::Green.on_default(), glyphs.done),
        Event::Failed { .. } => (AnsiColor::Red.on_default(), glyphs.failed),
        Event::Left { .. } => (Style::new(), glyphs.left),
        Event::Started { .. } | Event::Noted { .. } | Event::Waiting { .. } => return None,
    };
    Some(format!("{style}{glyph}{style:#} {}", ending(event)?))
}

/// How something ended, in words.
fn ending(event: &Event) -> Option<String> {
    match event {
        Event::Finished { address, verb, id, took } => {
            let id = id.as_ref().map(|id| format!("  {id}")).unwrap_or_default();
            let done = match verb {
                Verb::Put => "done",
                Verb::Delete => "gone",
            };
            Some(format!("{address}: {done} in {}{id}", seconds(*took)))
        }
        Event::Failed { address, took } => Some(format!("{address}: failed after {}", seconds(*took))),
        Event::Left { address, condition, took } => Some(format!(
            "{address}: left after {}, the cloud goes on; the next command waits for {condition}",
            seconds(*took)
        )),
        Event::Started { .. } | Event::Noted { .. } | Event::Waiting { .. } => None,
    }
}

/// `waiting for Running, is Starting`; the time is added where no clock runs beside it.
pub(super) fn waiting(condition: &str, state: &str) -> String {
    format!("waiting for {condition}, is {state}")
}

/// The line of something under way, of whatever length: the times come first, as the end is what may be cut off.
///
/// `|   12 s of  45 s  instance.ecs01: waiting for Running, is Starting`
pub(super) fn live(address: &ResourceAddress, one: &UnderWay, turn: char) -> String {
    let expected = one.expected.map(|expected| {
        let whole = expected.as_secs_f64().ceil();
        format!(" of {whole:>3.0} s")
    });
    let elapsed = one.began.elapsed().as_secs();
    format!("  {turn} {elapsed:>4} s{:9}  {address}: {}", expected.unwrap_or_default(), one.says)
}

/// `  12.3 s`: the time since the beginning, in a column of its own.
pub(super) fn clock(elapsed: Duration) -> String {
    format!("{:>6.1} s", elapsed.as_secs_f64())
}

/// `0.4 ms`, `12 ms`, `0.3 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    if duration < Duration::from_millis(10) {
        format!("{:.1} ms", duration.as_secs_f64() * 1e3)
    } else if duration < Duration::from_millis(100) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

/// An event as programs are told it.
pub(super) fn of_stream<'e>(event: &'e Event, timetable: &Timetable) -> events::Line<'e> {
    match event {
        Event::Started { address, verb, word } => {
            let expected_seconds = timetable.expected(address, *verb);
            events::Line::Started { address, verb: *verb, action: word, expected_seconds }
        }
        Event::Noted { address, text } => events::Line::Noted { address, text },
        Event::Waiting { address, condition, state, waited } => {
            events::Line::Waiting { address, condition, state, seconds: *waited }
        }
        Event::Finished { address, verb, id, took } => {
            events::Line::Finished { address, verb: *verb, id: id.as_deref(), seconds: *took }
        }
        Event::Left { address, condition, took } => events::Line::Left { address, condition, seconds: *took },
        Event::Failed { address, took } => events::Line::Failed { address, seconds: *took },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Kind;
    use tokio::time::Instant;

    fn machine() -> ResourceAddress {
        ResourceAddress::new(Kind::Instance, "ecs01")
    }

    #[test]
    fn a_wait_gets_a_line_once_it_is_no_longer_brief() {
        let line = |milliseconds| {
            plain(&Event::Waiting {
                address: machine(),
                condition: "Running",
                state: "Starting".to_owned(),
                waited: Duration::from_millis(milliseconds),
            })
        };
        assert_eq!(line(999), None);
        assert_eq!(line(12_300).unwrap(), "   instance.ecs01: waiting for Running, is Starting, 12 s");
    }

    #[test]
    fn the_time_since_the_beginning_has_a_column() {
        for (milliseconds, shown) in [(40, "   0.0 s"), (12_340, "  12.3 s"), (754_000, " 754.0 s")] {
            assert_eq!(clock(Duration::from_millis(milliseconds)), shown);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_under_way_says_how_long_it_took_so_far_and_how_long_it_usually_takes() {
        let expected = Some(Duration::from_millis(44_200));
        let mut one = UnderWay { began: Instant::now(), expected, says: "create".to_owned() };
        tokio::time::advance(Duration::from_secs(12)).await;
        assert_eq!(live(&machine(), &one, '|'), "  |   12 s of  45 s  instance.ecs01: create");
        one.expected = None;
        assert_eq!(live(&machine(), &one, '|'), "  |   12 s           instance.ecs01: create");
    }
}
