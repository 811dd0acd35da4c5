//! Every point once: several stages at a time, each living through one crash of each command in turn.
//!
//! After a crash that healed, a stage is what an undisturbed run leaves, which was just compared; so the next command
//! may begin there. A failure is tried once more on a new stage, to see whether it needs what came before it.

use std::collections::VecDeque;
use std::slice;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;

use crate::point::{Point, Verb};
use crate::programs::Programs;
use crate::recording::Recording;
use crate::stage::{Stage, finish};
use crate::times::timed;
use crate::trial::{self, Finding, Tallies};

/// What all workers share.
struct Work {
    programs: Programs,
    recording: Recording,
    left: Mutex<VecDeque<Vec<Point>>>,
    tallies: Tallies,
}

/// Tries every point of a recording; whether all healed.
pub(crate) async fn run(
    programs: Programs,
    recording: Recording,
    (jobs, at_most): (usize, usize),
) -> anyhow::Result<bool> {
    let every = recording.points.len().div_ceil(at_most.clamp(1, recording.points.len()));
    let points: Vec<Point> = recording.points.iter().step_by(every).cloned().collect();
    let left = Mutex::new(lives(&points));
    let work = Arc::new(Work { programs, recording, left, tallies: Mutex::default() });
    let workers: Vec<_> = (0..jobs).map(|_| tokio::spawn(work_off(Arc::clone(&work)))).collect();
    trial::conclude(workers, &work.tallies).await
}

/// The points of each command, dealt out so that a life has one of each as long as there are.
fn lives(points: &[Point]) -> VecDeque<Vec<Point>> {
    let mut piles: Vec<VecDeque<&Point>> =
        Verb::ALL.iter().map(|verb| points.iter().filter(|point| point.verb == *verb).collect()).collect();
    let mut lives = VecDeque::new();
    loop {
        let life: Vec<Point> = piles.iter_mut().filter_map(VecDeque::pop_front).cloned().collect();
        if life.is_empty() {
            return lives;
        }
        lives.push_back(life);
    }
}

impl Work {
    fn next(&self) -> Option<Vec<Point>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn note(&self, point: &Point, findings: &[Finding]) {
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        tallies.entry(point.verb).or_default().count(findings);
        let tried: usize = tallies.values().map(|tally| tally.tried).sum();
        if tried.is_multiple_of(100) {
            println!("{tried} of {} points", self.recording.points.len());
        }
    }
}

async fn work_off(work: Arc<Work>) -> anyhow::Result<()> {
    while let Some(life) = work.next() {
        live(&work, &life).await?;
    }
    Ok(())
}

async fn live(work: &Work, life: &[Point]) -> anyhow::Result<()> {
    let mut stage: Option<(Stage, Verb)> = None;
    let mut lived: Vec<Point> = Vec::new();
    for point in life {
        let here = advance(work, stage.take(), point.verb).await?;
        let result =
            trial::run(&here, point.verb, slice::from_ref(point), work.recording.reference(point.verb)).await;
        let mut findings = result.with_context(|| format!("at {point}"))?;
        lived.push(point.clone());
        if trial::is_not_reached(&findings) {
            findings = trial::until_it_comes(|| alone(work, point)).await?;
            if findings.is_empty() {
                work.note(point, &findings);
                lived.clear();
                continue;
            }
        }
        if findings.is_empty() {
            work.note(point, &findings);
            stage = Some((here, point.verb));
            continue;
        }
        drop(here);
        report(work, &lived, findings).await?;
        lived.clear();
    }
    Ok(())
}

/// A stage at the beginning of a command: a new one, or one that goes on.
async fn advance(work: &Work, stage: Option<(Stage, Verb)>, verb: Verb) -> anyhow::Result<Stage> {
    let Some((stage, at)) = stage else {
        let stage = timed("new stage", Stage::new(&work.programs)).await?;
        timed("prepare a stage", stage.prepare(verb)).await?;
        return Ok(stage);
    };
    for step in Verb::ALL.into_iter().filter(|step| *step > at && *step < verb) {
        let ran = timed("undisturbed step", finish(stage.verb(step)?.spawn()?)).await?;
        anyhow::ensure!(ran.status.success(), "an undisturbed {} failed:\n{}", step.word(), ran.said);
    }
    Ok(stage)
}

/// Shows a failure with the line that brings it about again.
async fn report(work: &Work, lived: &[Point], findings: Vec<Finding>) -> anyhow::Result<()> {
    let Some(point) = lived.last() else { return Ok(()) };
    work.note(point, &findings);
    let again = if lived.len() > 1 { alone(work, point).await? } else { Vec::new() };
    let is_alone = lived.len() == 1 || !again.is_empty();
    let line: Vec<String> =
        lived.iter().skip(if is_alone { lived.len() - 1 } else { 0 }).map(Point::to_string).collect();
    show(&line.join("; "), if again.is_empty() { &findings } else { &again });
    Ok(())
}

async fn alone(work: &Work, point: &Point) -> anyhow::Result<Vec<Finding>> {
    let stage = advance(work, None, point.verb).await?;
    trial::run(&stage, point.verb, slice::from_ref(point), work.recording.reference(point.verb)).await
}

/// Prints what is wrong, and how to see it again.
pub(crate) fn show(line: &str, findings: &[Finding]) {
    let said = trial::lines(findings.iter().map(|finding| format!("  {finding}")));
    println!("FAILED {line}\n{said}  make crash ONLY='{}'", line.replace('\'', r"'\''"));
}

/// Only these points, on one stage; two of one command are one crash in the recovery of the other.
pub(crate) async fn only(
    programs: &Programs,
    recording: &Recording,
    points: &[Point],
    keep: bool,
) -> anyhow::Result<bool> {
    let first = points.first().context("ONLY names no point")?;
    let stage = Stage::new(programs).await?;
    stage.prepare(first.verb).await?;
    for points in points.chunk_by(|one, other| one.verb == other.verb) {
        let verb = points[0].verb;
        let findings = trial::run(&stage, verb, points, recording.reference(verb)).await?;
        let line: Vec<String> = points.iter().map(Point::to_string).collect();
        if findings.is_empty() {
            println!("healed {}", line.join("; "));
            continue;
        }
        show(&line.join("; "), &findings);
        if keep {
            println!("  kept: {}", stage.keep().display());
        }
        return Ok(false);
    }
    Ok(true)
}
