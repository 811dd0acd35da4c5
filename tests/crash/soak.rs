//! What singles cannot show: a second crash in the recovery of the first, and a crash beside faults of the cloud.
//!
//! Each round is drawn from a seed of its own, `SEED` and up, so a round is brought about again by its seed alone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::point::{Point, Verb};
use crate::programs::Programs;
use crate::recording::Recording;
use crate::stage::Stage;
use crate::trial::{self, Finding, Tallies};

/// Which rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rounds {
    /// Seed of the first.
    pub(crate) first: u64,
    /// How many.
    pub(crate) count: u64,
}

/// What happens in a round.
#[derive(Debug)]
struct Round {
    verb: Verb,
    points: Vec<Point>,
    faults: Vec<Value>,
}

impl Round {
    fn draw(seed: u64, points: &[Point]) -> anyhow::Result<Self> {
        let mut random = StdRng::seed_from_u64(seed);
        let first = points.choose(&mut random).context("there are points")?.clone();
        let verb = first.verb;
        let same: Vec<&Point> = points.iter().filter(|point| point.verb == verb).collect();
        if random.random_bool(0.5) {
            let second = (*same.choose(&mut random).context("there are points")?).clone();
            return Ok(Self { verb, points: vec![first, second], faults: Vec::new() });
        }
        let faults = (0..random.random_range(1..=4)).map(|_| fault(&mut random)).collect();
        Ok(Self { verb, points: vec![first], faults })
    }

    fn describe(&self) -> String {
        let points: Vec<String> = self.points.iter().map(Point::to_string).collect();
        let faults: Vec<String> = self.faults.iter().map(Value::to_string).collect();
        [points, faults].concat().join("; ")
    }
}

/// A fault that passes, at some call of whatever action.
fn fault(random: &mut StdRng) -> Value {
    let fault = match random.random_range(0..5) {
        0 => json!({"throttle": {}}),
        1 => json!({"server_error": {}}),
        2 => json!({"server_error": {"after_commit": true}}),
        3 => json!({"lost_reply": {}}),
        _ => json!({"stale_read": {"milliseconds": 1_000}}),
    };
    json!({
        "action": ACTIONS.choose(random).copied().unwrap_or("*"),
        "occurrence": random.random_range(1..=3),
        "times": random.random_range(1..=2),
        "fault": fault,
    })
}

/// Patterns of actions that faults meet; a fault that does not fit an action passes it by.
const ACTIONS: [&str; 12] = [
    "Vpc.Create*",
    "Ecs.Create*",
    "Ecs.RunInstances",
    "Ecs.Describe*",
    "Ecs.Authorize*",
    "Ecs.Delete*",
    "Alb.Create*",
    "Alb.Add*",
    "Alb.List*",
    "Alb.Delete*",
    "Alidns.*",
    "Ecs.RunCommand",
];

struct Work {
    programs: Programs,
    recording: Recording,
    next: AtomicU64,
    end: u64,
    tallies: Tallies,
}

/// Runs the rounds; whether all healed.
pub(crate) async fn run(
    programs: Programs,
    recording: Recording,
    rounds: Rounds,
    jobs: usize,
) -> anyhow::Result<bool> {
    let work = Arc::new(Work {
        programs,
        recording,
        next: AtomicU64::new(rounds.first),
        end: rounds.first + rounds.count,
        tallies: Mutex::default(),
    });
    let workers: Vec<_> = (0..jobs).map(|_| tokio::spawn(work_off(Arc::clone(&work)))).collect();
    trial::conclude(workers, &work.tallies).await
}

async fn work_off(work: Arc<Work>) -> anyhow::Result<()> {
    loop {
        let seed = work.next.fetch_add(1, Ordering::SeqCst);
        if seed >= work.end {
            return Ok(());
        }
        let round = Round::draw(seed, &work.recording.points)?;
        let findings = trial::until_it_comes(|| play(&work, &round)).await;
        let findings = findings.with_context(|| format!("seed {seed}: {}", round.describe()))?;
        work.tallies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(round.verb)
            .or_default()
            .count(&findings);
        if !findings.is_empty() {
            let said = trial::lines(findings.iter().map(|finding| format!("  {finding}")));
            println!("FAILED {}\n{said}  make soak-engine SEED={seed} ROUNDS=1", round.describe());
        }
    }
}

async fn play(work: &Work, round: &Round) -> anyhow::Result<Vec<Finding>> {
    let stage = Stage::new(&work.programs).await?;
    stage.prepare(round.verb).await?;
    if !round.faults.is_empty() {
        stage.cloud.fail(json!(round.faults)).await?;
    }
    trial::run(&stage, round.verb, &round.points, work.recording.reference(round.verb)).await
}
