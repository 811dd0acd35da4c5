//! Holds an apply against what it takes at least: its calls against the fewest that can do, its time against what the
//! cloud itself takes along the longest chain. Prints tables for BENCHMARKS.md.
//!
//!     make bench-apply
//!
//! All figures but the time of the whole command are from the cloud's own log. Each run has a cloud of its own, at the
//! pace `brisk`; ratios within one table are worth comparing, two machines are not.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "support/critical_path.rs"]
mod critical_path;
#[path = "support/machine.rs"]
mod machine;
#[path = "support/place.rs"]
mod place;

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use anyhow::{Result, ensure};

use critical_path::{Counts, Logs, counts, critical_path};
use place::Place;

const RUNS: usize = 3;
const CHATROOM: &str = include_str!("chatroom.yaml");
/// Sizes at which a plan without changes is counted.
const SIZES: [usize; 4] = [3, 10, 30, 100];

/// The commands of one run: what it is called, the topology, the verb.
const COMMANDS: [(&str, Topology, &str); 5] = [
    ("apply", Topology::Chatroom, "apply"),
    ("apply, nothing to do", Topology::Chatroom, "apply"),
    ("update of the listener", Topology::LongerTimeout, "apply"),
    ("scale from 2 nodes to 5", Topology::FiveNodes, "apply"),
    ("destroy", Topology::FiveNodes, "destroy"),
];

/// A topology that is applied.
#[derive(Debug, Clone, Copy)]
enum Topology {
    Chatroom,
    LongerTimeout,
    FiveNodes,
}

impl Topology {
    fn text(self) -> String {
        match self {
            Self::Chatroom => CHATROOM.to_owned(),
            Self::LongerTimeout => CHATROOM.replace("idle_timeout: 60s ", "idle_timeout: 45s "),
            Self::FiveNodes => {
                let more = more_instances(4..=6);
                Self::LongerTimeout
                    .text()
                    .replace("\nredis:", &format!("{more}\nredis:"))
                    .replace("on: [ecs01, ecs02]", "on: [ecs01, ecs02, ecs04, ecs05, ecs06]")
            }
        }
    }
}

/// What one command did.
#[derive(Debug, Clone, Copy)]
struct Figures {
    counts: Counts,
    took: u128,
    path: i64,
}

fn main() -> Result<()> {
    let redis = machine::version("redis-server", 2)?;
    println!("{}, redis {redis}, albatross {}", machine::machine()?, env!("CARGO_PKG_VERSION"));
    println!("median of {RUNS} runs of examples/chatroom.yaml, pace brisk\n");
    table("The cloud alone (`--hosts none`)", &["--hosts", "none"])?;
    table("With machines (process hosts)", &["--hosts", "process"])?;
    sizes()
}

fn table(title: &str, arguments: &[&str]) -> Result<()> {
    let runs = (0..RUNS).map(|_| run(arguments)).collect::<Result<Vec<_>>>()?;
    println!("{title}:\n");
    println!(
        "| command | read first | changing | other calls | minimum | changing and other / minimum | all / minimum | \
         took | cloud's own path | ratio |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    for (index, (name, ..)) in COMMANDS.iter().enumerate() {
        let mut of_runs: Vec<Figures> = runs.iter().map(|run| run[index]).collect();
        of_runs.sort_by_key(|figures| figures.took);
        println!("{}", row(name, &of_runs)?);
    }
    println!();
    Ok(())
}

fn row(name: &str, runs: &[Figures]) -> Result<String> {
    let median = |of: fn(&Figures) -> usize| {
        let mut values: Vec<usize> = runs.iter().map(of).collect();
        values.sort_unstable();
        values[values.len() / 2]
    };
    let (read, changes) = (median(|run| run.counts.read_first), median(|run| run.counts.changes));
    let (others, minimum) = (median(|run| run.counts.others), median(|run| run.counts.minimum));
    let figures = runs[runs.len() / 2];
    let mut row = format!("| {name} | {read} | {changes} | {others} | {minimum} | ");
    if minimum == 0 {
        write!(row, "- | - | ")?;
    } else {
        write!(row, "{} | {} | ", ratio(changes + others, minimum), ratio(read + changes + others, minimum))?;
    }
    let took = usize::try_from(figures.took)?;
    match usize::try_from(figures.path)? {
        0 => write!(row, "{took} ms | - | - |")?,
        path => write!(row, "{took} ms | {path} ms | {} |", ratio(took, path))?,
    }
    Ok(row)
}

fn ratio(of: usize, to: usize) -> String {
    let hundredths = (of * 100 + to / 2) / to;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// All commands, one after another, on one cloud.
fn run(arguments: &[&str]) -> Result<Vec<Figures>> {
    let place = Place::new(&[&["--pace", "brisk"], arguments].concat())?;
    let figures = COMMANDS.iter().map(|(_, topology, verb)| measure(&place, &topology.text(), verb));
    figures.collect()
}

/// Calls of a plan without changes, by the number of machines.
fn sizes() -> Result<()> {
    println!("Calls of a plan without changes, by instances:\n\n| instances | calls |\n|--:|--:|");
    for size in SIZES {
        let place = Place::new(&["--pace", "instant", "--hosts", "none"])?;
        let more = more_instances(4..=size);
        let text = CHATROOM.replace("\nredis:", &format!("{more}\nredis:"));
        measure(&place, &text, "apply")?;
        println!("| {size} | {} |", measure(&place, &text, "plan")?.counts.read_first);
    }
    Ok(())
}

/// Carries out a command on a topology, and says what it did.
fn measure(place: &Place, topology: &str, verb: &str) -> Result<Figures> {
    place.write("chatroom.yaml", topology)?;
    let before = place.lines("calls")?.len();
    let yes: &[&str] = if verb == "plan" { &[] } else { &["--yes"] };
    let took = place.run(&[&["--local", verb], yes, &["chatroom.yaml"]].concat())?;
    let logs = Logs {
        calls: place.lines("calls")?,
        transitions: place.lines("transitions")?,
        effects: place.lines("effects")?,
    };
    let path = critical_path(&logs, before);
    ensure!(u128::try_from(path)? <= took, "{verb} took {took} ms, the log tells of {path} ms");
    Ok(Figures { counts: counts(&logs.calls[before..]), took, path })
}

/// The lines of further instances.
fn more_instances(numbers: RangeInclusive<usize>) -> String {
    let line = |number| format!("  ecs{number:02}: {{ vswitch: b, access: public }}\n");
    numbers.map(line).collect::<Vec<String>>().concat()
}
