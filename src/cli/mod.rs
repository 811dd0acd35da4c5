//! Layer 5: the command line. The only layer that prints, reads the environment or exits.
//!
//! One verb, one file: its arguments, whose comments are its help text, and what it does. Results go to standard
//! output, progress and errors to standard error.

mod adopt;
mod app;
mod apply;
mod caller;
mod certificate;
mod cloud;
mod cloud_logs;
mod completions;
mod connect_to;
mod cost;
mod deploy;
mod destroy;
mod diff;
mod doctor;
mod endpoints;
mod environment;
mod events;
mod examples;
mod existing;
mod exit;
mod explain;
mod external;
mod failure;
mod fault;
mod graph;
mod hooks;
mod init;
mod inputs;
mod inquiry;
mod interrupt;
mod key;
mod local;
mod log;
mod logins;
mod logs;
mod man;
mod node_program;
mod outage;
mod outputs;
mod passphrase;
mod picture;
mod plan;
mod policy;
mod programs;
mod protection;
mod refresh;
mod releases;
mod render;
mod reports;
mod rollback;
mod saved;
mod say;
mod scenario;
mod schema;
mod selection;
mod session;
mod shared;
mod smoke;
mod ssh;
mod stack;
mod state;
mod status;
mod topology_file;
mod typed;
mod unlock;
mod user_data;
mod validate;
mod verify;
mod version;
mod watch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, ColorChoice, FromArgMatches, Parser, Subcommand};

use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::topology_file::{STATE_FOLDER, TopologyArgument};
use crate::ssh::quote;

/// One YAML topology in; a running, proven WebSocket service on Alibaba Cloud out
#[derive(Debug, Parser)]
#[command(name = "albatross", version, about, subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    options: GlobalOptions,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct GlobalOptions {
    /// Use the local cloud of this folder; one is started when none runs
    #[arg(long, global = true)]
    local: bool,
    /// Send every call to this address; plain http is taken on the loopback only; --local goes before it
    #[arg(long, global = true, value_name = "URL", env = "ALBATROSS_ENDPOINT")]
    endpoint: Option<String>,
    /// Folder of the state; default: `.albatross` here, or beside a topology that was found in a folder above
    #[arg(long, global = true, value_name = "FOLDER", env = "ALBATROSS_STATE_DIR")]
    state_dir: Option<PathBuf>,
    /// The chat node's binary; default: `chat-node` beside this program or on the search path
    #[arg(long, global = true, value_name = "FILE", env = "ALBATROSS_CHAT_NODE")]
    chat_node: Option<PathBuf>,
    /// How long an instance may take to boot until its SSH server answers
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 180)]
    boot_limit: u64,
    /// How long to wait for another command that is at work on the stack; 0: not at all
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 0)]
    lock_wait: u64,
    /// Read the passphrase of the SSH key from this file descriptor, instead of asking for it
    #[arg(long, global = true, value_name = "NUMBER")]
    passphrase_fd: Option<u32>,
    /// Say nothing but errors and the last line
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Show each call of the cloud's API on standard error: action, status, request id and time
    #[arg(short, long, global = true)]
    verbose: bool,
    /// When to use colours: `auto`, which is on a terminal, `always` or `never`
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        hide_possible_values = true
    )]
    color: ColorChoice,
    #[command(flatten)]
    inputs: inputs::InputArguments,
}

impl GlobalOptions {
    /// The folder of the state.
    fn state_dir(&self) -> &Path {
        self.state_dir.as_deref().unwrap_or(Path::new(STATE_FOLDER))
    }

    /// The command that ends the local cloud of these options.
    fn ends_cloud(&self) -> String {
        let other = self.state_dir.as_ref().map(|folder| quote(&folder.to_string_lossy()));
        other.map_or("albatross cloud down".to_owned(), |folder| {
            format!("albatross --state-dir {folder} cloud down")
        })
    }
}

/// Arguments of the verbs that show what there is of a topology.
#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    topology: TopologyArgument,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of the verbs that change something.
#[derive(Debug, Args)]
pub(crate) struct ChangeArguments {
    #[command(flatten)]
    topology: TopologyArgument,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    selection: selection::SelectionArguments,
    #[command(flatten)]
    hooks: hooks::HookArguments,
    #[command(flatten)]
    events: events::EventArguments,
}

/// What `apply` says of its FILE.
const APPLIED: &str = "The topology, or a plan saved by `plan --out`; default: `albatross.yaml` here, or in the nearest \
                       folder above";

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a topology to begin with, or the file by which a continuous integration proves one
    Init(init::Arguments),
    /// Check a topology and show all that is wrong with it
    Validate(validate::Arguments),
    /// Draw the topology: clients, name, load balancer, nodes and Redis
    Graph(graph::Arguments),
    /// Ask the cloud, before anything is made, whether this can become real
    Doctor(ShowArguments),
    /// Ask what the topology costs, by the hour and by the month
    Cost(ShowArguments),
    /// Print the least that a RAM user has to be allowed for the topology
    Policy(policy::Arguments),
    /// Show what would change
    #[command(mut_arg("diff", |diff| diff.conflicts_with("show")))]
    Plan(plan::Arguments),
    /// Make it so: machines, Redis, load balancer, name and release
    #[command(mut_arg("file", |file| file.help(APPLIED)))]
    Apply(apply::Arguments),
    /// Take over resources that are there: bind them to addresses of the topology
    Adopt(adopt::Arguments),
    /// Bring Redis and the chat node up to date on machines that are there
    Deploy(ChangeArguments),
    /// Put a release that the hosts have kept in force again
    Rollback(rollback::Arguments),
    /// Show which releases each host keeps, and which one is in force
    Releases(ShowArguments),
    /// Prove from outside that messages cross the nodes
    Verify(verify::Arguments),
    /// Show what there is
    Status(ShowArguments),
    /// Show what others need to know of the stack: its URL, ids and addresses
    Outputs(outputs::Arguments),
    /// Look at what the journal knows of the stack, forget a resource, share the journal
    State(state::Arguments),
    /// Log in to a host, or run a command there, along the verified way that `apply` takes
    Ssh(ssh::Arguments),
    /// Show what the chat nodes and Redis say on their hosts
    Logs(logs::Arguments),
    /// Remove everything and show that nothing is left
    Destroy(ChangeArguments),
    /// Remove the lock of a command that is gone
    Unlock(unlock::Arguments),
    /// The whole life of a stack on a local cloud of its own, and whether verify notices what breaks
    Smoke(smoke::Arguments),
    /// Say what an error code means and what to do; without one, list the codes
    Explain(explain::Arguments),
    /// Print the JSON Schema of topologies, by which editors complete and check them
    Schema(schema::Arguments),
    /// Print what a shell needs to complete commands and options
    Completions(completions::Arguments),
    /// Print the manual page, or write one of each command
    Man(man::Arguments),
    /// Start, look at or end the local cloud of this folder
    Cloud(cloud::Arguments),
}

