//! `albatross verify FILE --watch`: round after round, until somebody says stop.
//!
//! On a terminal one line a check stays in its place and says how it is and since when; elsewhere a line with its time
//! comes for each round, and one for each check that is no longer as it was.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::time::sleep;

use crate::base::clock;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Stop;
use crate::cli::render::progress::seconds;
use crate::cli::render::report::{count_words, word};
use crate::cli::scenario;
use crate::cli::session::Session;
use crate::cli::ssh::size;
use crate::cli::verify::{Manner, checked};
use crate::verify::{Check, CheckId, Report, Status};

/// Columns of the longest name of a check.
const NAMES: usize = 17;
/// Columns of a line that says what its time is.
const WIDE: u16 = 48;

/// Verifies again and again; ends as the last whole round did.
pub(super) async fn run(
    session: &Session,
    manner: &Manner<'_>,
    pause: Duration,
) -> Result<ExitStatus, Failure> {
    let stop = Stop::listen()?;
    let service = scenario::service(&session.topology.verify.service);
    let screen = Screen::new(session.topology.url(), service.checks());
    let mut last = stop.status();
    for number in 1_u64.. {
        tokio::select! {
            biased;
            () = stop.token().cancelled() => break,
            round = round(session, manner, &screen) => last = conclude(round, number, manner, &screen)?,
        }
        tokio::select! {
            biased;
            () = stop.token().cancelled() => break,
            () = sleep(pause) => {}
        }
    }
    screen.close();
    Ok(last)
}

async fn round(session: &Session, manner: &Manner<'_>, screen: &Screen) -> Result<Report, Failure> {
    let scenario = manner.scenario(session).await?;
    checked(session, &scenario, manner.reports, None, &|check| screen.show(check)).await
}

/// What a round came to. One that could not be made is a failure like any other: the next may be.
fn conclude(
    round: Result<Report, Failure>,
    number: u64,
    manner: &Manner<'_>,
    screen: &Screen,
) -> Result<ExitStatus, Failure> {
    match round {
        Ok(report) => {
            screen.conclude(&format!("round {number}: {}", count_words(&report)));
            manner.reports.write(&report)?;
            Ok(if report.passed() { ExitStatus::Done } else { ExitStatus::NotVerified })
        }
        Err(failure) => {
            screen.conclude(&format!("round {number}: could not be made: {}", failure.sentence()));
            Ok(failure.status)
        }
    }
}

/// How each check is, and since when.
#[derive(Debug, Default)]
struct Memory {
    states: BTreeMap<CheckId, (Status, Timestamp)>,
}

impl Memory {
    /// Takes in a verdict; since when it has been so, and whether that is news.
    fn learn(&mut self, id: CheckId, status: Status, now: Timestamp) -> (Timestamp, bool) {
        match self.states.get(&id) {
            Some((known, since)) if *known == status => (*since, false),
            Some(_) | None => {
                self.states.insert(id, (status, now));
                (now, true)
            }
        }
    }
}

/// Where rounds are shown.
struct Screen {
    memory: Mutex<Memory>,
    lines: Option<Lines>,
}

/// One line a check, each in its place.
struct Lines {
    heading: ProgressBar,
    checks: BTreeMap<CheckId, ProgressBar>,
}

impl Screen {
    fn new(url: String, checks: &[CheckId]) -> Self {
        let lines = std::io::stdout().is_terminal().then(|| Lines::new(url.clone(), checks));
        if lines.is_none() {
            anstream::println!("Watching {url} until Ctrl-C");
        }
        Self { memory: Mutex::default(), lines }
    }

    fn show(&self, check: &Check) {
        let now = clock::now();
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, is_news) = memory.learn(check.id, check.status, now);
        match &self.lines {
            Some(lines) => lines.show(check, since),
            None if is_news && check.status != Status::Skipped => {
                anstream::println!("{} {}", stamp(now), plain(check));
            }
            None => {}
        }
    }

    fn conclude(&self, words: &str) {
        match &self.lines {
            Some(lines) => lines.heading.set_message(format!("{}, at {}", words, time_of_day(clock::now()))),
            None => anstream::println!("{} {words}", stamp(clock::now())),
        }
    }

    /// Leaves the last state on the screen.
    fn close(&self) {
        if let Some(lines) = &self.lines {
            lines.heading.abandon();
            lines.checks.values().for_each(ProgressBar::abandon);
        }
    }
}

