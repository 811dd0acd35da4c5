//! Layer 3: asks the cloud, before anything is made, whether a topology can become real.
//!
//! 1. [`examine`] goes through [`CheckId::ALL`]; a check that needs one that failed is shown as not reached;
//! 2. each check asks and judges, in a file of its area, and says what to do next when it is not as it should be;
//! 3. what one check learns is kept in [`visit::Visit`] for the next.
//!
//! Nothing is changed: calls read, or are dry runs. What cannot be asked is said so with the reason; it is never
//! called good.

mod account;
mod certificate;
mod machines;
mod names;
mod network;
mod places;
mod report;
mod trial;
mod visit;

use std::net::SocketAddr;

pub use certificate::is_mainland;
pub use report::{CheckId, Finding, Report, Status};

use crate::cloud::transport::Client;
use crate::doctor::visit::Visit;
use crate::topology::model::{Protocol, Topology};

/// What is to be examined.
#[derive(Debug)]
pub struct Question<'a> {
    /// The topology.
    pub topology: &'a Topology,
    /// A client with the credentials that were found, or the finding that says why there is none.
    pub client: Result<Client, Finding>,
    /// DNS server to ask; none is the system's.
    pub dns: Option<SocketAddr>,
    /// Whether the cloud is one on this machine, where no law applies.
    pub is_local: bool,
}

/// Makes every check and shows each finding as it comes.
pub async fn examine(question: &Question<'_>, show: &(dyn Fn(&Finding) + Sync)) -> Report {
    let mut report = Report::default();
    let take = |found: Vec<Finding>, report: &mut Report| {
        found.iter().for_each(show);
        report.findings.extend(found);
    };
    let client = match &question.client {
        Ok(client) => client,
        Err(finding) => {
            take(vec![finding.clone()], &mut report);
            for check in checks(question).filter(|check| *check != CheckId::Credentials) {
                let found = not_reached(&report, check).into_iter().collect();
                take(found, &mut report);
            }
            return report;
        }
    };
    let mut visit = Visit::new(question, client);
    for check in checks(question) {
        let found = match not_reached(&report, check) {
            Some(finding) => vec![finding],
            None => make(&mut visit, check).await,
        };
        take(found, &mut report);
    }
    report
}

/// The checks that concern this topology.
fn checks(question: &Question<'_>) -> impl Iterator<Item = CheckId> {
    let is_https = question.topology.load_balancer.listener.protocol == Protocol::Https;
    let is_mainland = certificate::is_mainland(&question.topology.region);
    let names_network = network::is_named(question.topology);
    CheckId::ALL.into_iter().filter(move |check| {
        (is_https || *check != CheckId::Certificate)
            && (is_mainland || *check != CheckId::Filing)
            && (names_network || *check != CheckId::Network)
    })
}

fn not_reached(report: &Report, check: CheckId) -> Option<Finding> {
    let obstacle = report.obstacle(check)?;
    let sentence = format!("it needs `{}`", obstacle.name());
    Some(Finding { check, status: Status::NotReached, sentence, next: None })
}

async fn make(visit: &mut Visit<'_>, check: CheckId) -> Vec<Finding> {
    match check {
        CheckId::Credentials => vec![account::credentials(visit).await],
        CheckId::Endpoint => vec![account::endpoint(visit).await],
        CheckId::Clock => vec![account::clock(visit)],
        CheckId::Identity => vec![account::identity(visit)],
        CheckId::Region => vec![places::region(visit).await],
        CheckId::Zones => places::zones(visit).await,
        CheckId::Network => network::network(visit).await,
        CheckId::Stock => machines::stock(visit).await,
        CheckId::Image => machines::images(visit).await,
        CheckId::Quota => account::quota(visit).await,
        CheckId::Instances => trial::instances(visit).await,
        CheckId::Balancer => vec![trial::balancer(visit).await],
        CheckId::Certificate => vec![certificate::certificate(visit).await],
        CheckId::Domain => vec![names::domain(visit).await],
        CheckId::Record => vec![names::record(visit).await],
        CheckId::NameServers => vec![names::name_servers(visit).await],
        CheckId::Filing => vec![certificate::filing(visit)],
    }
}
