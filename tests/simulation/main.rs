//! The engine in a world without time: the real provider, ledger, journal, recovery, refresh, poller, retries and
//! limiter in one process, on a clock that is not waited for, against an emulated region without sockets.
//!
//! Each seed is a stack's life: apply, a change, destroy; with the faults that the seed draws. What must hold is in
//! `laws`. A seed that fails says how to repeat it, with as few faults as it takes.
//!
//! `SEEDS=N` runs N seeds instead of 2,000; `SEED=N` one, with `FAULTS=a,b` under these faults alone.

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
            "seed {seed}: {} commands, {} calls, struck by {:?}",
            report.commands, report.calls, report.struck
        );
        assert_eq!(report.broken, None);
        return;
    }
    let (mut calls, mut commands, mut struck) = (0, 0, 0);
    for seed in 0..number("SEEDS").unwrap_or(SEEDS) {
        let report = run::play(seed, None);
        if let Some(why) = report.broken {
            panic!("{}", shrink::fewest(seed, report.struck, &why));
        }
        calls += report.calls;
        commands += report.commands;
        struck += report.struck.len();
    }
    println!("{commands} commands, {calls} calls, {struck} faults");
}

#[test]
fn a_seed_repeats_itself() {
    for seed in [3, 14, 159, 2_653] {
        let (first, second) = (run::play(seed, None), run::play(seed, None));
        assert_eq!((first.trace, first.calls, first.struck), (second.trace, second.calls, second.struck));
    }
}

#[test]
fn without_faults_nothing_strikes() {
    let report = run::play(7, Some(BTreeSet::new()));
    assert_eq!((report.broken, report.struck), (None, Vec::<String>::new()));
}
