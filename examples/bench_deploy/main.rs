//! Holds deploys of the chat node against Ansible and pyinfra: the first one, and one that finds nothing to change.
//!
//!     make bench-deploy
//!     QUICK=1 make bench-deploy
//!
//! 1. A local cloud has as many machine hosts as are deployed to, and one for Redis ([`site`]). Each is a Debian with
//!    systemd, Python and an OpenSSH server of its own; whoever logs in compares its host key with the one that was pinned.
//!    Meanwhile the kernel lets that many boot ([`limit`]).
//! 2. The tools ([`tools`]) do the same work in turns, each on hosts that have nothing of it yet: the user, the folder of
//!    a release with the binary, the environment (0600), the unit, the link, a service that runs and starts with its host
//!    and has answered that it is ready. What they write is compared byte for byte.
//! 3. Then each deploys again what is there.
//! 4. The tables have the medians ([`table`]). Hosts and tools share the processors of this machine.
//!
//! It fails when a host does not run the release afterwards, or when the second deploy changed anything: the hosts are
//! asked both ([`hosts`]), and of the second the tool, too.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock, and writes files that end with it")]

mod hosts;
mod limit;
#[path = "../support/load_average.rs"]
mod load_average;
#[path = "../support/machine.rs"]
mod machine;
mod site;
mod table;
mod tools;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use load_average::load_average;
use site::Site;
use tools::{Run, Tool, Workshop};

const ROUNDS: usize = 3;
/// Numbers of hosts.
const SIZES: [usize; 2] = [20, 100];
const QUICK_SIZES: [usize; 1] = [5];

/// How long one tool took for its two deploys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    pub(crate) first: Duration,
    pub(crate) unchanged: Duration,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => compare(&SIZES, ROUNDS),
        ["quick"] => compare(&QUICK_SIZES, ROUNDS),
        // For whoever works on it.
        ["only", hosts, rounds] => compare(&[hosts.parse()?], rounds.parse()?),
        _ => bail!("the arguments are none, `quick`, or `only HOSTS ROUNDS`"),
    }
}

fn compare(sizes: &[usize], rounds: usize) -> Result<()> {
    ensure!(rounds > 0, "no round is no bench");
    let workshop = Workshop::find()?;
    introduce(&workshop, rounds)?;
    table::print_head();
    let mut all = table::Sizes::new();
    for size in sizes {
        let site = Site::new(*size).with_context(|| format!("{size} hosts"))?;
        let figures = measure(&workshop, &site, rounds)?;
        table::print_rows(*size, &figures);
        all.insert(*size, figures);
    }
    table::print_goals(&all);
    Ok(())
}

fn introduce(workshop: &Workshop, rounds: usize) -> Result<()> {
    println!(
        "{}, load average {} at the start; albatross {}, {}, rustc {}",
        machine::machine()?,
        load_average()?,
        env!("CARGO_PKG_VERSION"),
        workshop.versions()?,
        machine::version("rustc", 1)?
    );
    println!("median of {rounds} rounds; machine hosts (Debian, systemd, OpenSSH), host keys compared\n");
    Ok(())
}

/// All rounds of all tools on the same hosts, in turns.
fn measure(workshop: &Workshop, site: &Site, rounds: usize) -> Result<table::Figures> {
    // What the hosts shall be afterwards, whoever deploys: as they are now, deployed to by the apply that made them.
    let wanted = hosts::look(site)?;
    wanted.expect_release(&site.node)?;
    let mut figures = table::Figures::new();
    for _ in 0..rounds {
        for tool in workshop.tools() {
            let round = deploy_twice(workshop, site, tool, &wanted).with_context(|| tool.to_string())?;
            figures.entry(tool).or_default().push(round);
        }
    }
    Ok(figures)
}

fn deploy_twice(workshop: &Workshop, site: &Site, tool: Tool, wanted: &hosts::Seen) -> Result<Round> {
    hosts::empty(site)?;
    let (first, run) = timed(workshop, site, tool)?;
    ensure!(!run.found_nothing_to_change(tool, site), "the first deploy says that it changed nothing");
    let before = hosts::look(site)?;
    before.expect_same_release(wanted).context("behind the first deploy")?;
    let (unchanged, run) = timed(workshop, site, tool)?;
    ensure!(run.found_nothing_to_change(tool, site), "the second deploy changed something: {}", run.said);
    let after = hosts::look(site)?;
    after.expect_untouched_since(&before).context("behind the second deploy")?;
    Ok(Round { first, unchanged })
}

fn timed(workshop: &Workshop, site: &Site, tool: Tool) -> Result<(Duration, Run)> {
    let mut command = workshop.command(tool, site);
    let started = Instant::now();
    let output = command.output().with_context(|| format!("{command:?} starts"))?;
    let elapsed = started.elapsed();
    let run = Run::new(&output);
    ensure!(output.status.success(), "it ended with {}: {}", output.status, run.said);
    Ok((elapsed, run))
}
