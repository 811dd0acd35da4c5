//! Counts the signed calls a second that our client makes of the local cloud, and prints a table for BENCHMARKS.md.
//!
//!     make bench-calls
//!
//! Both ends run on this machine, so its processors do the work of both: a call is built, signed, sent over a kept
//! connection, authenticated, looked up, answered and read. Ratios within one table are worth comparing; two machines
//! are not.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

#[path = "support/machine.rs"]
mod machine;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use albatross::base::ids::RegionId;
use albatross::base::secret::Secret;
use albatross::cloud::Product;
use albatross::cloud::call::Call;
use albatross::cloud::credentials::{Credentials, Keys};
use albatross::cloud::endpoint::Endpoint;
use albatross::cloud::transport::Client;
use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Calls under way at once.
const CONCURRENCY: [usize; 5] = [1, 4, 16, 64, 256];
const RUNS: usize = 3;
const CALLS: u32 = 10_000;
const REGION: &str = "cn-hangzhou";

/// What one run gave.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
struct Figures {
    calls_a_second: f64,
    median: Duration,
    slowest_of_hundred: Duration,
}

#[tokio::main]
async fn main() -> Result<()> {
    let program = std::env::current_exe()?;
    let mock = program.parent().and_then(|folder| folder.parent()).context("a folder")?.join("mock-cloud");
    print_machine(&mock)?;
    println!(
        "median of {RUNS} runs of {CALLS} calls each, both ends on this machine; a read of one VPC, and a write that \
         names it\n"
    );
    println!(
        "| action | at once | calls a second | min to max | median | 99 of 100 within |\n|---|--:|--:|--:|--:|--:|"
    );
    for at_once in CONCURRENCY {
        row("DescribeVpcs", at_once, runs(&mock, at_once, Kind::Read).await?);
    }
    row("ModifyVpcAttribute", 16, runs(&mock, 16, Kind::Write).await?);
    Ok(())
}

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
}

async fn runs(mock: &Path, at_once: usize, kind: Kind) -> Result<Vec<Figures>> {
    let mut figures = Vec::new();
    for _ in 0..RUNS {
        let cloud = Cloud::start(mock)?;
        figures.push(run(&cloud, at_once, kind).await?);
    }
    Ok(figures)
}

async fn run(cloud: &Cloud, at_once: usize, kind: Kind) -> Result<Figures> {
    let client = cloud.client()?;
    let vpc = Call::new(Product::Vpc, "CreateVpc").with("RegionId", REGION).with("CidrBlock", "10.0.0.0/8");
    let reply: Value = client.call(&vpc).await?;
    let vpc = reply["VpcId"].as_str().context("a VPC")?.to_owned();
    let calls = if kind == Kind::Read { CALLS } else { CALLS / 10 };
    let next = Arc::new(AtomicU32::new(0));
    let began = Instant::now();
    let callers: Vec<_> = (0..at_once)
        .map(|_| {
            let (client, next, vpc) = (client.clone(), next.clone(), vpc.clone());
            tokio::spawn(async move {
                let mut took = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= calls {
                        return Ok::<_, anyhow::Error>(took);
                    }
                    let sent = Instant::now();
                    client.call::<Value>(&call(kind, &vpc, number)).await?;
                    took.push(sent.elapsed());
                }
            })
        })
        .collect();
    let mut took = Vec::new();
    for caller in callers {
        took.extend(caller.await??);
    }
    let seconds = began.elapsed().as_secs_f64();
    ensure!(took.len() == calls as usize, "{} of {calls} calls were answered", took.len());
    took.sort();
    Ok(Figures {
        calls_a_second: f64::from(calls) / seconds,
        median: took[took.len() / 2],
        slowest_of_hundred: took[took.len() * 99 / 100],
    })
}

fn call(kind: Kind, vpc: &str, number: u32) -> Call {
    match kind {
        Kind::Read => Call::new(Product::Vpc, "DescribeVpcs")
            .with("RegionId", REGION)
            .with("VpcId", vpc)
            .with("PageSize", 50),
        Kind::Write => Call::new(Product::Vpc, "ModifyVpcAttribute")
            .with("RegionId", REGION)
            .with("VpcId", vpc)
            .with("VpcName", format!("bench-{number}")),
    }
}

fn row(action: &str, at_once: usize, mut runs: Vec<Figures>) {
    runs.sort_by(|one, other| one.calls_a_second.total_cmp(&other.calls_a_second));
    let (median, last) = (runs[runs.len() / 2], runs[runs.len() - 1]);
    println!(
        "| {action} | {at_once} | {:.0} | {:.0} to {:.0} | {:.2} ms | {:.2} ms |",
        median.calls_a_second,
        runs[0].calls_a_second,
        last.calls_a_second,
        median.median.as_secs_f64() * 1e3,
        median.slowest_of_hundred.as_secs_f64() * 1e3,
    );
}

/// A control plane without machines, that ends with the bench.
struct Cloud {
    child: Child,
    ready: Value,
}

impl Cloud {
    fn start(mock: &Path) -> Result<Self> {
        let mut child = Command::new(mock)
            .args(["serve", "--hosts", "none", "--pace", "instant", "--until-stdin-closes"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("run `make build` first")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("a pipe")?).read_line(&mut line)?;
        Ok(Self { child, ready: serde_json::from_str(&line)? })
    }

    fn client(&self) -> Result<Client> {
        let text = |pointer: &str| {
            let found = self.ready.pointer(pointer).and_then(Value::as_str);
            found.map(str::to_owned).with_context(|| format!("no {pointer} in the ready line"))
        };
        let secret = Secret::new(text("/account/access_key_secret")?);
        let keys = Keys::new(text("/account/access_key_id")?, secret, None);
        let credentials = Credentials::fixed(keys, "bench");
        Ok(Client::new(credentials, Endpoint::parse_override(&text("/endpoint")?)?, RegionId::new(REGION)))
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It ends by itself now.
        let _ = self.child.wait();
    }
}

fn print_machine(mock: &Path) -> Result<()> {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    println!(
        "{}, albatross {}, mock-cloud {}, rustc {}, {profile} build",
        machine::machine()?,
        env!("CARGO_PKG_VERSION"),
        machine::version(&mock.to_string_lossy(), 1)?,
        machine::version("rustc", 1)?,
    );
    Ok(())
}
