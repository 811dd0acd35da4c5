//! Goes through the checks in order.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::check::{Check, CheckId, Finding, NOT_REACHED, Status, Verdict};
use super::clients::Pair;
use super::crowd::Place;
use super::failover::Outage;
use super::inquiry::{Failed, Inquirer};
use super::report::Report;
use super::scenario::{Echo, Scenario, Service};
use super::{answers, crowd, dns, echo, failover, idle, page, path, polling, redirect, tls};

/// Where to look when a check knows no better.
const STATUS: &str = "`albatross status FILE` shows what runs where";

/// Who helps a verification, as far as there is somebody.
#[derive(Clone, Copy, Default)]
pub struct Means<'a> {
    /// Looks into failures.
    pub inquirer: Option<&'a dyn Inquirer>,
    /// Stops a node and starts it again.
    pub outage: Option<&'a dyn Outage>,
}

/// Verifies a chatroom, telling each verdict as it is reached.
///
/// Nothing is changed anywhere but in the room itself, where two people with random names come and go, unless there is
/// somebody to stop a node. Where somebody may ask the cloud and the hosts, each failure is told with what they find.
pub async fn run(scenario: &Scenario, means: Means<'_>, on_check: &(dyn Fn(&Check) + Sync)) -> Report {
    let started = Timestamp::now();
    let clock = Instant::now();
    let mut log = Log { checks: Vec::new(), on_check, scenario, means, mark: clock };
    verify(scenario, &mut log).await;
    log.complete(scenario.service.checks());
    Report::of(log.checks, started, clock.elapsed())
}

async fn verify(scenario: &Scenario, log: &mut Log<'_>) {
    let Some(addresses) = resolved(scenario, log).await else {
        return log.not_reached(&scenario.service.checks()[1..], CheckId::DnsCname);
    };
    if !secured(scenario, addresses[0], log).await {
        return log.not_reached(&scenario.service.checks()[2..], CheckId::TlsValid);
    }
    match &scenario.service {
        Service::Chat => chat(scenario, &addresses, log).await,
        Service::Echo(echo) => say_back(scenario, echo, &addresses, log).await,
        Service::Http(page) => {
            log.note(CheckId::HttpAnswers, answers::check(scenario, page, &addresses).await).await;
        }
    }
}

async fn say_back(scenario: &Scenario, echo: &Echo, addresses: &[IpAddr], log: &mut Log<'_>) {
    match echo::meet(scenario, echo, addresses).await {
        Ok((sockets, finding)) => {
            log.note(CheckId::WebsocketUpgrade, Ok(finding)).await;
            log.note(CheckId::WebsocketEcho, echo::check(scenario, echo, sockets).await).await;
        }
        Err(finding) => {
            log.note(CheckId::WebsocketUpgrade, Err(finding)).await;
            log.not_reached(&[CheckId::WebsocketEcho], CheckId::WebsocketUpgrade);
        }
    }
}

async fn chat(scenario: &Scenario, addresses: &[IpAddr], log: &mut Log<'_>) {
    log.note(CheckId::PageLoads, page::check(scenario, addresses[0]).await).await;
    let nonce = format!("{:08x}", rand::random::<u32>());
    let place = Place { scenario, addresses, nonce: &nonce };
    let Some(pair) = meet(&place, log).await else { return };
    let obstacle = if log.left_out(CheckId::IdleSurvives).is_some() {
        let obstacle = converse(&place, pair, log).await;
        log.leave_out(CheckId::IdleSurvives);
        obstacle
    } else {
        // It takes a minute and more, so it is not alone meanwhile.
        let silence = idle::check(scenario, addresses[0], &nonce);
        let (idle, obstacle) = tokio::join!(silence, converse(&place, pair, log));
        log.note(CheckId::IdleSurvives, idle).await;
        obstacle
    };
    fail_over(&place, obstacle, log).await;
}

/// `failover`, where somebody may stop a node and there is another one.
async fn fail_over(place: &Place<'_>, obstacle: Option<CheckId>, log: &mut Log<'_>) {
    if log.leave_out(CheckId::Failover) {
        return;
    }
    if let Some(obstacle) = obstacle {
        log.not_reached(&[CheckId::Failover], obstacle);
    } else if let Some(outage) = log.means.outage {
        log.note(CheckId::Failover, failover::check(place, outage).await).await;
    }
}

