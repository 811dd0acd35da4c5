//! Holds the chat node against Flask-SocketIO, Node.js' Socket.IO, and the limit: `WebSocket`s and nothing else.
//!
//!     make bench-chat
//!     QUICK=1 make bench-chat
//!
//! 1. Two nodes share one core, Redis and the clients the other ([`process`]), so that the nodes are what is short.
//! 2. Each server in its turn ([`subjects`]) is measured three times ([`measure`]): 200 clients of whom 20 speak, texts of
//!    64 bytes, everything to everybody. In a closed loop each who speaks has four messages under way; at a rate they are
//!    said when they are due.
//! 3. The clients are those of `chat_load::rapid`: one thread that counts every message of every sender at every client.
//!    What it takes of its core is in the second table: it is not what limits the nodes.
//! 4. The tables have the medians ([`table`]); then come curves by connections and by nodes ([`curves`]), with pictures.
//!
//! It fails when the chat node or the limit lost, doubled or reordered anything, or when two clients of the chat node heard
//! one another's messages in different orders.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^52")]

mod bare;
mod curves;
#[path = "../../../../examples/support/load_average.rs"]
mod load_average;
#[path = "../../../../examples/support/machine.rs"]
mod machine;
mod measure;
#[path = "../../../../examples/support/picture.rs"]
mod picture;
mod process;
mod subjects;
mod table;

use std::path::Path;

use anyhow::{Result, bail, ensure};
use chat_load::rapid::tally::Verdict;

use bare::Pieces;
use load_average::load_average;
use measure::{CLIENTS, Extent, NODES, SENDERS, WINDOW};
use process::{Cores, now, open_files};
use subjects::{Ground, Subject};
use table::Rounds;

/// Files that the largest room needs.
const FILES: u64 = 65_536;
const SUBJECTS: [Subject; 5] =
    [Subject::Flask, Subject::NodeJs, Subject::ChatNode, Subject::Bare, Subject::Joined];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => compare(Extent::new(false), &SUBJECTS, true),
        ["quick"] => compare(Extent::new(true), &SUBJECTS, true),
        // For whoever works on one of them.
        ["only", name] => match SUBJECTS.into_iter().find(|subject| subject.to_string().contains(name)) {
            Some(subject) => compare(Extent::new(true), &[subject], false),
            None => bail!("no server is called `{name}`"),
        },
        ["bare", port, redis] => match bare::serve(port.parse()?, redis.parse()?, Pieces::Frames)? {},
        ["joined", port, redis] => match bare::serve(port.parse()?, redis.parse()?, Pieces::Joined)? {},
        _ => bail!("the arguments are none, `quick`, or `only NAME`"),
    }
}

fn compare(extent: Extent, subjects: &[Subject], with_curves: bool) -> Result<()> {
    let begun = now();
    let cores = Cores::find()?;
    let ground = Ground::new(cores, open_files(FILES)?)?;
    introduce(&ground, extent)?;
    cores.take_ours()?;
    let mut all = Rounds::new();
    for _ in 0..extent.rounds {
        for subject in subjects.iter().filter(|subject| ground.has(**subject)) {
            all.entry(*subject).or_default().push(measure::round(&ground, *subject, extent)?);
        }
    }
    table::print(&all);
    table::print_goals(&all);
    let mut verdict = Verdict::default();
    for (subject, rounds) in &all {
        if subject.is_ours() {
            for round in rounds {
                verdict.add(round.verdict);
            }
        }
    }
    if with_curves {
        verdict.add(curves::draw(&ground, extent, Path::new("docs/images"))?);
    }
    println!("load average {} at the end; it took {} s", load_average()?, begun.elapsed().as_secs());
    ensure!(
        verdict.is_good() && verdict.apart == 0,
        "something was lost, doubled or out of order: {verdict:?}"
    );
    Ok(())
}

fn introduce(ground: &Ground, extent: Extent) -> Result<()> {
    let versions: Vec<String> = SUBJECTS
        .into_iter()
        .filter(|subject| *subject != Subject::Joined)
        .map(|subject| {
            if !ground.has(subject) {
                return Ok(format!("{subject} is missing: run `make bench-chat`, which installs it"));
            }
            Ok(match subject {
                Subject::Flask => {
                    format!("Python {}", machine::version(&ground.program(subject).to_string_lossy(), 1)?)
                }
                Subject::NodeJs => format!("Node.js {}", machine::version("node", 0)?),
                Subject::ChatNode => {
                    format!("chat-node {}", machine::version(&ground.program(subject).to_string_lossy(), 1)?)
                }
                Subject::Bare | Subject::Joined => format!("rustc {}", machine::version("rustc", 1)?),
            })
        })
        .collect::<Result<_>>()?;
    println!(
        "{}, load average {} at the start; redis {}, {}",
        machine::machine()?,
        load_average()?,
        machine::version("redis-server", 2)?.trim_start_matches("v="),
        versions.join(", "),
    );
    println!(
        "median of {} rounds of {} s; {NODES} nodes on one core, Redis and the clients on another; {CLIENTS} clients, \
         {SENDERS} of them speak, {WINDOW} messages of each under way in the closed loop, texts of 64 bytes\n",
        extent.rounds,
        extent.times.span.as_secs(),
    );
    Ok(())
}
