//! `albatross verify FILE`

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::apply::refresh::Depth;
use crate::base::durable;
use crate::base::ids::CloudId;
use crate::cli::GlobalOptions;
use crate::cli::connect_to::ConnectTo;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::inquiry::{Sessions, subject};
use crate::cli::outage::Stopper;
use crate::cli::refresh::get_to_know;
use crate::cli::render::report;
use crate::cli::session::{self, Session, Target, Use};
use crate::cli::ssh::find;
use crate::cloud::cas;
use crate::diagnosis::Inspector;
use crate::resource::observed::Output;
use crate::resource::spec::HostSpec;
use crate::resource::{Kind, ResourceAddress};
use crate::topology::model::{self, Certificate};
use crate::verify::{Authorities, Echo, Means, Outage, Page, Report, Scenario, Service, Tls, Vantage};

/// How long a single check may wait for what it expects.
const CHECK: Duration = Duration::from_secs(10);

/// Arguments of `verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  albatross verify chatroom.yaml --quick --disruptive")]
pub(super) struct Arguments {
    /// The topology
    file: PathBuf,
    /// Leave out what takes longer than a listener's timeouts, and say less
    #[arg(long)]
    quick: bool,
    /// Stop a node for a while, too, and see its clients move to another one
    #[arg(long)]
    disruptive: bool,
    /// Connect where HOST:PORT:ADDRESS[:PORT] says, in place of what the DNS says of the name
    #[arg(long, value_name = "PLACE")]
    connect_to: Vec<ConnectTo>,
    /// Write the report as JUnit XML, one test case a check
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(super) async fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    // Who stops a node keeps others from changing it meanwhile.
    let access = if arguments.disruptive { Use::Remove } else { Use::Look };
    let session = session::begin(options, session::load(&arguments.file)?, access).await?;
    let stopper = arguments.disruptive.then(|| Stopper::new(&session));
    let connect_to = connect_to(&session, &arguments.connect_to)?;
    let report = prove_with(&session, arguments.quick, connect_to, stopper.as_ref()).await?;
    write_reports(&report, arguments.junit.as_deref(), arguments.json.as_deref())?;
    Ok(if report.passed() { ExitStatus::Done } else { ExitStatus::NotVerified })
}

/// Runs the checks and prints each.
pub(super) async fn prove(session: &Session, quick: bool) -> Result<Report, Failure> {
    prove_with(session, quick, BTreeMap::new(), None).await
}

