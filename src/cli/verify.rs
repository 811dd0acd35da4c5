//! `albatross verify FILE`

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use crate::apply::refresh::Depth;
use crate::base::durable;
use crate::base::ids::CloudId;
use crate::cli::GlobalOptions;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::inquiry::{Sessions, subject};
use crate::cli::refresh::get_to_know;
use crate::cli::render::report;
use crate::cli::session::{self, Session, Target, Use};
use crate::cloud::cas;
use crate::diagnosis::Inspector;
use crate::resource::observed::Output;
use crate::resource::spec::HostSpec;
use crate::resource::{Kind, ResourceAddress};
use crate::topology::model::Certificate;
use crate::verify::{Report, Scenario, Tls, Vantage};

/// How long a single check may wait for what it expects.
const CHECK: Duration = Duration::from_secs(10);

/// Arguments of `verify`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The topology
    file: PathBuf,
    /// Leave out what takes longer than a listener's timeouts, and say less
    #[arg(long)]
    quick: bool,
    /// Write the report as JUnit XML, one test case a check
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(super) async fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let session = session::begin(options, session::load(&arguments.file)?, Use::Look).await?;
    let report = prove(&session, arguments.quick).await?;
    write_reports(&report, arguments.junit.as_deref(), arguments.json.as_deref())?;
    Ok(if report.passed() { ExitStatus::Done } else { ExitStatus::NotVerified })
}

/// Runs the checks and prints each.
pub(super) async fn prove(session: &Session, quick: bool) -> Result<Report, Failure> {
    let scenario = scenario(session, quick).await?;
    anstream::println!("Verifying {} with two clients", session.topology.url());
    let door = Sessions(session);
    let inspector = Inspector::new(subject(session, &door, scenario.expected_cname.clone()));
    let mut report = crate::verify::run(&scenario, Some(&inspector), &report::print_check).await;
    if let Target::Local(cloud) = &session.target {
        report.hosts = Some(cloud.status().await?.hosts_mode);
    }
    report::print_summary(&report);
    Ok(report)
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
        expected_cname,
        address_map: session.hosts.address_map().await,
        sources: sources(session).await?,
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

/// Two clients with two source addresses: two of the loopback's for a local cloud; else this machine, and through
/// SSH one of the stack's.
async fn sources(session: &Session) -> Result<[Vantage; 2], Failure> {
    if let Target::Local(_) = session.target {
        let loopback = |last| Vantage::Local { bind: Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))) };
        return Ok([loopback(1), loopback(2)]);
    }
    let here = Vantage::Local { bind: None };
    let host = public_host(session).ok_or_else(|| {
        Failure::saying(
            ExitStatus::Failed,
            "there is no second source address: no instance is reached directly",
            "give one instance `access: public`",
        )
    })?;
    let there = session.hosts.user_session(host, &session.provider.known).await?;
    Ok([here, Vantage::Ssh(there)])
}

fn public_host(session: &Session) -> Option<&HostSpec> {
    session.desired.hosts().find(|host| host.route.len() == 1)
}