impl Lines {
    fn new(url: String, checks: &[CheckId]) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        let line = |message: String| {
            let bar = all.add(ProgressBar::no_length());
            // What is too long for the terminal is cut off at its edge.
            let style = ProgressStyle::with_template("{wide_msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_message(message);
            bar
        };
        let heading = line(format!("Watching {url} until Ctrl-C"));
        let waits = |id: CheckId| (id, line(format!("waits    {id}")));
        let checks = checks.iter().copied().map(waits).collect();
        Self { heading, checks }
    }

    fn show(&self, check: &Check, since: Timestamp) {
        if let Some(line) = self.checks.get(&check.id) {
            let has_colors = anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never;
            let is_wide = size().is_none_or(|size| size.columns >= WIDE);
            line.set_message(live(check, since, is_wide, has_colors));
            // Nothing ticks: a line is drawn when it changes.
            line.tick();
        }
    }
}

/// `passed  message.a_to_b     1.9 ms since 13:02:11`; of a failure what was seen too. Where there is no room for it,
/// `since` is left out, so that the time is seen.
fn live(check: &Check, since: Timestamp, is_wide: bool, has_colors: bool) -> String {
    let (word, style) = word(check.status);
    let (begin, end) = if has_colors { (format!("{style}"), format!("{style:#}")) } else { <_>::default() };
    let name = check.id.name();
    let time = if is_wide { format!("since {}", time_of_day(since)) } else { time_of_day(since) };
    let line = format!("{begin}{word:7}{end} {name:NAMES$} {:>7} {time}", seconds(check.duration));
    if check.status == Status::Failed { format!("{line}  {}", check.sentence) } else { line }
}

/// `FAILED message.a_to_b: expected ...`
fn plain(check: &Check) -> String {
    let (word, style) = word(check.status);
    format!("{style}{word}{style:#} {}: {}", check.id, check.sentence)
}

fn stamp(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The time on this machine's wall.
fn time_of_day(time: Timestamp) -> String {
    time.to_zoned_datetime(TimeZone::system()).strftime("%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: Status) -> Check {
        Check {
            id: CheckId::MessageAToB,
            status,
            sentence: "nobody heard it".to_owned(),
            duration: Duration::from_micros(1_900),
            evidence: BTreeMap::new(),
            hint: None,
        }
    }

    #[test]
    fn since_when_is_the_first_round_of_a_row() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut memory = Memory::default();
        let mut learn = |status, second| memory.learn(CheckId::DnsCname, status, at(second));
        assert_eq!(learn(Status::Passed, 10), (at(10), true));
        assert_eq!(learn(Status::Passed, 20), (at(10), false));
        assert_eq!(learn(Status::Failed, 30), (at(30), true));
        assert_eq!(learn(Status::Passed, 40), (at(40), true));
    }

    #[test]
    fn a_line_says_how_a_check_is_and_since_when() {
        let since = Timestamp::from_second(1_700_000_000).unwrap();
        let time = time_of_day(since);
        let passed = |is_wide| live(&check(Status::Passed), since, is_wide, false);
        assert_eq!(passed(true), format!("passed  message.a_to_b     1.9 ms since {time}"));
        assert_eq!(passed(false), format!("passed  message.a_to_b     1.9 ms {time}"));
        let failed = live(&check(Status::Failed), since, true, false);
        assert!(
            failed.starts_with("FAILED  message.a_to_b") && failed.ends_with("  nobody heard it"),
            "{failed}"
        );
        assert!(live(&check(Status::Failed), since, true, true).starts_with("\u{1b}["));
        assert_eq!(CheckId::ALL.iter().map(|id| id.name().len()).max(), Some(NAMES));
    }
}