async fn prove_with(
    session: &Session,
    quick: bool,
    connect_to: BTreeMap<u16, SocketAddr>,
    stopper: Option<&Stopper<'_>>,
) -> Result<Report, Failure> {
    let scenario = Scenario { connect_to, ..scenario(session, quick).await? };
    anstream::println!("Verifying {} with two clients", session.topology.url());
    let door = Sessions(session);
    let inspector = Inspector::new(subject(session, &door, scenario.expected_cname.clone()));
    let outage = stopper.map(|stopper| stopper as &dyn Outage);
    let means = Means { inquirer: Some(&inspector), outage };
    let proof = Box::pin(crate::verify::run(&scenario, means, &report::print_check));
    let mut report = match stopper {
        Some(stopper) => stopper.guard(proof).await?,
        None => proof.await,
    };
    if let Target::Local(cloud) = &session.target {
        report.hosts = Some(cloud.status().await?.hosts_mode);
    }
    report::print_summary(&report);
    Ok(report)
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

/// Writes the reports that were asked for.
pub(super) fn write_reports(
    report: &Report,
    junit: Option<&std::path::Path>,
    json: Option<&std::path::Path>,
) -> Result<(), Failure> {
    if let Some(path) = junit {
        let text = report.to_junit().map_err(|error| Failure::new(ExitStatus::Bug, error, None))?;
        write(path, &text)?;
    }
    json.map_or(Ok(()), |path| write(path, &report.to_json()))
}

fn write(path: &std::path::Path, text: &str) -> Result<(), Failure> {
    durable::replace(path, text.as_bytes())
        .map_err(|error| Failure::new(ExitStatus::Failed, error, Some("choose another file".to_owned())))
}

async fn scenario(session: &Session, quick: bool) -> Result<Scenario, Failure> {
    let topology = &session.topology;
    get_to_know(session, Depth::Cloud).await?;
    let balancer = ResourceAddress::only(Kind::LoadBalancer);
    let name = session.provider.known.output(&balancer, Output::DnsName);
    let expected_cname = name.ok_or_else(|| {
        Failure::saying(
            ExitStatus::Failed,
            format!("stack {} has no load balancer", topology.stack),
            "run `albatross apply` first",
        )
    })?;
    Ok(Scenario {
        host: topology.dns.full_name(),
        port: topology.load_balancer.listener.port,
        tls: tls(session).await?,
        redirect_from: topology.load_balancer.redirect_from,
        dns_server: match &session.target {
            Target::Local(cloud) => Some(cloud.dns),
            Target::Remote => None,
        },
        authorities: match &session.target {
            Target::Local(cloud) => Authorities::At(vec![cloud.dns]),
            Target::Remote => Authorities::OfZone(topology.dns.domain.clone()),
        },
        connect_to: BTreeMap::new(),
        expected_cname,
        address_map: session.hosts.address_map().await,
        sources: sources(session).await?,
        service: service(&topology.verify.service),
        nodes: topology.node.on.iter().map(ToString::to_string).collect(),
        deadline: CHECK,
        listener_timeout: {
            let listener = &topology.load_balancer.listener;
            listener.idle_timeout.max(listener.request_timeout).duration()
        },
        quick,
    })
}

/// How https is spoken to the listener: what the certificate service keeps for it counts, whoever signed that.
async fn tls(session: &Session) -> Result<Option<Tls>, Failure> {
    let own = ResourceAddress::only(Kind::Certificate);
    let number = match &session.topology.load_balancer.listener.certificate {
        None => return Ok(None),
        Some(Certificate::Id(id)) => Some(CloudId::new(cas::number_of(id))),
        Some(Certificate::Files { .. } | Certificate::SelfSigned) => {
            session.provider.known.output(&own, Output::Id).map(CloudId::new)
        }
    };
    let found = match number {
        Some(number) => cas::certificate_if_there(&session.provider.client, &number).await?,
        None => None,
    };
    let kept = found.map(|found| found.digests()).unwrap_or_default();
    Tls::new(kept).map(Some).map_err(|error| Failure::new(ExitStatus::Bug, error, None))
}

/// What is served, as a verification knows it.
fn service(service: &model::Service) -> Service {
    match service.clone() {
        model::Service::Chat => Service::Chat,
        model::Service::WebsocketEcho { path, send, expect } => Service::Echo(Echo { path, send, expect }),
        model::Service::Http { path, status, body, headers } => {
            Service::Http(Page { path, status, body, headers })
        }
    }
}

/// Two clients with two source addresses, as the topology says; else two of the loopback's for a local cloud, and for
/// another one this machine and, through SSH, one of the stack's.
async fn sources(session: &Session) -> Result<[Vantage; 2], Failure> {
    let is_local = matches!(session.target, Target::Local(_));
    let loopback = |last| is_local.then_some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)));
    let here = Vantage::Local { bind: loopback(1) };
    if let Some([first, second]) = &session.topology.verify.vantages {
        return Ok([source(session, first, &here).await?, source(session, second, &here).await?]);
    }
    if is_local {
        return Ok([here, Vantage::Local { bind: loopback(2) }]);
    }
    let host = public_host(session).ok_or_else(|| {
        Failure::saying(
            ExitStatus::Failed,
            "there is no second source address: no instance is reached directly",
            "give one instance `access: public`",
        )
    })?;
    Ok([here, through(session, host).await?])
}

async fn source(session: &Session, vantage: &model::Vantage, here: &Vantage) -> Result<Vantage, Failure> {
    match vantage {
        model::Vantage::Local => Ok(here.clone()),
        model::Vantage::Ssh(name) => through(session, find(session, name.as_str())?).await,
    }
}

/// From a host: from its public address where it has one.
async fn through(session: &Session, host: &HostSpec) -> Result<Vantage, Failure> {
    let known = &session.provider.known;
    let machine = host.address(Kind::Instance);
    let address = [Output::PublicAddress, Output::PrivateAddress]
        .into_iter()
        .find_map(|output| known.output(&machine, output)?.parse().ok());
    Ok(Vantage::Ssh { session: session.hosts.user_session(host, known).await?, address })
}

fn public_host(session: &Session) -> Option<&HostSpec> {
    session.desired.hosts().find(|host| host.route.len() == 1)
}
