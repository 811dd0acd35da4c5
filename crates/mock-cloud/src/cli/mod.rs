//! The command line; beside the ready line of the server, the only part that prints and decides exit codes.

mod image;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde_json::json;

use crate::api::provenance::{self, Source};
use crate::api::{self, Strictness};
use crate::facts::facts;
use crate::image::{Store, ability};
use crate::plane::HostKind;
use crate::server::faults::{self, Seeded, SeededPlane, Wish};
use crate::server::{self, Lifetime, Options};
use crate::world::account::SESSION_SECONDS;
use crate::world::pace::Pace;
use crate::world::regions;

/// Exit code for a wrong command line.
const USAGE: u8 = 64;

/// Seconds of ten years: the farthest a clock may be off.
const TEN_YEARS: i64 = 315_360_000;

/// The format of `--faults`.
const FAULTS_HELP: &str = "\
A file with faults, YAML or JSON; POST /_mock/faults takes the same list.

- action: Ecs.RunInstances   # an action or a pattern: Alb.*, *
  occurrence: 2              # first call it happens to, of each action; default 1
  times: 3                   # calls in a row; default 1
  fault: {no_stock: {}}
- host: ecs01                # an InstanceName
  fault: {refuse_ssh: {}}    # until {none: {}}
- host: ecs02                # an InstanceName, an id or an address
  fault: {freeze: {}}
  in: 5s                     # when it begins; default at once
  for: 10s                   # how long it lasts; default until it is lifted
- name: chat.example.com
  fault: {dns_stale: {}}

Faults of calls: {throttle: {retry_after: MS}}, {server_error: {status: 503, after_commit: true}},
{slow_reply: {milliseconds: N}}, {lost_reply: {}}, {stale_read: {milliseconds: N}}, {no_stock: {}},
{partial_amount: {amount: N}}, {quota: {}}, {expire_token: {}}, {error: {status: N, code: CODE}}
Faults of hosts: {reboot: {}}, {freeze: {}}, {disk_full: {}}, {ssh_cut: {after: BYTES}}, {ssh_slow: {rate: BYTES}},
{redis_stop: {}}, {node_kill: {}}, {network_cut: {to: HOST}}, {network_loss: {percent: N}},
{network_delay: {milliseconds: N}}, {unhealthy: {}}. Of names: {dns_stale: {}}";

/// An emulated Alibaba Cloud region.
#[derive(Debug, Parser)]
#[command(name = "mock-cloud", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a region until it is told to stop.
    Serve(Box<ServeArguments>),
    /// Runs a program of a host and ends its whole group when standard input closes; started by `serve`.
    #[command(hide = true)]
    Supervise {
        /// The program and its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        program: Vec<String>,
    },
    /// Becomes a machine host; started by `serve`.
    #[command(hide = true)]
    Boot {
        /// The folder of the machine.
        folder: PathBuf,
    },
    /// Builds, lists and removes what machine hosts are made of.
    Image(image::ImageArguments),
    /// Removes what clouds with machine hosts left behind when they were killed, and nothing else.
    Clean,
    /// Prints which behaviour is documented, taken from clients, or guessed.
    Provenance(ProvenanceArguments),
}

