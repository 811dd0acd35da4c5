//! `albatross cloud fault ...`: lets something go wrong on the local cloud, and takes it back.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::local::LocalCloud;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Show what is wrong on purpose, and what is still to come
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Add the faults of a file; docs/faults.md has its format
    Add {
        /// A list of faults, YAML or JSON
        file: PathBuf,
    },
    /// Take faults back by what `list` calls them
    Lift {
        /// f1, f2, ...
        #[arg(required_unless_present = "all")]
        ids: Vec<String>,
        /// All of them, those that are drawn too
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
    /// A host goes off, and boots when the fault ends [for: 2s]
    Reboot(OfHost),
    /// Nothing on a host moves, sessions included
    Freeze(OfHost),
    /// Nothing more fits on the disk of a host
    DiskFull(OfHost),
    /// Each SSH connection to a host is cut
    SshCut {
        #[command(flatten)]
        host: OfHost,
        /// After so many bytes, both ways together: 65536, 64KiB, 1MiB
        #[arg(long, value_name = "BYTES", default_value = "64KiB", value_parser = parse_bytes)]
        after: u64,
    },
    /// Each SSH connection to a host is slow
    SshSlow {
        #[command(flatten)]
        host: OfHost,
        /// Bytes a second, each way
        #[arg(long, value_name = "BYTES", default_value = "4KiB", value_parser = parse_bytes)]
        rate: u64,
    },
    /// Redis on a host is stopped, and started when the fault ends
    RedisStop(OfHost),
    /// The chat node on a host is killed whenever it runs [for: 1s]
    NodeKill(OfHost),
    /// Two hosts do not reach each other
    NetworkCut {
        #[command(flatten)]
        host: OfHost,
        /// The other host
        to: String,
    },
    /// Packets from and to a host are lost; machine hosts only
    NetworkLoss {
        #[command(flatten)]
        host: OfHost,
        /// How many of a hundred
        #[arg(
            long,
            value_name = "NUMBER",
            default_value_t = 10,
            value_parser = clap::value_parser!(u8).range(1..=100)
        )]
        percent: u8,
    },
    /// What comes to a host comes late; machine hosts only
    NetworkDelay {
        #[command(flatten)]
        host: OfHost,
        /// How late, 10s at most
        #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = parse_span)]
        by: Duration,
    },
    /// A name is answered as it is now, whatever becomes of it
    DnsStale {
        /// The name
        name: String,
        #[command(flatten)]
        times: Times,
    },
    /// Load balancers find a host ill, though it serves
    Unhealthy(OfHost),
}

/// A host, and when.
#[derive(Debug, Args)]
pub(super) struct OfHost {
    /// A host by its name, its id or its address in the VPC
    host: String,
    #[command(flatten)]
    times: Times,
}

/// When a fault begins and ends.
#[derive(Debug, Args)]
pub(super) struct Times {
    /// How long it lasts: 250ms, 10s, 2m, 1h; until it is lifted unless this is given
    #[arg(long = "for", value_name = "TIME", value_parser = parse_span)]
    lasts: Option<Duration>,
    /// When it begins; at once unless this is given
    #[arg(long = "in", value_name = "TIME", value_parser = parse_span)]
    begins: Option<Duration>,
}

/// A fault as the cloud tells it.
#[derive(Debug, Deserialize)]
struct Told {
    id: String,
    fault: String,
    host: Option<String>,
    name: Option<String>,
    action: Option<String>,
    #[serde(default)]
    settings: Map<String, Value>,
    state: Option<String>,
    begins_in: Option<u64>,
    ends_in: Option<u64>,
    #[serde(default)]
    drawn: bool,
}

pub(super) async fn run(cloud: &LocalCloud, verb: &Verb) -> Result<ExitStatus, Failure> {
    match verb {
        Verb::List { json } => list(cloud, *json).await?,
        Verb::Add { file } => add_file(cloud, file).await?,
        Verb::Lift { all: true, .. } => {
            cloud.administer(reqwest::Method::DELETE, "faults", None).await?;
            anstream::println!("Nothing is wrong on purpose any more.");
        }
        Verb::Lift { ids, .. } => {
            for id in ids {
                cloud.administer(reqwest::Method::DELETE, &format!("faults/{id}"), None).await?;
                anstream::println!("{id} is lifted.");
            }
        }
        Verb::Reboot(_)
        | Verb::Freeze(_)
        | Verb::DiskFull(_)
        | Verb::SshCut { .. }
        | Verb::SshSlow { .. }
        | Verb::RedisStop(_)
        | Verb::NodeKill(_)
        | Verb::NetworkCut { .. }
        | Verb::NetworkLoss { .. }
        | Verb::NetworkDelay { .. }
        | Verb::DnsStale { .. }
        | Verb::Unhealthy(_) => add(cloud, &asked(verb)).await?,
    }
    Ok(ExitStatus::Done)
}

