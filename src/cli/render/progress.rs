//! Shows what happens while a plan is made true: live lines on a terminal, one plain line an event elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anstyle::AnsiColor;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::apply::event::{Event, Sink};
use crate::plan::graph::Verb;
use crate::resource::ResourceAddress;

/// A wait that is over so soon needs no line of its own where lines stay.
const BRIEF: Duration = Duration::from_secs(1);

/// Shows events on the standard error stream.
pub(crate) fn sink() -> Sink {
    if std::io::stderr().is_terminal() {
        let live = Live { lines: MultiProgress::new(), bars: Mutex::new(BTreeMap::new()) };
        Arc::new(move |event| live.show(event))
    } else {
        Arc::new(show_plain)
    }
}

fn show_plain(event: Event) {
    if let Some(line) = plain_line(event) {
        anstream::eprintln!("{line}");
    }
}

fn plain_line(event: Event) -> Option<String> {
    Some(match event {
        Event::Started { address, word, .. } => format!("  .. {address}: {word}"),
        Event::Noted { address, text } => format!("     {address}: {text}"),
        Event::Waiting { waited, .. } if waited < BRIEF => return None,
        Event::Waiting { address, condition, state, waited } => {
            format!("     {address}: {}, {} s", waiting(condition, &state), waited.as_secs())
        }
        Event::Finished { address, verb, id, took } => finished(&address, verb, id, took),
        Event::Left { address, condition, took } => left(&address, condition, took),
        Event::Failed { address, took } => failed(&address, took),
    })
}

/// `waiting for Running, is Starting`; the time is added where no clock runs beside it.
fn waiting(condition: &str, state: &str) -> String {
    format!("waiting for {condition}, is {state}")
}

fn finished(address: &ResourceAddress, verb: Verb, id: Option<String>, took: Duration) -> String {
    let done = match verb {
        Verb::Put => "done",
        Verb::Delete => "gone",
    };
    let green = AnsiColor::Green.on_default();
    let id = id.map(|id| format!("  {id}")).unwrap_or_default();
    format!("  {green}ok{green:#} {address}: {done} in {}{id}", seconds(took))
}

fn left(address: &ResourceAddress, condition: &str, took: Duration) -> String {
    format!(
        "  -- {address}: left after {}, the cloud goes on; the next command waits for {condition}",
        seconds(took)
    )
}

fn failed(address: &ResourceAddress, took: Duration) -> String {
    let red = AnsiColor::Red.on_default();
    format!("  {red}!!{red:#} {address}: failed after {}", seconds(took))
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

/// One live line for each thing under way, the finished ones above.
struct Live {
    lines: MultiProgress,
    bars: Mutex<BTreeMap<ResourceAddress, ProgressBar>>,
}

impl Live {
    fn show(&self, event: Event) {
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started { address, word, .. } => {
                let bar = self.lines.add(ProgressBar::new_spinner());
                let style = ProgressStyle::with_template("  {spinner} {prefix}: {msg}  {elapsed}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
                bar.set_prefix(address.to_string());
                bar.set_message(word);
                bar.enable_steady_tick(Duration::from_millis(120));
                bars.insert(address, bar);
            }
            Event::Noted { address, text } => {
                if let Some(bar) = bars.get(&address) {
                    bar.set_message(text);
                }
            }
            Event::Waiting { address, condition, state, .. } => {
                if let Some(bar) = bars.get(&address) {
                    bar.set_message(waiting(condition, &state));
                }
            }
            Event::Finished { address, verb, id, took } => {
                self.end(&mut bars, &address, &finished(&address, verb, id, took));
            }
            Event::Left { address, condition, took } => {
                self.end(&mut bars, &address, &left(&address, condition, took));
            }
            Event::Failed { address, took } => self.end(&mut bars, &address, &failed(&address, took)),
        }
    }

    fn end(&self, bars: &mut BTreeMap<ResourceAddress, ProgressBar>, address: &ResourceAddress, line: &str) {
        if let Some(bar) = bars.remove(address) {
            bar.finish_and_clear();
        }
        self.lines.suspend(|| anstream::eprintln!("{line}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Kind;

    #[test]
    fn a_wait_gets_a_line_once_it_is_no_longer_brief() {
        let line = |milliseconds| {
            plain_line(Event::Waiting {
                address: ResourceAddress::new(Kind::Instance, "ecs01"),
                condition: "Running",
                state: "Starting".to_owned(),
                waited: Duration::from_millis(milliseconds),
            })
        };
        assert_eq!(line(999), None);
        assert_eq!(line(12_300).unwrap(), "     instance.ecs01: waiting for Running, is Starting, 12 s");
    }
}
