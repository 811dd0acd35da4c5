//! Thousands of clients on two nodes over one Redis, for minutes, while each of these is ended and started again: is
//! every message said once, to all, in one order?
//!
//! `make soak-chat` runs it for ten minutes. `SECONDS`, `CLIENTS` and `RATE` (messages a second, of all clients together)
//! change that. It prints what came of it and ends with 1 when anything was lost, doubled, out of order or forgotten.

#![expect(clippy::unwrap_used, reason = "a harness that panics fails, as it should")]
#![expect(clippy::print_stdout, reason = "it prints its result")]

mod programs;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chat_load::client::{Entrance, World};
use chat_load::crowd::Crowd;
use chat_load::judge::{Verdict, judge};
use programs::Program;
use tokio::time::{Instant, sleep};

fn number(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok().filter(|given| !given.is_empty());
    given.map_or(default, |given| given.parse().unwrap_or_else(|_| panic!("{name}={given} is no number")))
}

#[tokio::main]
async fn main() -> ExitCode {
    let (seconds, clients) = (number("SECONDS", 600), number("CLIENTS", 2000));
    let rate = number("RATE", 10);
    let folder = tempfile::tempdir().unwrap();
    let mut redis = Program::redis(folder.path());
    redis.start().await;
    let mut nodes = [
        Program::node("ecs01", folder.path(), redis.address),
        Program::node("ecs02", folder.path(), redis.address),
    ];
    for node in &mut nodes {
        node.start().await;
    }
    let entrances = nodes.iter().map(|node| Entrance::direct(node.address)).collect();
    let clients = u32::try_from(clients).unwrap();
    let world = Arc::new(World::new(entrances, clients, u32::try_from(rate).unwrap()));
    let crowd = Crowd::arrive(&world, clients).await.expect("not all clients came in");
    let before = nodes.each_ref().map(Program::memory);
    println!("{clients} clients are connected, half to each of two nodes");

    disturb(&mut redis, &mut nodes, Duration::from_secs(seconds)).await;
    let has_settled = crowd.settle().await;
    let after = nodes.each_ref().map(Program::memory);
    let all_live = redis.is_alive() && nodes.iter_mut().all(Program::is_alive);
    let verdict = judge(&crowd.leave().await);
    report(&verdict, &world, before, after);
    if verdict.is_good() && has_settled && all_live {
        println!("every message was said once, to all, in one order");
        return ExitCode::SUCCESS;
    }
    for program in [&redis, &nodes[0], &nodes[1]] {
        println!("--\n{}", program.last_words());
    }
    println!("VIOLATED: settled {has_settled}, all programs alive {all_live}");
    ExitCode::FAILURE
}

/// Ends everything once or twice, each in its way, and starts it again.
async fn disturb(redis: &mut Program, nodes: &mut [Program; 2], length: Duration) {
    let start = Instant::now();
    let until = async |hundredths: u32| tokio::time::sleep_until(start + length * hundredths / 100).await;
    let tell = |what: &str| println!("{:6.1} s  {what}", start.elapsed().as_secs_f64());

    until(10).await;
    tell("redis is told to end, and starts again after 3 s");
    redis.end("TERM").await;
    sleep(Duration::from_secs(3)).await;
    redis.start().await;

    until(28).await;
    tell("ecs01 is killed, and starts again after 2 s");
    nodes[0].end("KILL").await;
    sleep(Duration::from_secs(2)).await;
    nodes[0].start().await;

    until(46).await;
    tell("redis is killed, and starts again after 5 s");
    redis.end("KILL").await;
    sleep(Duration::from_secs(5)).await;
    redis.start().await;

    until(64).await;
    tell("ecs02 drains, and starts again");
    nodes[1].end("TERM").await;
    nodes[1].start().await;

    until(82).await;
    tell("redis is killed while ecs02 drains, and both start again");
    tokio::join!(redis.end("KILL"), nodes[1].end("TERM"));
    tokio::join!(redis.start(), nodes[1].start());
    until(100).await;
    tell("nobody says anything new");
}

fn report(verdict: &Verdict, world: &World, before: [u64; 2], after: [u64; 2]) {
    let gap = world.longest_gap.load(Ordering::Relaxed);
    println!("sent            {:10}", verdict.sent);
    println!("delivered       {:10}", verdict.delivered);
    println!("lost            {:10}", verdict.lost);
    println!("doubled         {:10}", verdict.doubled);
    println!("order broken    {:10}", verdict.out_of_order);
    println!("refused         {:10}", verdict.refused);
    println!("unanswered      {:10}", verdict.unanswered);
    println!("recovered       {:10}", verdict.recovered);
    println!("not recovered   {:10}", verdict.forgotten);
    println!("false farewells {:10}", verdict.farewells);
    println!("longest gap     {:8}.{:01} s", gap / 1000, gap % 1000 / 100);
    for (name, before, after) in [("ecs01", before[0], after[0]), ("ecs02", before[1], after[1])] {
        println!("memory of {name} {:7.1} MiB at the start, {:.1} MiB at the end", mib(before), mib(after));
    }
    for example in &verdict.examples {
        println!("  {example}");
    }
}

fn mib(kibibytes: u64) -> f64 {
    let whole = u32::try_from(kibibytes).unwrap_or(u32::MAX);
    f64::from(whole) / 1024.0
}