/// What is asked of the cloud for a fault of one verb.
fn asked(verb: &Verb) -> Value {
    match verb {
        Verb::Reboot(host) => of_host(host, "reboot", json!({})),
        Verb::Freeze(host) => of_host(host, "freeze", json!({})),
        Verb::DiskFull(host) => of_host(host, "disk_full", json!({})),
        Verb::SshCut { host, after } => of_host(host, "ssh_cut", json!({"after": after})),
        Verb::SshSlow { host, rate } => of_host(host, "ssh_slow", json!({"rate": rate})),
        Verb::RedisStop(host) => of_host(host, "redis_stop", json!({})),
        Verb::NodeKill(host) => of_host(host, "node_kill", json!({})),
        Verb::NetworkCut { host, to } => of_host(host, "network_cut", json!({"to": to})),
        Verb::NetworkLoss { host, percent } => of_host(host, "network_loss", json!({"percent": percent})),
        Verb::NetworkDelay { host, by } => {
            of_host(host, "network_delay", json!({"milliseconds": milliseconds(*by)}))
        }
        Verb::Unhealthy(host) => of_host(host, "unhealthy", json!({})),
        Verb::DnsStale { name, times } => timed(times, json!({"name": name, "fault": {"dns_stale": {}}})),
        Verb::List { .. } | Verb::Add { .. } | Verb::Lift { .. } => Value::Null,
    }
}

fn of_host(host: &OfHost, fault: &str, settings: Value) -> Value {
    timed(&host.times, json!({"host": host.host, "fault": {fault: settings}}))
}

fn timed(times: &Times, mut fault: Value) -> Value {
    for (key, span) in [("for", times.lasts), ("in", times.begins)] {
        if let Some(span) = span {
            fault[key] = json!(format!("{}ms", milliseconds(span)));
        }
    }
    fault
}

async fn add(cloud: &LocalCloud, fault: &Value) -> Result<(), Failure> {
    for host in [&fault["host"], &fault["fault"]["network_cut"]["to"]].into_iter().filter_map(Value::as_str) {
        expect_host(cloud, host).await?;
    }
    post(cloud, &json!([fault])).await
}

/// A file may name hosts that are still to come; whoever types a name means one that is there.
async fn expect_host(cloud: &LocalCloud, host: &str) -> Result<(), Failure> {
    let status = cloud.raw_status().await?;
    let hosts = status["hosts"].as_array().cloned().unwrap_or_default();
    let is_it = |one: &Value| ["name", "id", "private_address"].iter().any(|field| one[*field] == host);
    if hosts.iter().any(is_it) {
        return Ok(());
    }
    let mut names: Vec<&str> = hosts.iter().filter_map(|one| one["name"].as_str()).collect();
    names.sort_unstable();
    let hint = match names.as_slice() {
        [] => "there is no host yet: make some with `albatross --local apply FILE`".to_owned(),
        names => format!("name one of {}", names.join(", ")),
    };
    Err(Failure::saying(ExitStatus::Usage, format!("the local cloud has no host `{host}`"), hint))
}

async fn add_file(cloud: &LocalCloud, file: &PathBuf) -> Result<(), Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let error = anyhow::Error::new(error).context(format!("cannot read `{}`", file.display()));
        Failure::new(ExitStatus::Usage, error, Some("give a list of faults, see docs/faults.md".to_owned()))
    })?;
    let answer = cloud.administer_text(reqwest::Method::POST, "faults", Some(text)).await?;
    show_added(cloud, &answer).await
}

async fn post(cloud: &LocalCloud, faults: &Value) -> Result<(), Failure> {
    let answer = cloud.administer(reqwest::Method::POST, "faults", Some(faults)).await?;
    show_added(cloud, &answer).await
}

