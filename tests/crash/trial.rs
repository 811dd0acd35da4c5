//! One trial: a command is killed at a point, run again, and everything is compared with an undisturbed run.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::Child;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::canonical::{self, difference};
use crate::cloud::{Gate, PATIENCE};
use crate::point::{Moment, Point, Site, Verb};
use crate::recording::Reference;
use crate::recount::Recount;
use crate::stage::{Ran, Stage, finish};
use crate::times::timed;

/// How long the world may take to come to rest after a command.
const SETTLING: Duration = Duration::from_secs(5);

/// Something that is not as in an undisturbed run.
#[derive(Debug)]
pub(crate) enum Finding {
    /// The point did not come.
    NotReached(String),
    /// The same command, run again, failed.
    NotResumed(String),
    /// After that there was still something to do.
    NotEmptyPlan(String),
    /// Made twice, by the cloud's own log.
    Duplicates(Vec<String>),
    /// Left over, by the cloud's own log.
    Orphans(Vec<String>),
    /// The stack is still locked.
    LockLeft,
    /// The world is another one.
    Different(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReached(said) => {
                write!(formatter, "the point did not come; it said\n{}", indented(said))
            }
            Self::NotResumed(said) => write!(formatter, "run again it failed:\n{}", indented(said)),
            Self::NotEmptyPlan(said) => write!(formatter, "the plan after it:\n{}", indented(said)),
            Self::Duplicates(what) => write!(formatter, "duplicates: {}", what.join(", ")),
            Self::Orphans(what) => write!(formatter, "orphans: {}", what.join(", ")),
            Self::LockLeft => write!(formatter, "the lock is still held"),
            Self::Different(lines) => write!(formatter, "not the world of an undisturbed run:\n{lines}"),
        }
    }
}

fn indented(text: &str) -> String {
    lines(text.lines().map(|line| format!("    | {line}")))
}

/// Each on a line of its own.
pub(crate) fn lines<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().fold(String::new(), |text, item| text + &item.to_string() + "\n")
}

/// Kills a command at each of these points, one after another, each in the run that resumes the one before; runs it
/// to its end; compares. Only the first point must come.
pub(crate) async fn run(
    stage: &Stage,
    verb: Verb,
    points: &[Point],
    reference: &Reference,
) -> anyhow::Result<Vec<Finding>> {
    let before = Recount::of(&stage.cloud.calls().await?);
    for (index, point) in points.iter().enumerate() {
        match timed("crash", crash(stage, point)).await? {
            Crash::Happened => {}
            Crash::NotReached(ran) if index == 0 => return Ok(vec![Finding::NotReached(ran.said)]),
            Crash::NotReached(ran) if !ran.status.success() => {
                return Ok(vec![Finding::NotResumed(ran.said)]);
            }
            Crash::NotReached(_) => {}
        }
    }
    stage.cloud.count_anew().await?;
    let resumed = timed("run again", finish(stage.verb(verb)?.spawn()?)).await?;
    if !resumed.status.success() {
        return Ok(vec![Finding::NotResumed(resumed.said)]);
    }
    // What is judged is what became of the world, not how it looks through faults that have not struck yet.
    stage.cloud.fail_no_more().await?;
    compare(stage, verb, &before, reference).await
}

/// How often a point that did not come is waited for: how often a service is asked until it is up differs.
const ATTEMPTS: usize = 4;

/// Whether a trial found nothing but that its point did not come.
pub(crate) fn is_not_reached(findings: &[Finding]) -> bool {
    matches!(findings, [Finding::NotReached(_)])
}

/// Tries until the point comes, each time on a new stage.
pub(crate) async fn until_it_comes<F>(attempt: impl Fn() -> F) -> anyhow::Result<Vec<Finding>>
where
    F: Future<Output = anyhow::Result<Vec<Finding>>>,
{
    let mut findings = attempt().await?;
    for _ in 1..ATTEMPTS {
        if !is_not_reached(&findings) {
            break;
        }
        findings = attempt().await?;
    }
    Ok(findings)
}

/// Compares what is there with the end of an undisturbed run.
async fn compare(
    stage: &Stage,
    verb: Verb,
    before: &Recount,
    reference: &Reference,
) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    if verb != Verb::Destroy {
        let plan = timed("plan", stage.plan()).await?;
        if plan.status.code() != Some(0) || plan.said.contains("warning") {
            findings.push(Finding::NotEmptyPlan(plan.said));
        }
    }
    let difference = timed("compare", settled_difference(stage, reference)).await?;
    if !difference.is_empty() {
        findings.push(Finding::Different(difference));
    }
    let recount = Recount::of(&stage.cloud.calls().await?).since(before);
    let duplicates = recount.duplicates(&reference.recount);
    if !duplicates.is_empty() {
        findings.push(Finding::Duplicates(duplicates));
    }
    let orphans = recount.orphans(&reference.recount);
    if !orphans.is_empty() {
        findings.push(Finding::Orphans(orphans));
    }
    if is_locked(stage)? {
        findings.push(Finding::LockLeft);
    }
    Ok(findings)
}

