//! The command line; beside the ready line of the server, the only part that prints and decides exit codes.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde_json::json;

use crate::api::{self, Strictness, provenance};
use crate::plane::HostKind;
use crate::server::{self, Lifetime, Options};
use crate::world::pace::Pace;
use crate::world::regions;

/// Exit code for a wrong command line.
const USAGE: u8 = 64;

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
    Serve(ServeArguments),
    /// Runs a program of a host and ends its whole group when standard input closes; started by `serve`.
    #[command(hide = true)]
    Supervise {
        /// The program and its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        program: Vec<String>,
    },
    /// Prints which behaviour is documented, taken from clients, or guessed.
    Provenance(ProvenanceArguments),
}

#[derive(Debug, Args)]
struct ServeArguments {
    /// Address of the API; loopback only.
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
    /// Region of calls that name none.
    #[arg(long, default_value = "cn-hangzhou")]
    region: String,
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
    /// Seconds by which the clock that signatures are held against is ahead of this machine's.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 0,
        allow_hyphen_values = true,
        hide_short_help = true
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
    Auto,
    Process,
    Machine,
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
        Command::Serve(arguments) => serve(arguments),
        Command::Supervise { program } => crate::plane::supervise::main(program),
        Command::Provenance(arguments) => print_provenance(&arguments),
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
        let hosts = match self.hosts {
            Hosts::Auto | Hosts::Process => HostKind::Process,
            Hosts::None => HostKind::None,
            Hosts::Machine => {
                return Err("--hosts machine is not available in this build; use process or none".to_owned());
            }
        };
        if !self.listen.ip().is_loopback() {
            return Err(format!("--listen {} is not a loopback address", self.listen));
        }
        if regions::find(&self.region).is_none() {
            return Err(format!("--region {} is not known", self.region));
        }
        Ok(Options {
            listen: self.listen,
            hosts,
            pace: self.pace,
            seed: self.seed,
            region: self.region,
            data: self.data,
            domains: std::iter::once("example.com".to_owned()).chain(self.domains).collect(),
            lifetime: if self.until_stdin_closes { Lifetime::UntilInputCloses } else { Lifetime::UntilTold },
            clock_offset: self.clock_offset,
            strictness: if self.strict { Strictness::Strict } else { Strictness::AsTheCloud },
        })
    }
}

fn print_provenance(arguments: &ProvenanceArguments) -> ExitCode {
    let counts = provenance::counts();
    let actions = api::emulated();
    let text = if arguments.json {
        let document = json!({"actions": actions, "behaviours": provenance::BEHAVIOURS, "counts": counts});
        format!("{document:#}\n")
    } else {
        let rows = provenance::BEHAVIOURS.iter().map(|behaviour| {
            let source = json!(behaviour.source);
            let source = source.as_str().unwrap_or_default();
            format!("{source:<12} {:<16} {}\n", behaviour.subject, behaviour.sentence)
        });
        let rows: String = rows.collect();
        let guessed = counts.get(&provenance::Source::Guessed).copied().unwrap_or_default();
        let behaviours = provenance::BEHAVIOURS.len();
        format!("{rows}{} actions, {behaviours} behaviours, {guessed} guessed\n", actions.len())
    };
    drop(std::io::stdout().write_all(text.as_bytes()));
    ExitCode::SUCCESS
}

fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn fail(code: u8, sentence: &str) -> ExitCode {
    drop(writeln!(std::io::stderr(), "mock-cloud: {sentence}"));
    ExitCode::from(code)
}