async fn show_added(cloud: &LocalCloud, answer: &Value) -> Result<(), Failure> {
    let ids: Vec<&str> = answer["ids"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for fault in told(cloud).await?.iter().filter(|fault| ids.contains(&fault.id.as_str())) {
        anstream::println!("{}", line(fault));
    }
    anstream::println!("Lift it with `albatross cloud fault lift {}`.", ids.join(" "));
    Ok(())
}

async fn told(cloud: &LocalCloud) -> Result<Vec<Told>, Failure> {
    let answer = cloud.administer(reqwest::Method::GET, "faults", None).await?;
    serde_json::from_value(answer).map_err(|error| Failure::new(ExitStatus::Bug, error, None))
}

async fn list(cloud: &LocalCloud, is_json: bool) -> Result<(), Failure> {
    if is_json {
        let answer = cloud.administer(reqwest::Method::GET, "faults", None).await?;
        anstream::println!("{answer:#}");
        return Ok(());
    }
    let faults = told(cloud).await?;
    for fault in &faults {
        anstream::println!("{}", line(fault));
    }
    if faults.is_empty() {
        anstream::println!("Nothing is wrong on purpose.");
    }
    Ok(())
}

/// `f1  freeze ecs01, in force, 8 s left`
fn line(fault: &Told) -> String {
    let target = [&fault.host, &fault.name, &fault.action].into_iter().flatten().next();
    let settings =
        fault.settings.values().map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
    let words = std::iter::once(fault.fault.replace('_', "-")).chain(target.cloned()).chain(settings);
    let when = match (fault.state.as_deref(), fault.begins_in, fault.ends_in) {
        (Some("to come"), Some(begins), _) => Some(format!("begins in {}", seconds(begins))),
        (Some("in force"), _, Some(ends)) => Some(format!("in force, {} left", seconds(ends))),
        (Some("in force"), _, None) => Some("in force until it is lifted".to_owned()),
        (Some(state), _, _) => Some(state.to_owned()),
        (None, _, _) => None,
    };
    let drawn = fault.drawn.then(|| "drawn from the seed".to_owned());
    let said: Vec<String> =
        std::iter::once(words.collect::<Vec<_>>().join(" ")).chain(when).chain(drawn).collect();
    format!("{:<4} {}", fault.id, said.join(", "))
}

fn seconds(milliseconds: u64) -> String {
    format!("{} s", milliseconds.div_ceil(1_000))
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The number and the unit that a text begins and ends with.
fn number(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..digits].parse().ok()?, &text[digits..]))
}

fn parse_span(text: &str) -> Result<Duration, String> {
    let factor = |unit| match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let span = number(text).and_then(|(number, unit)| number.checked_mul(factor(unit)?));
    let span = span.map(Duration::from_millis).filter(|span| *span <= Duration::from_hours(24));
    span.ok_or_else(|| "write 250ms, 10s, 2m or 1h, a day at most".to_owned())
}

fn parse_bytes(text: &str) -> Result<u64, String> {
    let factor = |unit| match unit {
        "" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    let bytes = number(text).and_then(|(number, unit)| number.checked_mul(factor(unit)?));
    bytes
        .filter(|bytes| *bytes <= 1 << 30)
        .ok_or_else(|| "write 65536, 64KiB or 1MiB, 1GiB at most".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_bytes_are_read_as_people_write_them() {
        assert_eq!(parse_span("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_span("2m"), Ok(Duration::from_mins(2)));
        assert!(parse_span("10").is_err() && parse_span("25h").is_err() && parse_span("-1s").is_err());
        assert_eq!((parse_bytes("65536"), parse_bytes("4KiB")), (Ok(65_536), Ok(4_096)));
        assert!(parse_bytes("4kb").is_err() && parse_bytes("2GiB").is_err() && parse_bytes("").is_err());
    }

    #[test]
    fn a_fault_is_told_in_one_line() {
        let told = |text: &str| line(&serde_json::from_str(text).unwrap());
        let cut = r#"{"id": "f1", "fault": "network_cut", "host": "ecs01", "settings": {"to": "ecs03"},
                      "state": "in force", "begins_in": 0, "ends_in": null}"#;
        assert_eq!(told(cut), "f1   network-cut ecs01 ecs03, in force until it is lifted");
        let frozen = r#"{"id": "f12", "fault": "freeze", "host": "ecs01", "state": "in force", "begins_in": 0,
                         "ends_in": 7100, "drawn": true}"#;
        assert_eq!(told(frozen), "f12  freeze ecs01, in force, 8 s left, drawn from the seed");
        let call = r#"{"id": "f2", "fault": "no_stock", "action": "Ecs.RunInstances"}"#;
        assert_eq!(told(call), "f2   no-stock Ecs.RunInstances");
    }
}
