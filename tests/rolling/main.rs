//! Five hundred clients talk through the load balancer of a local cloud while the room under them is changed, and while
//! parts of it go down: is every message said once, to all, in one order, and how long does anybody hear nothing?
//!
//! `make rolling` runs it. `CLIENTS`, `RATE` (messages a second, of all clients together) and `SECONDS` (of talk before
//! and after each disturbance) change that; `CASES=release,kill` runs some of the cases, and `HOSTS=machine` has them on
//! Debians of their own, which takes root. What it prints comes from the
//! clients' own records. It ends with 1 when anything was lost, doubled or out of order, or a gap is past its bound.

#![expect(clippy::unwrap_used, reason = "a harness that panics fails, as it should")]
#![expect(clippy::print_stdout, reason = "it prints its result")]
#![expect(
    clippy::disallowed_methods,
    reason = "a harness writes files and is told by its environment what to do"
)]

#[path = "../support/cargo.rs"]
mod cargo;
mod case;
mod stack;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use case::Case;
use chat_load::client::World;
use chat_load::crowd::Crowd;
use chat_load::judge::{Verdict, judge};
use stack::Stack;
use tokio::time::sleep;

/// What a run is measured by.
#[derive(Debug, Clone, Copy)]
struct Load {
    clients: u32,
    rate: u32,
    talk: Duration,
}

/// What came of a case.
struct Outcome {
    verdict: Verdict,
    gap: Duration,
    has_settled: bool,
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|given| !given.is_empty())
}

fn number(name: &str, default: u32) -> u32 {
    variable(name)
        .map_or(default, |given| given.parse().unwrap_or_else(|_| panic!("{name}={given} is no number")))
}

#[tokio::main]
async fn main() -> ExitCode {
    let talk = Duration::from_secs(u64::from(number("SECONDS", 10)));
    let load = Load { clients: number("CLIENTS", 500), rate: number("RATE", 100), talk };
    let asked = variable("CASES");
    let is_asked =
        |case: &Case| asked.as_ref().is_none_or(|asked| asked.split(',').any(|name| name == case.name()));
    let hosts = variable("HOSTS").unwrap_or_else(|| "process".to_owned());
    let stack = Stack::up(&hosts);
    println!(
        "{} clients, {} messages a second, through the load balancer of a local cloud with {hosts} hosts",
        load.clients, load.rate
    );
    println!("{}", HEADINGS.map(|heading| format!("{heading:>12}")).join(""));
    let mut is_good = true;
    for case in Case::ALL.into_iter().filter(is_asked) {
        let Some(outcome) = play(&stack, case, load).await else {
            println!("test {} ... FAILED: not all clients came in", case.name());
            is_good = false;
            continue;
        };
        is_good &= report(case, load, &outcome);
    }
    drop(stack);
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Lets the clients talk, disturbs them, lets them talk on, and asks what they heard.
async fn play(stack: &Stack, case: Case, load: Load) -> Option<Outcome> {
    let world = Arc::new(World::new(vec![stack.entrance()], load.clients, load.rate));
    let crowd = Crowd::arrive(&world, load.clients).await?;
    sleep(load.talk).await;
    // What came before is no part of the case: arriving takes its time.
    world.longest_gap.store(0, Ordering::Relaxed);
    case.disturb(stack).await;
    sleep(load.talk).await;
    let gap = Duration::from_millis(world.longest_gap.load(Ordering::Relaxed));
    let has_settled = crowd.settle().await;
    let verdict = judge(&crowd.leave().await);
    Some(Outcome { verdict, gap, has_settled })
}

const HEADINGS: [&str; 9] =
    ["case", "clients", "sent", "delivered", "lost", "doubled", "order", "recovered", "longest gap"];

/// Whether a case went as it must.
fn report(case: Case, load: Load, outcome: &Outcome) -> bool {
    let Outcome { verdict, gap, has_settled } = outcome;
    let cells = [
        case.name().to_owned(),
        load.clients.to_string(),
        verdict.sent.to_string(),
        verdict.delivered.to_string(),
        verdict.lost.to_string(),
        verdict.doubled.to_string(),
        verdict.out_of_order.to_string(),
        verdict.recovered.to_string(),
        format!("{:.2} s", gap.as_secs_f64()),
    ];
    println!("{}", cells.map(|cell| format!("{cell:>12}")).join(""));
    verdict.examples.iter().for_each(|example| println!("  {example}"));
    let nothing = [verdict.lost, verdict.doubled, verdict.out_of_order].iter().all(|count| *count == 0);
    let is_good = nothing && verdict.sent > 0 && *has_settled && *gap <= case.bound();
    if !is_good {
        println!(
            "{}: VIOLATED; settled: {has_settled}, the gap may be {} s",
            case.name(),
            case.bound().as_secs()
        );
    }
    is_good
}