/// Parses the command line, runs the command, shows why it failed.
pub fn run() -> ExitCode {
    let cli = match parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Printing help to a closed pipe is no failure.
            let _ = error.print();
            return if error.use_stderr() { ExitStatus::Usage.into() } else { ExitStatus::Done.into() };
        }
    };
    choose_colors(cli.options.color);
    say::set_quiet(cli.options.quiet);
    log::start(&cli.options);
    #[cfg(feature = "crash-points")]
    environment::arm_crash_points();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            render::failure::print(&Failure::new(ExitStatus::Bug, error, None));
            return ExitStatus::Bug.into();
        }
    };
    let status = runtime.block_on(cli.run()).unwrap_or_else(|failure| {
        render::failure::print(&failure);
        failure.status
    });
    // The stack may be as it shall be, and others do not know all of it yet.
    let is_kept_back = status == ExitStatus::Done && shared::has_left_something_behind();
    let status = if is_kept_back { ExitStatus::PartlyApplied } else { status };
    events::end(status);
    status.into()
}

/// Takes effect on all that is written from now on; without a choice the variables are asked: `NO_COLOR`,
/// `CLICOLOR_FORCE`, `CLICOLOR`.
fn choose_colors(choice: ColorChoice) {
    let choice = match choice {
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}

/// Parses; an endpoint from the environment gives way to `--local`, one on the command line contradicts it.
fn parse() -> Result<Cli, clap::Error> {
    let asks_for_all = std::env::args_os().any(|argument| argument == "--version");
    let command = examples::command();
    // The parser takes texts that live as long as the program; this one does anyway.
    let command = if asks_for_all { command.long_version(&*version::of_all().leak()) } else { command };
    let matches = command.try_get_matches()?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    let written = |matches: &ArgMatches| matches.value_source("endpoint") == Some(ValueSource::CommandLine);
    let endpoint = written(&matches) || matches.subcommand().is_some_and(|(_, matches)| written(matches));
    if cli.options.local && endpoint {
        let sentence = "the argument '--local' cannot be used with '--endpoint <URL>'";
        return Err(examples::command().error(ErrorKind::ArgumentConflict, sentence));
    }
    // As every other variable, an empty one says nothing.
    cli.options.endpoint = cli.options.endpoint.filter(|text| endpoint || !text.is_empty());
    Ok(cli)
}

impl Cli {
    async fn run(self) -> Result<ExitStatus, Failure> {
        let options = &self.options;
        match self.command {
            Command::Init(arguments) => init::run(options, &arguments),
            Command::Validate(arguments) => validate::run(options, &arguments),
            Command::Graph(arguments) => graph::run(options, &arguments),
            Command::Doctor(arguments) => doctor::run(options, &arguments).await,
            Command::Cost(arguments) => cost::run(options, &arguments).await,
            Command::Policy(arguments) => policy::run(options, &arguments),
            Command::Plan(arguments) => Box::pin(plan::run(options, &arguments)).await,
            Command::Adopt(arguments) => Box::pin(adopt::run(options, &arguments)).await,
            Command::Apply(arguments) => Box::pin(apply::run(options, &arguments)).await,
            Command::Deploy(arguments) => Box::pin(deploy::run(options, &arguments)).await,
            Command::Rollback(arguments) => Box::pin(rollback::run(options, &arguments)).await,
            Command::Releases(arguments) => Box::pin(releases::run(options, &arguments)).await,
            Command::Verify(arguments) => Box::pin(verify::run(options, &arguments)).await,
            Command::Status(arguments) => Box::pin(status::run(options, &arguments)).await,
            Command::Outputs(arguments) => Box::pin(outputs::run(options, &arguments)).await,
            Command::State(arguments) => Box::pin(state::run(options, &arguments)).await,
            Command::Ssh(arguments) => Box::pin(ssh::run(options, &arguments)).await,
            Command::Logs(arguments) => Box::pin(logs::run(options, &arguments)).await,
            Command::Destroy(arguments) => Box::pin(destroy::run(options, &arguments)).await,
            Command::Unlock(arguments) => unlock::run(options, &arguments).await,
            Command::Smoke(arguments) => smoke::run(options, &arguments).await,
            Command::Explain(arguments) => explain::run(&arguments),
            Command::Schema(arguments) => schema::run(&arguments),
            Command::Completions(arguments) => Ok(completions::run(&arguments)),
            Command::Man(arguments) => man::run(&arguments),
            Command::Cloud(arguments) => cloud::run(options, &arguments).await,
        }
    }
}
