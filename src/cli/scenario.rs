//! What there is to verify of a stack, as the topology says it and the cloud tells it now.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::apply::refresh::Depth;
use crate::base::ids::CloudId;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::refresh::get_to_know;
use crate::cli::session::{Session, Target};
use crate::cli::ssh::find;
use crate::cloud::cas;
use crate::resource::observed::Output;
use crate::resource::spec::HostSpec;
use crate::resource::{Kind, ResourceAddress};
use crate::topology::model::{self, Certificate};
use crate::verify::{Authorities, Echo, Page, Scenario, Service, Tls, Vantage};

/// How long a single check may wait for what it expects.
const CHECK: Duration = Duration::from_secs(10);

/// What is verified; `quick` leaves out what takes longer than the listener's timeouts.
///
/// # Errors
/// When the cloud cannot be asked, or there is nothing to verify.
pub(super) async fn scenario(session: &Session, quick: bool) -> Result<Scenario, Failure> {
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
pub(super) fn service(service: &model::Service) -> Service {
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
