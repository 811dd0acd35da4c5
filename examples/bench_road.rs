//! Times the whole road on the local cloud, stage by stage, and prints a table for BENCHMARKS.md.
//!
//!     make bench
//!
//! Each run has a cloud of its own. Ratios within one table are worth comparing; two machines are not.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

#[path = "support/machine.rs"]
mod machine;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

const RUNS: usize = 5;
const TOPOLOGY: &str = "examples/chatroom.yaml";

/// The commands of the road after the cloud is up, with the exit code each ends with.
const STAGES: [(&str, &[&str], i32); 6] = [
    ("validate", &["validate"], 0),
    ("plan from nothing", &["plan", "--detailed-exitcode"], 2),
    ("apply", &["apply", "--yes"], 0),
    ("plan after apply", &["plan", "--detailed-exitcode"], 0),
    ("verify", &["verify"], 0),
    ("destroy", &["destroy", "--yes"], 0),
];

fn main() -> Result<()> {
    print_machine()?;
    println!("| stage | instant, median | min to max | brisk, median | min to max |\n|---|--:|--:|--:|--:|");
    let instant = runs("instant")?;
    let brisk = runs("brisk")?;
    for (index, (name, _, _)) in STAGES.iter().enumerate() {
        println!("| {name} | {} | {} |", row(&instant, index), row(&brisk, index));
    }
    Ok(())
}

fn runs(pace: &str) -> Result<Vec<Vec<Duration>>> {
    (0..RUNS).map(|_| one_run(pace)).collect()
}

fn one_run(pace: &str) -> Result<Vec<Duration>> {
    let folder = tempfile::tempdir()?;
    run(folder.path(), &["cloud", "up", "--hosts", "process", "--pace", pace], 0)?;
    let times = STAGES.iter().map(|(_, arguments, expected)| {
        let file = std::fs::canonicalize(TOPOLOGY)?;
        let mut arguments = arguments.to_vec();
        let file = file.to_string_lossy().into_owned();
        arguments.insert(0, "--local");
        arguments.push(&file);
        run(folder.path(), &arguments, *expected)
    });
    let times = times.collect::<Result<Vec<_>>>();
    run(folder.path(), &["cloud", "down"], 0)?;
    times
}

fn program() -> Result<PathBuf> {
    std::fs::canonicalize("target/release/albatross").context("run `make build` first")
}

fn run(folder: &Path, arguments: &[&str], expected: i32) -> Result<Duration> {
    let mut command = Command::new(program()?);
    command.args(arguments).current_dir(folder).env("XDG_CONFIG_HOME", folder.join("config"));
    let started = Instant::now();
    let output = command.output()?;
    let took = started.elapsed();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(expected), "{arguments:?} ended with {}: {said}", output.status);
    Ok(took)
}

fn row(runs: &[Vec<Duration>], stage: usize) -> String {
    let mut times: Vec<Duration> = runs.iter().map(|run| run[stage]).collect();
    times.sort();
    format!(
        "{} ms | {} to {} ms",
        times[times.len() / 2].as_millis(),
        times[0].as_millis(),
        times[times.len() - 1].as_millis()
    )
}

fn print_machine() -> Result<()> {
    let redis = machine::version("redis-server", 2)?;
    println!("{}, redis {redis}, albatross {}", machine::machine()?, env!("CARGO_PKG_VERSION"));
    println!("median of {RUNS} runs of {TOPOLOGY}, process hosts\n");
    Ok(())
}
