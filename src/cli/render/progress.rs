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
    match event {
        Event::Started { address, word, .. } => anstream::eprintln!("  .. {address}: {word}"),
        Event::Noted { address, text } => anstream::eprintln!("     {address}: {text}"),
        Event::Waiting { address, condition, state, waited } => {
            anstream::eprintln!("     {address}: {}", waiting(condition, &state, waited));
        }
        Event::Finished { address, verb, id, took } => {
            anstream::eprintln!("{}", finished(&address, verb, id, took));
        }
        Event::Failed { address, took } => anstream::eprintln!("{}", failed(&address, took)),
    }
}

/// `waiting for Running, is Starting, 12 s`.
fn waiting(condition: &str, state: &str, waited: Duration) -> String {
    format!("waiting for {condition}, is {state}, {} s", waited.as_secs())
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
            Event::Waiting { address, condition, state, waited } => {
                if let Some(bar) = bars.get(&address) {
                    bar.set_message(waiting(condition, &state, waited));
                }
            }
            Event::Finished { address, verb, id, took } => {
                self.end(&mut bars, &address, &finished(&address, verb, id, took));
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
