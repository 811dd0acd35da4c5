//! Lets the same topology grow: what a plan and an apply of 10, 100 and 1,000 instances take. Prints tables for
//! BENCHMARKS.md and draws them.
//!
//!     make bench-scale
//!
//! Each size has a cloud of its own without machines, in which nothing takes time, so what is left is the program's and
//! the cloud's own. Calls are counted by the cloud. What a command takes of processor and memory is read from the system:
//! its memory again and again while it runs, its processor time when it has ended.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^52")]

#[path = "support/load_average.rs"]
mod load_average;
#[path = "support/machine.rs"]
mod machine;
#[path = "support/picture.rs"]
mod picture;
#[path = "support/place.rs"]
mod place;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Write as _};
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use serde_json::Value;

use load_average::load_average;
use picture::{Chart, Series};
use place::{Place, program};

const SIZES: [usize; 3] = [10, 100, 1000];
/// Commands are measured this often on clouds of their own; the median counts.
const RUNS: usize = 3;
/// Machines that one declaration may have.
const OF_ONE_DECLARATION: usize = 100;
/// What a plan of the largest size may take.
const MOST_CPU: Duration = Duration::from_millis(100);
const MOST_MEMORY: u64 = 64 * 1024;
/// Between two looks at the memory of a command.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
const PICTURE: &str = "docs/images/bench-scale.svg";

/// What one command took.
#[derive(Debug, Clone, Copy)]
struct Took {
    wall: Duration,
    cpu: Duration,
    /// Most memory at once, in KiB.
    memory: u64,
}

/// What was seen of one size.
#[derive(Debug, Clone)]
struct Seen {
    plan: Took,
    apply: Took,
    /// Processor time of the cloud meanwhile.
    cloud: Duration,
    /// Calls of the apply by action; those that changed something by themselves.
    calls: BTreeMap<String, usize>,
    changes: usize,
    plan_after: Took,
    calls_after: usize,
}

fn main() -> Result<()> {
    println!(
        "{}, load average {} at the start; albatross {}, rustc {}",
        machine::machine()?,
        load_average()?,
        env!("CARGO_PKG_VERSION"),
        machine::version("rustc", 1)?,
    );
    println!("median of {RUNS} runs, no machines, pace instant\n");
    let mut sizes = Vec::new();
    for size in SIZES {
        let mut runs = (0..RUNS).map(|_| run(size)).collect::<Result<Vec<_>>>()?;
        runs.sort_by_key(|seen| seen.apply.wall);
        sizes.push(runs.swap_remove(RUNS / 2));
    }
    print_times(&sizes);
    print_calls(&sizes);
    print_goals(&sizes);
    draw(&sizes)
}

/// One size on a cloud of its own.
fn run(size: usize) -> Result<Seen> {
    let place = Place::new(&["--pace", "instant", "--hosts", "none"])?;
    place.write("scale.yaml", &topology(size)?)?;
    let plan = measure(&place, &["plan"])?;
    let (before, cloud) = (place.lines("calls")?.len(), cloud_cpu(&place)?);
    let apply = measure(&place, &["apply", "--yes"])?;
    let (log, cloud) = (place.lines("calls")?, cloud_cpu(&place)?.saturating_sub(cloud));
    let mut calls = BTreeMap::new();
    for call in &log[before..] {
        *calls.entry(call["operation"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    let is_change = |call: &&Value| call["effect"] == "change" && call["status"] == 200;
    let changes = log[before..].iter().filter(is_change).count();
    let plan_after = measure(&place, &["plan", "--detailed-exitcode"])?;
    let calls_after = place.lines("calls")?.len() - log.len();
    Ok(Seen { plan, apply, cloud, calls, changes, plan_after, calls_after })
}

/// Runs a command, and takes down what it took: its memory while it runs, its processor time before it is forgotten.
#[expect(
    clippy::disallowed_methods,
    reason = "a bench reads the clock, and looks at a program again and again"
)]
fn measure(place: &Place, verb: &[&str]) -> Result<Took> {
    let mut command = place.command(&program()?, &[&["--local"], verb, &["scale.yaml"]].concat());
    let said = tempfile::tempfile()?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said.try_clone()?);
    let began = Instant::now();
    let mut child = command.spawn()?;
    let id = Pid::from_child(&child);
    let mut memory = 0;
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while waitid(WaitId::Pid(id), ended | WaitIdOptions::NOHANG)?.is_none() {
        memory = memory.max(most_memory(child.id()).unwrap_or_default());
        std::thread::sleep(LOOK_AGAIN);
    }
    let (wall, cpu) = (began.elapsed(), cpu_of(child.id())?);
    let status = child.wait()?;
    ensure!(status.success(), "{verb:?} ended with {status}: {}", read(said)?);
    Ok(Took { wall, cpu, memory })
}

/// What a file has from its beginning.
fn read(mut file: File) -> Result<String> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// The most memory that a program that runs has had at once, in KiB.
fn most_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Processor time of a program so far. The system counts it in hundredths of a second.
fn cpu_of(process: impl Display) -> Result<Duration> {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let after_name = status.rsplit_once(')').context("a name in brackets")?.1;
    let ticks = after_name.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let ticks: u64 = ticks.collect::<Result<Vec<_>, _>>()?.into_iter().sum();
    Ok(Duration::from_millis(ticks * 10))
}

