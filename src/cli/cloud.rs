//! `albatross cloud up | status | logs | fault | down`

use clap::Subcommand;

use crate::cli::GlobalOptions;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::local::{CloudOptions, LocalCloud};
use crate::cli::render::count;
use crate::cli::{cloud_logs, fault};

/// Arguments of `cloud`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start the local cloud of this folder; it stays until `down`
    Up(CloudOptions),
    /// Show where it is and what is in it
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what the units and the console of a host said
    Logs(cloud_logs::Arguments),
    /// Let something go wrong on the data plane, and take it back
    Fault {
        #[command(subcommand)]
        verb: fault::Verb,
    },
    /// End it and everything it started
    Down,
}

pub(super) async fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let state = options.state_dir();
    match &arguments.verb {
        Verb::Up(cloud_options) => {
            let cloud = LocalCloud::start(state, cloud_options, None).await?;
            anstream::println!("The local cloud is up.");
            print_places(&cloud);
            anstream::println!(
                "Use it with `albatross --local plan FILE`; end it with `albatross cloud down`."
            );
        }
        Verb::Status { json } => {
            let cloud = running(options).await?;
            if *json {
                anstream::println!("{:#}", cloud.raw_status().await?);
            } else {
                print_status(&cloud).await?;
            }
        }
        Verb::Logs(arguments) => return cloud_logs::run(&running(options).await?, arguments).await,
        Verb::Fault { verb } => return fault::run(&running(options).await?, verb).await,
        Verb::Down => match LocalCloud::running(state).await {
            Some(cloud) => {
                cloud.stop(state).await?;
                anstream::println!("The local cloud has ended.");
            }
            None => anstream::println!("No local cloud runs here."),
        },
    }
    Ok(ExitStatus::Done)
}

pub(super) async fn running(options: &GlobalOptions) -> Result<LocalCloud, Failure> {
    LocalCloud::running(options.state_dir()).await.ok_or_else(|| {
        Failure::saying(
            ExitStatus::Failed,
            format!("no local cloud runs in `{}`", options.state_dir().display()),
            "start one with `albatross cloud up`",
        )
    })
}

fn print_places(cloud: &LocalCloud) {
    anstream::println!("  endpoint  {}", cloud.endpoint);
    anstream::println!("  dns       {}", cloud.dns);
    anstream::println!("  console   {}", cloud.console);
    anstream::println!("  account   {} ({})", cloud.account.id, cloud.account.access_key_id);
}

async fn print_status(cloud: &LocalCloud) -> Result<(), Failure> {
    let status = cloud.status().await?;
    print_places(cloud);
    for connection in &status.connect_to {
        anstream::println!("  reach     {} at {}", connection.from, connection.to);
    }
    let calls: u64 = status.calls.values().sum();
    let kinds = status.resources_by_kind.iter().filter(|(_, number)| **number > 0);
    let kinds: Vec<String> = kinds.map(|(kind, number)| format!("{number} {kind}")).collect();
    anstream::println!("  calls     {calls}");
    let resources = count(usize::try_from(status.resources).unwrap_or(usize::MAX), "resource");
    if kinds.is_empty() {
        anstream::println!("  {resources}");
    } else {
        anstream::println!("  {resources}: {}", kinds.join(", "));
    }
    Ok(())
}