#[derive(Debug, Args)]
struct ServeArguments {
    /// Address of the API; loopback only. Further regions take a free port of the same address.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// What instances are.
    #[arg(long, value_enum, default_value_t = Hosts::Auto)]
    hosts: Hosts,
    /// How long transitions take.
    #[arg(long, value_enum, default_value_t = Pace::Brisk)]
    pace: Pace,
    /// Makes ids and keys the same each time.
    #[arg(long)]
    seed: Option<u64>,
    /// Region of calls that name none; given several times, each region has an address of its own.
    #[arg(long = "region", value_name = "REGION", default_value = "cn-hangzhou")]
    regions: Vec<String>,
    /// A RAM role beside `albatross`, with how long its sessions may last, 3600 (default) to 43200 seconds; may be
    /// given several times.
    #[arg(long = "role", value_name = "NAME[=SECONDS]", value_parser = parse_role)]
    roles: Vec<(String, i64)>,
    /// Whose OIDC tokens are trusted (`iss`) [default: <https://oidc.mock-cloud.example>].
    #[arg(long, value_name = "URL")]
    oidc_issuer: Option<String>,
    /// Whom OIDC tokens have to be meant for (`aud`) [default: sts.aliyuncs.com].
    #[arg(long, value_name = "ID")]
    oidc_client: Option<String>,
    /// A file with faults that happen to calls and hosts; see `serve --help`.
    #[arg(long, value_name = "FILE", long_help = FAULTS_HELP)]
    faults: Option<PathBuf>,
    /// Draws faults from this seed: throttling, 5xx before and after the effect, slow and lost replies, stale reads.
    #[arg(long, value_name = "N")]
    fault_seed: Option<u64>,
    /// Share of calls that meet a drawn fault, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, requires = "fault_seed", value_parser = parse_share)]
    fault_rate: f64,
    /// Also draws faults of hosts from the seed, one in so many seconds on average: reboots, freezes, full disks, SSH cut
    /// or slow, Redis stopped, nodes killed, networks cut, servers found ill; each for 1 to 5 seconds.
    #[arg(
        long,
        value_name = "SECONDS",
        requires = "fault_seed",
        value_parser = clap::value_parser!(u64).range(1..=86_400)
    )]
    plane_fault_every: Option<u64>,
    /// Folder for host roots and the call log; a fresh temporary one unless given.
    #[arg(long)]
    data: Option<PathBuf>,
    /// A domain the account owns beside example.com; may be given several times.
    #[arg(long = "domain", value_name = "NAME")]
    domains: Vec<String>,
    /// Ends when standard input does.
    #[arg(long)]
    until_stdin_closes: bool,
    /// Refuses parameters the real cloud would ignore.
    #[arg(long)]
    strict: bool,
    /// Seconds by which the clock that signatures are held against is ahead of this machine's, ten years at most.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 0,
        allow_hyphen_values = true,
        hide_short_help = true,
        value_parser = clap::value_parser!(i64).range(-TEN_YEARS..=TEN_YEARS)
    )]
    clock_offset: i64,
}

#[derive(Debug, Args)]
struct ProvenanceArguments {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Hosts {
    /// Machines where this user may have some and their image is built, else processes
    Auto,
    /// Processes behind an embedded SSH server; needs no privileges
    Process,
    /// Machines of their own: a Debian each; needs Linux, root and `mock-cloud image build`
    Machine,
    /// Nothing: control plane only
    None,
}

/// Parses the command line and runs it.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let failed = error.use_stderr();
            // A closed pipe is no reason to fail a help text.
            drop(error.print());
            return if failed { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match cli.command {
        Command::Serve(arguments) => serve(*arguments),
        Command::Supervise { program } => crate::plane::supervise::main(program),
        Command::Boot { folder } => crate::plane::boot(&folder),
        Command::Image(arguments) => image::run(arguments),
        Command::Clean => image::clean(),
        Command::Provenance(arguments) => print_provenance(&arguments),
    }
}

impl Hosts {
    /// The kind of hosts, and a sentence when it cannot be had.
    fn kind(self) -> Result<HostKind, String> {
        match self {
            Self::None => Ok(HostKind::None),
            Self::Process => Ok(HostKind::Process),
            Self::Auto => Ok(machines().map_or(HostKind::Process, |()| HostKind::Machine)),
            Self::Machine => {
                machines().map(|()| HostKind::Machine).map_err(|reason| format!("--hosts machine: {reason}"))
            }
        }
    }
}

/// Whether machines can be had here and now. Nothing is built for it.
fn machines() -> Result<(), String> {
    ability::check()?;
    match Store::of_this_machine().usable() {
        Some(_) => Ok(()),
        None => Err("there is no image, or an old one: `mock-cloud image build`".to_owned()),
    }
}

fn serve(arguments: ServeArguments) -> ExitCode {
    let options = match arguments.options() {
        Ok(options) => options,
        Err(sentence) => return fail(USAGE, &sentence),
    };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &format!("the runtime cannot be started: {error}")),
    };
    let served = runtime.block_on(server::serve(options));
    runtime.shutdown_background();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &chain(&error)),
    }
}