/// One machine for Redis, through which the others are logged into; the others are nodes, over two zones in turn.
fn topology(size: usize) -> Result<String> {
    let mut text = "\
stack: scale
region: cn-hangzhou
network:
  vswitches:
    a: { zone: cn-hangzhou-h, cidr: 192.168.0.0/20 }
    b: { zone: cn-hangzhou-i, cidr: 192.168.16.0/20 }
ssh:
  allow_from: [203.0.113.0/24]
instances:
  bus: { vswitch: a, access: public, types: [ecs.t5-lc1m1.small] }
"
    .to_owned();
    let mut names = Vec::new();
    let mut left = size - 1;
    while left > 0 {
        let count = left.min(OF_ONE_DECLARATION);
        let name = format!("web{:02}", names.len() + 1);
        writeln!(text, "  {name}: {{ count: {count}, via: bus, types: [ecs.t5-lc1m1.small] }}")?;
        names.push(name);
        left -= count;
    }
    write!(
        text,
        "load_balancer:\n  edition: standard\nredis:\n  on: bus\nnode:\n  on: [{}]\ndns:\n  domain: example.com\n",
        names.join(", ")
    )?;
    Ok(text)
}

fn cloud_cpu(place: &Place) -> Result<Duration> {
    cpu_of(&place.ready()?["pid"])
}

fn print_times(sizes: &[Seen]) {
    println!(
        "| instances | plan: CPU | plan: memory | apply: took | apply: CPU | apply: memory | the cloud's CPU | changing calls \
         | all calls | calls an instance | plan after it: CPU | plan after it: calls |\n\
         |--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    for (size, seen) in SIZES.iter().zip(sizes) {
        let all = all_calls(seen);
        println!(
            "| {size} | {} ms | {} | {} ms | {} ms | {} | {} ms | {} | {all} | {:.2} | {} ms | {} |",
            seen.plan.cpu.as_millis(),
            mebibytes(seen.plan.memory),
            seen.apply.wall.as_millis(),
            seen.apply.cpu.as_millis(),
            mebibytes(seen.apply.memory),
            seen.cloud.as_millis(),
            seen.changes,
            all as f64 / *size as f64,
            seen.plan_after.cpu.as_millis(),
            seen.calls_after,
        );
    }
    println!();
}

fn mebibytes(kibibytes: u64) -> String {
    format!("{:.1} MiB", kibibytes as f64 / 1024.0)
}

fn all_calls(seen: &Seen) -> usize {
    seen.calls.values().sum()
}

fn print_calls(sizes: &[Seen]) {
    let heads: Vec<String> = SIZES.iter().map(|size| format!(" {size} |")).collect();
    println!(
        "Calls of the apply, by action and instances:\n\n| action |{}\n|---|--:|--:|--:|",
        heads.concat()
    );
    let actions: BTreeSet<&String> = sizes.iter().flat_map(|seen| seen.calls.keys()).collect();
    for action in actions {
        let counts = sizes.iter().map(|seen| seen.calls.get(action).copied().unwrap_or_default());
        let counts: Vec<String> = counts.map(|count| format!(" {count} |")).collect();
        println!("| {action} |{}", counts.concat());
    }
    println!();
}

fn print_goals(sizes: &[Seen]) {
    let Some(largest) = sizes.last() else { return };
    let word = |is_met: bool| if is_met { "met" } else { "missed" };
    let Took { cpu, memory, .. } = largest.plan;
    println!(
        "A plan of {} instances within {} ms of CPU: {}; within {}: {}\n",
        SIZES[SIZES.len() - 1],
        MOST_CPU.as_millis(),
        word(cpu < MOST_CPU),
        mebibytes(MOST_MEMORY),
        word(memory < MOST_MEMORY),
    );
}

/// For each instance: what grows with the number of instances and no faster is level, what grows more slowly falls.
fn draw(sizes: &[Seen]) -> Result<()> {
    let calls: [Line; 2] =
        [("all", "own", |seen| all_calls(seen) as f64), ("changing", "peer", |seen| seen.changes as f64)];
    let times: [Line; 2] = [
        ("apply", "own", |seen| seen.apply.wall.as_secs_f64() * 1000.0),
        ("plan, CPU", "peer", |seen| seen.plan.cpu.as_secs_f64() * 1000.0),
    ];
    let charts = [
        chart("Calls of an apply, for each instance", &calls, sizes),
        chart("Milliseconds, for each instance", &times, sizes),
    ];
    picture::write(Path::new(PICTURE), "The same topology, ever larger", &charts)?;
    println!("The bench drew {PICTURE}.");
    Ok(())
}

/// A name, how it looks, and what it shows of a size.
type Line = (&'static str, &'static str, fn(&Seen) -> f64);

fn chart(title: &str, lines: &[Line], sizes: &[Seen]) -> Chart {
    let series = lines.iter().map(|(name, class, of)| {
        let values = SIZES.iter().zip(sizes).map(|(size, seen)| Some(of(seen) / *size as f64)).collect();
        Series { name, class, values }
    });
    let ticks = SIZES.iter().map(ToString::to_string).collect();
    Chart { title: title.to_owned(), x: "instances", ticks, series: series.collect() }
}
