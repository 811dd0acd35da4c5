//! Kills the program at every point at which it can be killed, runs it again, and compares with an undisturbed run.
//!
//! `make crash` tries every point once; `ONLY='POINT; POINT'` tries those alone, `KEEP=1` keeps the folder of one that
//! fails, `JOBS=N` runs N at a time (default 10), `AT_MOST=N` tries about N of all, `LIST=1` lists them and tries none.
//! `make soak-engine` tries `ROUNDS` drawn pairs of crashes, and crashes beside faults of the cloud, from `SEED` on.

#![expect(
    clippy::disallowed_methods,
    reason = "the harness reads its wishes, writes topologies and watches the clock"
)]
#![expect(clippy::print_stdout, reason = "it is a program whose output is its result")]

mod canonical;
#[path = "../support/cargo.rs"]
mod cargo;
mod cloud;
mod hosts;
mod point;
mod programs;
mod recording;
mod recount;
mod singles;
mod soak;
mod stage;
mod times;
mod trial;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;

use crate::point::Point;
use crate::programs::Programs;
use crate::recording::Recording;

/// Points that are tried at once: most of a trial is waiting. More of them only ask each other's clouds more often.
const JOBS: usize = 10;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything healed.
async fn run() -> anyhow::Result<bool> {
    let begun = Instant::now();
    let programs = Programs::prepare()?;
    let recording = Recording::make(&programs).await?;
    for line in &recording.left_out {
        println!("left to chance: {line}");
    }
    println!("{} points, found in {:.1} s", recording.points.len(), begun.elapsed().as_secs_f32());
    if wish("LIST").is_some() {
        print!("{}", trial::lines(&recording.points));
        return Ok(true);
    }
    let healed = if let Some(only) = wish("ONLY") {
        let points = only.split(';').map(str::parse).collect::<anyhow::Result<Vec<Point>>>()?;
        singles::only(&programs, &recording, &points, wish("KEEP").is_some()).await?
    } else if std::env::args().any(|argument| argument == "soak") {
        let rounds = soak::Rounds { first: number("SEED", 1)?, count: number("ROUNDS", 300)? };
        soak::run(programs, recording, rounds, jobs()?).await?
    } else {
        let at_most = usize::try_from(number("AT_MOST", u64::MAX)?)?;
        singles::run(programs, recording, (jobs()?, at_most)).await?
    };
    print!("{}", times::table());
    println!("{:.0} s", begun.elapsed().as_secs_f32());
    Ok(healed)
}

fn jobs() -> anyhow::Result<usize> {
    Ok(usize::try_from(number("JOBS", JOBS as u64)?)?)
}

fn wish(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number(name: &str, default: u64) -> anyhow::Result<u64> {
    let Some(text) = wish(name) else { return Ok(default) };
    text.parse().with_context(|| format!("{name}={text} is not a number"))
}
