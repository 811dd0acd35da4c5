//! Goes through the checks in order.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::check::{Check, CheckId, Finding, Status, Verdict};
use super::clients::Pair;
use super::crowd::Place;
use super::inquiry::{Failed, Inquirer};
use super::report::Report;
use super::scenario::Scenario;
use super::{crowd, dns, idle, page, path, polling, redirect, tls};

/// Where to look when a check knows no better.
const STATUS: &str = "`albatross status FILE` shows what runs where";

/// Verifies a chatroom, telling each verdict as it is reached.
///
/// Nothing is changed anywhere but in the room itself, where two people with random names come and go. Where there is
/// somebody who may ask the cloud and the hosts, each failure is told with what they find.
pub async fn run(
    scenario: &Scenario,
    inquirer: Option<&dyn Inquirer>,
    on_check: &(dyn Fn(&Check) + Sync),
) -> Report {
    let started = Timestamp::now();
    let clock = Instant::now();
    let mut log = Log { checks: Vec::new(), on_check, inquirer, mark: clock };
    verify(scenario, &mut log).await;
    log.complete();
    Report { checks: log.checks, started, duration: clock.elapsed(), hosts: None }
}

async fn verify(scenario: &Scenario, log: &mut Log<'_>) {
    let (verdict, addresses) = dns::check(scenario).await;
    if !log.note(CheckId::DnsCname, verdict).await {
        return log.not_reached(&CheckId::ALL[1..], CheckId::DnsCname);
    }
    if !secured(scenario, addresses[0], log).await {
        return log.not_reached(&CheckId::ALL[2..], CheckId::TlsValid);
    }
    log.note(CheckId::PageLoads, page::check(scenario, addresses[0]).await).await;
    let nonce = format!("{:08x}", rand::random::<u32>());
    let place = Place { scenario, addresses: &addresses, nonce: &nonce };
    let Some(pair) = meet(&place, log).await else { return };
    if scenario.quick {
        converse(&place, pair, log).await;
        return log.skip(CheckId::IdleSurvives, "it takes longer than the listener's timeouts (--quick)");
    }
    // It takes a minute and more, so it is not alone meanwhile.
    let (idle, ()) = tokio::join!(idle::check(scenario, addresses[0], &nonce), converse(&place, pair, log));
    log.note(CheckId::IdleSurvives, idle).await;
}

/// `tls.valid` and `http.redirects`, as far as they apply. False when nothing can be said over https.
async fn secured(scenario: &Scenario, address: IpAddr, log: &mut Log<'_>) -> bool {
    let Some(tls) = &scenario.tls else {
        log.skip(CheckId::TlsValid, "the listener speaks plain HTTP");
        log.skip(CheckId::HttpRedirects, "the listener speaks plain HTTP");
        return true;
    };
    if !log.note(CheckId::TlsValid, tls::check(scenario, tls, address).await).await {
        return false;
    }
    match scenario.redirect_from {
        Some(port) => {
            log.note(CheckId::HttpRedirects, redirect::check(scenario, address, port).await).await;
        }
        None => log.skip(CheckId::HttpRedirects, "the topology has no `redirect_from`"),
    }
    true
}

async fn meet(place: &Place<'_>, log: &mut Log<'_>) -> Option<Pair> {
    match Pair::connect(place.scenario, place.addresses, place.nonce).await {
        Ok((pair, finding)) => {
            log.note(CheckId::WebsocketUpgrade, Ok(finding)).await;
            Some(pair)
        }
        Err(finding) => {
            log.note(CheckId::WebsocketUpgrade, Err(finding)).await;
            log.not_reached(&CheckId::ALL[5..], CheckId::WebsocketUpgrade);
            None
        }
    }
}

async fn converse(place: &Place<'_>, mut pair: Pair, log: &mut Log<'_>) {
    log.note(CheckId::Welcome, pair.welcome().await).await;
    log.note(CheckId::UsernameRequired, pair.username_required().await).await;
    let named = log.note(CheckId::UsernameSet, pair.username_set().await).await;
    if named {
        log.note(CheckId::MessageAToB, pair.first_speaks().await).await;
        log.note(CheckId::MessageBToA, pair.second_speaks().await).await;
    } else {
        log.not_reached(&[CheckId::MessageAToB, CheckId::MessageBToA], CheckId::UsernameSet);
    }
    let differ = log.note(CheckId::NodesDiffer, pair.nodes_differ(&place.scenario.nodes)).await;
    log.note(CheckId::NodesAll, crowd::check(place, [&pair.first.node, &pair.second.node]).await).await;
    if !named {
        let rest = [CheckId::RedisPath, CheckId::PollingSticky, CheckId::LeaveAnnounced];
        return log.not_reached(&rest, CheckId::UsernameSet);
    }
    if differ {
        log.note(CheckId::RedisPath, path::check(place, &mut pair).await).await;
        log.note(CheckId::PollingSticky, polling::check(place).await).await;
    } else {
        log.not_reached(&[CheckId::RedisPath, CheckId::PollingSticky], CheckId::NodesDiffer);
    }
    log.note(CheckId::LeaveAnnounced, pair.second_leaves().await).await;
}

/// The verdicts so far, and the time of the last.
struct Log<'a> {
    checks: Vec<Check>,
    on_check: &'a (dyn Fn(&Check) + Sync),
    inquirer: Option<&'a dyn Inquirer>,
    mark: Instant,
}

impl Log<'_> {
    /// Takes a verdict that has just been reached, and has a failure looked into. True when it passed.
    async fn note(&mut self, id: CheckId, verdict: Verdict) -> bool {
        let duration = self.mark.elapsed();
        let (status, finding) = match verdict {
            Ok(finding) => (Status::Passed, finding),
            Err(finding) => (Status::Failed, self.look_into(id, finding).await),
        };
        self.mark = Instant::now();
        self.push(id, status, finding, duration);
        status == Status::Passed
    }

    async fn look_into(&self, id: CheckId, finding: Finding) -> Finding {
        let finding = if finding.hint.is_none() { finding.hint(STATUS) } else { finding };
        let Some(inquirer) = self.inquirer else { return finding };
        let inquiry = inquirer.inquire(Failed { check: id, evidence: &finding.evidence }).await;
        finding.explained(inquiry)
    }

    fn skip(&mut self, id: CheckId, why: &str) {
        self.push(id, Status::Skipped, Finding::new(why), Duration::ZERO);
    }

    fn not_reached(&mut self, ids: &[CheckId], because: CheckId) {
        for id in ids {
            let finding = Finding::new(format!("not reached because {because} failed"));
            self.push(*id, Status::Failed, finding, Duration::ZERO);
        }
    }

    fn push(&mut self, id: CheckId, status: Status, finding: Finding, duration: Duration) {
        let Finding { sentence, evidence, hint } = finding;
        let check = Check { id, status, sentence, duration, evidence, hint };
        (self.on_check)(&check);
        self.checks.push(check);
    }

    /// A check that was forgotten must not look like one that passed.
    fn complete(&mut self) {
        for id in CheckId::ALL {
            if !self.checks.iter().any(|check| check.id == id) {
                self.push(id, Status::Failed, Finding::new("was not made"), Duration::ZERO);
            }
        }
    }
}