async fn settled_difference(stage: &Stage, reference: &Reference) -> anyhow::Result<String> {
    let deadline = Instant::now() + SETTLING;
    loop {
        let difference = difference(&reference.world, &canonical::world(stage).await?);
        if difference.is_empty() || Instant::now() > deadline {
            return Ok(difference);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Whoever comes after a holder that was killed takes its lock over, and removes it at its own end.
fn is_locked(stage: &Stage) -> anyhow::Result<bool> {
    Ok(stage.state()?.join("lock").try_exists()?)
}

enum Crash {
    Happened,
    NotReached(Ran),
}

/// Runs the command of a point and kills it there.
async fn crash(stage: &Stage, point: &Point) -> anyhow::Result<Crash> {
    match (&point.site, point.moment) {
        (Site::Effect { key, occurrence }, moment) => {
            crash_at_effect(stage, point.verb, (key, *occurrence), moment).await
        }
        (Site::Write { .. }, _) => {
            let mut command = stage.verb(point.verb)?;
            command.envs(point.crash_point().map(|point| ("ALBATROSS_CRASH_POINT", point)));
            let ran = finish(command.spawn()?).await?;
            let killed = ran.status.signal() == Some(9);
            Ok(if killed { Crash::Happened } else { Crash::NotReached(ran) })
        }
    }
}

async fn crash_at_effect(
    stage: &Stage,
    verb: Verb,
    (key, occurrence): (&str, u64),
    moment: Moment,
) -> anyhow::Result<Crash> {
    let cloud = &stage.cloud;
    cloud.count_anew().await?;
    let side = if moment == Moment::After { "after" } else { "before" };
    let gate = cloud.gate(key, occurrence, side).await?;
    let mut child = stage.verb(verb)?.spawn()?;
    if !comes_to(stage, &mut child, gate).await? {
        return Ok(Crash::NotReached(finish(child).await?));
    }
    child.start_kill().context("the command is there to be killed")?;
    let ran = finish(child).await?;
    anyhow::ensure!(ran.status.signal() == Some(9), "it ended before it was killed: {}", ran.said);
    cloud.decide(gate, if moment == Moment::Before { "drop" } else { "go" }).await?;
    wait_over(stage, gate).await?;
    Ok(Crash::Happened)
}

/// Whether the command is held at a gate before it ends.
async fn comes_to(stage: &Stage, child: &mut Child, gate: Gate) -> anyhow::Result<bool> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        tokio::select! {
            told = stage.cloud.gate_state(gate) => if told? == "held" { return Ok(true) },
            ended = child.wait() => { ended?; return Ok(false) }
        }
        if Instant::now() > deadline {
            bail!("neither came the point nor ended the command");
        }
    }
}

/// What was let go comes to its end.
async fn wait_over(stage: &Stage, gate: Gate) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let told = stage.cloud.gate_state(gate).await?;
        if ["dropped", "done", "late"].contains(&told.as_str()) {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("what was held never came to its end: it is {told}");
        }
    }
}

/// How many findings of each kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) tried: usize,
    pub(crate) healed: usize,
    pub(crate) duplicates: usize,
    pub(crate) orphans: usize,
    pub(crate) locks: usize,
}

impl Tally {
    pub(crate) fn count(&mut self, findings: &[Finding]) {
        self.tried += 1;
        self.healed += usize::from(findings.is_empty());
        for finding in findings {
            match finding {
                Finding::Duplicates(_) => self.duplicates += 1,
                Finding::Orphans(_) => self.orphans += 1,
                Finding::LockLeft => self.locks += 1,
                Finding::NotReached(_)
                | Finding::NotResumed(_)
                | Finding::NotEmptyPlan(_)
                | Finding::Different(_) => {}
            }
        }
    }
}

/// What became of the points of each command.
pub(crate) type Tallies = Mutex<BTreeMap<Verb, Tally>>;

/// Waits for all who are at work and prints what became of the points; whether all healed.
pub(crate) async fn conclude(
    workers: Vec<JoinHandle<anyhow::Result<()>>>,
    tallies: &Tallies,
) -> anyhow::Result<bool> {
    for worker in workers {
        worker.await??;
    }
    let tallies = tallies.lock().unwrap_or_else(PoisonError::into_inner);
    print!("{}", table(&tallies));
    Ok(tallies.values().all(|tally| tally.healed == tally.tried))
}

/// A table by command and, below it, all together.
fn table(tallies: &BTreeMap<Verb, Tally>) -> String {
    let row = |name: &str, cells: [usize; 5]| {
        let cells = cells.map(|cell| format!("{cell:>14}"));
        format!("{name:<10}{}\n", cells.concat())
    };
    let cells = |tally: &Tally| [tally.tried, tally.healed, tally.duplicates, tally.orphans, tally.locks];
    let heads =
        ["points", "healed", "duplicates", "orphans", "leaked locks"].map(|head| format!("{head:>14}"));
    let rows = tallies.iter().map(|(verb, tally)| row(verb.word(), cells(tally)));
    let total = tallies.values().map(cells).fold([0; 5], |mut sum, cells| {
        sum.iter_mut().zip(cells).for_each(|(sum, cell)| *sum += cell);
        sum
    });
    format!("{:<10}{}\n", "", heads.concat()) + &rows.collect::<String>() + &row("together", total)
}
