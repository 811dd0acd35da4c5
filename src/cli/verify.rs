//! `albatross verify FILE`

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::cli::connect_to::ConnectTo;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::inquiry::{Sessions, subject};
use crate::cli::outage::Stopper;
use crate::cli::render::report;
use crate::cli::reports::ReportArguments;
use crate::cli::scenario::scenario;
use crate::cli::session::{self, Session, Target, Use};
use crate::cli::topology_file::{Located, TopologyArgument};
use crate::cli::{GlobalOptions, picture, say, watch};
use crate::diagnosis::Inspector;
use crate::topology::model::{Service, Topology};
use crate::verify::{Check, Means, Outage, Report, Scenario, Status};

/// Arguments of `verify`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    topology: TopologyArgument,
    /// Leave out what takes longer than a listener's timeouts, and say less
    #[arg(long)]
    quick: bool,
    /// Stop a node for a while, too, and see its clients move to another one
    #[arg(long, conflicts_with = "watch")]
    disruptive: bool,
    /// Connect elsewhere than the DNS says: HOST:PORT:ADDRESS, and :PORT for another one there
    #[arg(long, value_name = "PLACE")]
    connect_to: Vec<ConnectTo>,
    /// Go on until Ctrl-C, with so many seconds between two rounds [default: 10]; ends as the last round did
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "10",
        conflicts_with = "github",
        value_parser = clap::value_parser!(u32).range(1..=86_400)
    )]
    watch: Option<u32>,
    #[command(flatten)]
    reports: ReportArguments,
}

/// How a stack is verified, and what is written of it.
pub(super) struct Manner<'a> {
    /// Whether what takes longer than the listener's timeouts is left out.
    pub(super) quick: bool,
    /// Where to connect by port, in place of what names lead to.
    pub(super) connect_to: BTreeMap<u16, SocketAddr>,
    /// The reports.
    pub(super) reports: &'a ReportArguments,
}

impl Manner<'_> {
    /// What there is to verify, as the cloud tells it now.
    pub(super) async fn scenario(&self, session: &Session) -> Result<Scenario, Failure> {
        let scenario = scenario(session, self.quick).await?;
        Ok(Scenario { connect_to: self.connect_to.clone(), ..scenario })
    }
}

pub(super) async fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let Located { file, options } = &arguments.topology.locate(options)?;
    let loaded = session::load(options, file)?;
    if let Some(unproved) = unproved(&loaded.topology) {
        return Err(Failure::saying(
            ExitStatus::NotVerified,
            unproved,
            "write `verify: { kind: websocket-echo }` or `{ kind: http }`, and what is to be expected",
        ));
    }
    // Who stops a node keeps others from changing it meanwhile.
    let access = if arguments.disruptive { Use::Remove } else { Use::Look };
    let session = session::begin(options, loaded, access).await?;
    let connect_to = connect_to(&session, &arguments.connect_to)?;
    let manner = Manner { quick: arguments.quick, connect_to, reports: &arguments.reports };
    if let Some(seconds) = arguments.watch {
        return Box::pin(watch::run(&session, &manner, Duration::from_secs(seconds.into()))).await;
    }
    let stopper = arguments.disruptive.then(|| Stopper::new(&session));
    let report = prove(&session, &manner, stopper.as_ref()).await?;
    arguments.reports.write(&report)?;
    Ok(if report.passed() { ExitStatus::Done } else { ExitStatus::NotVerified })
}

/// Why nothing can be proved of a topology: it runs an app, and nobody said what that answers.
pub(super) fn unproved(topology: &Topology) -> Option<String> {
    let app = topology.app.as_ref().filter(|_| topology.verify.service == Service::Chat)?;
    let binary = app.binary.display();
    Some(format!("nothing is said of what `{binary}` answers, and it is not the chat node"))
}

/// Where to connect, by port.
fn connect_to(session: &Session, given: &[ConnectTo]) -> Result<BTreeMap<u16, SocketAddr>, Failure> {
    let name = session.topology.dns.full_name();
    if let Some(other) = given.iter().find(|one| one.host != name) {
        return Err(Failure::saying(
            ExitStatus::Usage,
            format!("`--connect-to` names {}, and this topology is at {name}", other.host),
            format!("write `--connect-to {name}:{}:{}`", other.port, other.target),
        ));
    }
    Ok(given.iter().map(|one| (one.port, one.target)).collect())
}

/// Runs the checks and prints each.
pub(super) async fn prove(
    session: &Session,
    manner: &Manner<'_>,
    stopper: Option<&Stopper<'_>>,
) -> Result<Report, Failure> {
    let scenario = manner.scenario(session).await?;
    say::narrate(|| anstream::println!("Verifying {} with two clients", session.topology.url()));
    let outage = stopper.map(|stopper| stopper as &dyn Outage);
    let proof = Box::pin(checked(session, &scenario, manner.reports, outage, &report::print_check));
    let report = match stopper {
        Some(stopper) => stopper.guard(proof).await??,
        None => proof.await?,
    };
    session.conclude(&report::count_words(&report));
    Ok(report)
}

/// Runs the checks and tells each; with a picture of the stack when a report has one.
pub(super) async fn checked(
    session: &Session,
    scenario: &Scenario,
    reports: &ReportArguments,
    outage: Option<&dyn Outage>,
    on_check: &(dyn Fn(&Check) + Sync),
) -> Result<Report, Failure> {
    let door = Sessions(session);
    let inspector = Inspector::new(subject(session, &door, scenario.expected_cname.clone()));
    let means = Means { inquirer: Some(&inspector), outage };
    let mut report = crate::verify::run(scenario, means, on_check).await;
    if let Target::Local(cloud) = &session.target {
        report.hosts = Some(cloud.status().await?.hosts_mode);
    }
    if reports.has_picture() {
        report.picture = Some(picture::of(session, scenario).await?);
    }
    Ok(report)
}

/// The first check that fails, as soon as it has; none when none does. Nothing is printed, and nobody is asked why.
pub(super) async fn first_failure(session: &Session, quick: bool) -> Result<Option<Check>, Failure> {
    let scenario = scenario(session, quick).await?;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let tell = |check: &Check| {
        if check.status == Status::Failed {
            // Nobody listens any more once the first one is known.
            let _ = tell.send(check.clone());
        }
    };
    tokio::select! {
        biased;
        first = told.recv() => Ok(first),
        report = crate::verify::run(&scenario, Means::default(), &tell) => {
            Ok(report.checks.into_iter().find(|check| check.status == Status::Failed))
        }
    }
}