/// `dns.cname`, unless it was said where to connect. The addresses to connect to.
async fn resolved(scenario: &Scenario, log: &mut Log<'_>) -> Option<Vec<IpAddr>> {
    if let Some(target) = scenario.connect_to.get(&scenario.port) {
        let (host, port) = (&scenario.host, scenario.port);
        log.skip(CheckId::DnsCname, &format!("{host}:{port} is connected to at {target} (--connect-to)"));
        return Some(vec![target.ip()]);
    }
    let (verdict, addresses) = dns::check(scenario).await;
    log.note(CheckId::DnsCname, verdict).await.then_some(addresses)
}

/// `tls.valid` and `http.redirects`, as far as they apply. False when nothing can be said over https.
async fn secured(scenario: &Scenario, address: IpAddr, log: &mut Log<'_>) -> bool {
    if let Some(tls) = &scenario.tls {
        if !log.note(CheckId::TlsValid, tls::check(scenario, tls, address).await).await {
            return false;
        }
    } else {
        log.leave_out(CheckId::TlsValid);
    }
    if !log.leave_out(CheckId::HttpRedirects)
        && let Some(port) = scenario.redirect_from
    {
        log.note(CheckId::HttpRedirects, redirect::check(scenario, address, port).await).await;
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
            log.not_reached(&CheckId::OF_CHAT[5..], CheckId::WebsocketUpgrade);
            None
        }
    }
}

/// What two people say to each other. The check without which nothing more can be said of two nodes, if one failed.
async fn converse(place: &Place<'_>, mut pair: Pair, log: &mut Log<'_>) -> Option<CheckId> {
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
        log.not_reached(&rest, CheckId::UsernameSet);
        return Some(CheckId::UsernameSet);
    }
    if differ {
        log.note(CheckId::RedisPath, path::check(place, &mut pair).await).await;
        log.note(CheckId::PollingSticky, polling::check(place).await).await;
    } else {
        log.not_reached(&[CheckId::RedisPath, CheckId::PollingSticky], CheckId::NodesDiffer);
    }
    log.note(CheckId::LeaveAnnounced, pair.second_leaves().await).await;
    (!differ).then_some(CheckId::NodesDiffer)
}

/// The verdicts so far, and the time of the last.
struct Log<'a> {
    checks: Vec<Check>,
    on_check: &'a (dyn Fn(&Check) + Sync),
    scenario: &'a Scenario,
    means: Means<'a>,
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
        let Some(inquirer) = self.means.inquirer else { return finding };
        let inquiry = inquirer.inquire(Failed { check: id, evidence: &finding.evidence }).await;
        finding.explained(inquiry)
    }

    /// Why a check is not to be made at all, whatever came of those before it.
    fn left_out(&self, id: CheckId) -> Option<&'static str> {
        let scenario = self.scenario;
        let is_plain = scenario.tls.is_none();
        let reasons = [
            (CheckId::TlsValid, is_plain, "the listener speaks plain HTTP"),
            (CheckId::HttpRedirects, is_plain, "the listener speaks plain HTTP"),
            (CheckId::HttpRedirects, scenario.redirect_from.is_none(), "the topology has no `redirect_from`"),
            (CheckId::IdleSurvives, scenario.quick, "it takes longer than the listener's timeouts (--quick)"),
            (CheckId::Failover, self.means.outage.is_none(), "it stops a node for a while (--disruptive)"),
            (CheckId::Failover, scenario.nodes.len() < 2, "there is one node, and nowhere to go"),
        ];
        reasons.into_iter().find(|(check, holds, _)| *check == id && *holds).map(|(_, _, why)| why)
    }

    /// Skips a check that is not to be made. Whether it is one.
    fn leave_out(&mut self, id: CheckId) -> bool {
        let why = self.left_out(id);
        if let Some(why) = why {
            self.skip(id, why);
        }
        why.is_some()
    }

    fn skip(&mut self, id: CheckId, why: &str) {
        self.push(id, Status::Skipped, Finding::new(why), Duration::ZERO);
    }

    fn not_reached(&mut self, ids: &[CheckId], because: CheckId) {
        for id in ids {
            if self.leave_out(*id) {
                continue;
            }
            let finding = Finding::new(format!("{NOT_REACHED} {because} failed"));
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
    fn complete(&mut self, wanted: &[CheckId]) {
        for id in wanted {
            if !self.checks.iter().any(|check| check.id == *id) {
                self.push(*id, Status::Failed, Finding::new("was not made"), Duration::ZERO);
            }
        }
    }
}