impl ServeArguments {
    fn options(self) -> Result<Options, String> {
        let hosts = self.hosts.kind()?;
        if !self.listen.ip().is_loopback() {
            return Err(format!("--listen {} is not a loopback address", self.listen));
        }
        for (index, region) in self.regions.iter().enumerate() {
            if regions::find(region).is_none() {
                return Err(format!("--region {region} is not known"));
            }
            if self.regions[..index].contains(region) {
                return Err(format!("--region {region} is given twice"));
            }
        }
        let faults = self.faults.as_deref().map(read_faults).transpose()?.unwrap_or_default();
        let seeded_faults = self.fault_seed.map(|seed| Seeded { seed, rate: self.fault_rate });
        let every = self.plane_fault_every.map(Duration::from_secs);
        let drawn = |(seed, every)| SeededPlane { seed, every };
        let seeded_plane_faults = self.fault_seed.zip(every).map(drawn);
        Ok(Options {
            listen: self.listen,
            hosts,
            pace: self.pace,
            seed: self.seed,
            regions: self.regions,
            roles: self.roles,
            oidc_issuer: self.oidc_issuer,
            oidc_client: self.oidc_client,
            faults,
            seeded_faults,
            seeded_plane_faults,
            data: self.data,
            domains: std::iter::once("example.com".to_owned()).chain(self.domains).collect(),
            lifetime: if self.until_stdin_closes { Lifetime::UntilInputCloses } else { Lifetime::UntilTold },
            clock_offset: self.clock_offset,
            strictness: if self.strict { Strictness::Strict } else { Strictness::AsTheCloud },
        })
    }
}

fn read_faults(path: &Path) -> Result<Vec<Wish>, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("--faults {} cannot be read: {error}", path.display()))?;
    faults::read(&text)
        .map_err(|error| format!("{}:{error}; see `mock-cloud serve --help` for the format", path.display()))
}

fn parse_role(text: &str) -> Result<(String, i64), String> {
    let (name, seconds) = text.split_once('=').unwrap_or((text, "3600"));
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
        return Err("the name has 1 to 64 letters, digits, hyphens, dots and underscores".to_owned());
    }
    let seconds = seconds.parse().ok().filter(|seconds| SESSION_SECONDS.contains(seconds));
    let range = format!("sessions last {} to {} seconds", SESSION_SECONDS.start(), SESSION_SECONDS.end());
    Ok((name.to_owned(), seconds.ok_or(range)?))
}

fn parse_share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "a share is a number from 0 to 1".to_owned())
}

fn print_provenance(arguments: &ProvenanceArguments) -> ExitCode {
    let emulated = api::emulated();
    let missing: Vec<&str> = facts().names().filter(|name| !emulated.iter().any(|own| own == name)).collect();
    let (behaviours, counts) = (provenance::behaviours(), provenance::counts());
    let text = if arguments.json {
        let document = json!({
            "actions": emulated,
            "not_emulated": missing,
            "behaviours": behaviours,
            "counts": counts,
        });
        format!("{document:#}\n")
    } else {
        let rows = behaviours.iter().map(|own| (word(own.source), own.id.as_str(), own.sentence.as_str()));
        let actions = emulated.iter().map(|name| ("emulated", name.as_str(), ""));
        let others = missing.iter().map(|name| ("not-emulated", *name, "answers 501 Mock.NotEmulated"));
        let lines = rows.chain(actions).chain(others);
        let lines: String = lines
            .map(|(kind, name, text)| format!("{kind:<12} {name:<32} {text}").trim_end().to_owned() + "\n")
            .collect();
        let counted: Vec<String> =
            counts.iter().map(|(source, count)| format!("{count} {}", word(*source))).collect();
        let (done, all) = (emulated.len(), emulated.len() + missing.len());
        let number = behaviours.len();
        format!("{lines}{done} of {all} actions emulated; {number} behaviours: {}\n", counted.join(", "))
    };
    drop(std::io::stdout().write_all(text.as_bytes()));
    ExitCode::SUCCESS
}

/// The word of a source in the list.
fn word(source: Source) -> &'static str {
    match source {
        Source::Documented => "documented",
        Source::Sdk => "sdk",
        Source::ClientCode => "client-code",
        Source::Guessed => "guessed",
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn fail(code: u8, sentence: &str) -> ExitCode {
    drop(writeln!(std::io::stderr(), "mock-cloud: {sentence}"));
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_off_by_ten_years_at_most() {
        let parsed = |seconds: &str| Cli::try_parse_from(["mock-cloud", "serve", "--clock-offset", seconds]);
        for seconds in ["315360000", "-315360000", "0"] {
            assert!(parsed(seconds).is_ok(), "{seconds}");
        }
        for seconds in ["315360001", "-315360001", "9223372036854775807"] {
            assert!(parsed(seconds).is_err(), "{seconds}");
        }
    }
}
