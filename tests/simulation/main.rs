//! The engine in a world without time: the real provider, ledger, journal, recovery, refresh, poller, retries and
//! limiter in one process, on a clock that is not waited for, against an emulated region without sockets.
//!
//! Each seed is a stack's life: apply, a change, destroy; with the faults that the seed draws. What must hold is in
//! `laws`. A seed that fails says how to repeat it, with as few faults as it takes.
//!
//! `SEEDS=N` runs N seeds instead of 2,000; `SEED=N` one, with `FAULTS=a,b` under these faults alone, with `TELL=1` (and
//! `--nocapture`) with its plans and calls.

#![expect(clippy::disallowed_methods, reason = "tests read which seeds to run, and cut journals short")]

mod command;
mod draw;
mod faults;
mod laws;
mod likeness;
mod machines;
mod others;
mod region;
mod run;
mod shrink;
mod subject;
mod topologies;

use std::collections::BTreeSet;

/// Seeds of an ordinary run.
const SEEDS: u64 = 2_000;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not `{text}`")))
}

#[test]
fn whatever_goes_wrong_the_world_becomes_what_the_topology_says() {
    if let Some(seed) = number("SEED") {
        let only = std::env::var("FAULTS").ok();
        let only =
            only.map(|list| list.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect());
        let report = run::play(seed, only);
        println!(
            "{}seed {seed}: {} commands, {} calls, struck by {:?}",
            report.said, report.commands, report.calls, report.struck
        );
        assert_eq!(report.broken, None);
        return;
    }
    let seeds = number("SEEDS").unwrap_or(SEEDS);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let shares = std::thread::scope(|scope| {
        let share = |first| scope.spawn(move || play_all((first..seeds).step_by(workers)));
        let workers: Vec<_> = (0..seeds).take(workers).map(share).collect();
        workers.into_iter().map(|worker| worker.join().expect("runs end")).collect::<Vec<Total>>()
    });
    let sum = |of: fn(&Total) -> usize| shares.iter().map(of).sum::<usize>();
    println!(
        "{} seeds, {} commands, {} calls, {} faults",
        sum(|share| share.seeds),
        sum(|share| share.commands),
        sum(|share| share.calls),
        sum(|share| share.struck),
    );
    let broken: Vec<String> = shares.into_iter().filter_map(|share| share.broken).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// What many runs came to.
#[derive(Default)]
struct Total {
    seeds: usize,
    commands: usize,
    calls: usize,
    struck: usize,
    /// The first run that failed, with as few faults as it takes; none follows it.
    broken: Option<String>,
}

fn play_all(seeds: impl Iterator<Item = u64>) -> Total {
    let mut total = Total::default();
    for seed in seeds {
        let report = run::play(seed, None);
        total.seeds += 1;
        total.commands += report.commands as usize;
        total.calls += report.calls;
        total.struck += report.struck.len();
        if let Some(why) = report.broken {
            total.broken = Some(shrink::fewest(seed, report.struck, &why));
            break;
        }
    }
    total
}

#[test]
fn a_seed_repeats_itself() {
    for seed in 0..24 {
        let (first, second) = (run::play(seed, None), run::play(seed, None));
        assert_eq!((first.trace, first.calls, first.struck), (second.trace, second.calls, second.struck));
    }
}

#[test]
fn without_faults_nothing_strikes() {
    let report = run::play(7, Some(BTreeSet::new()));
    assert_eq!((report.broken, report.struck), (None, Vec::<String>::new()));
}
