//! `dns.cname`: the name people type is an alias of the load balancer and leads to an address.
//!
//! 1. The servers of the zone are asked directly: what they say is so, whatever others have kept. How many of them say
//!    it, and after what time, is how far a change has spread.
//! 2. The system's resolver, or the server that was named, is asked as everybody asks it. When it says something else
//!    than the zone's own servers, it has kept an older answer.
//! 3. Where the answer is not as expected, the delegation is told too, if it leads to others than the account's servers.

mod question;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use self::question::{Answer, Server, listed};
use super::check::{Finding, Verdict};
use super::scenario::{Authorities, Scenario};
use crate::base::resolver::plain;

/// The pause between two looks while a fresh record spreads.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest time one of the zone's own servers is given: where nobody may ask it, it says nothing.
const ZONE: Duration = Duration::from_secs(3);
/// The shortest time a server is given.
const LEAST: Duration = Duration::from_millis(100);
/// How the names of application load balancers end, inside and outside mainland China.
const BALANCERS: [&str; 2] = [".alb.aliyuncsslb.com", ".alb.aliyuncsslbintl.com"];

/// What all servers said at one look.
struct Look {
    /// Of each of the zone's own servers: its name, where it is, and what it said; or why there are none to ask.
    zone: Result<Vec<(String, Option<SocketAddr>, Answer)>, String>,
    /// What everybody hears.
    public: Answer,
}

/// Asks until the alias is as expected or the deadline has passed; gives the addresses it leads to.
pub(super) async fn check(scenario: &Scenario) -> (Verdict, Vec<IpAddr>) {
    let name = scenario.dns_server.map_or("the system's resolver".to_owned(), |server| server.to_string());
    let public = match Server::at(name, scenario.dns_server) {
        Ok(public) => public,
        Err(why) => return (Err(Finding::new(why).hint("see /etc/resolv.conf")), Vec::new()),
    };
    let begun = Instant::now();
    let until = begun + scenario.deadline;
    let left = || until.saturating_duration_since(Instant::now()).max(LEAST);
    let zone = authorities(scenario, &public, left()).await;
    let mut spread = None;
    loop {
        let look = look(scenario, &zone, &public, left()).await;
        if spread.is_none() && look.zone_agrees(&scenario.expected_cname) {
            spread = Some(begun.elapsed());
        }
        let verdict = judge(scenario, &look, &public.name).map(|finding| told(finding, &look, spread));
        if verdict.is_ok() || Instant::now() + PAUSE > until {
            let verdict = verdict.map_err(|finding| told(finding, &look, spread));
            return (verdict, look.public.into_addresses());
        }
        sleep(PAUSE).await;
    }
}

/// The zone's own servers, those left out that the public one is.
async fn authorities(scenario: &Scenario, public: &Server, left: Duration) -> Result<Vec<Server>, String> {
    match &scenario.authorities {
        Authorities::OfZone(zone) => {
            let asked = tokio::time::timeout(left, public.authorities(zone)).await;
            let late =
                |_| format!("no answer about the servers of {zone} within {:.1} s", left.as_secs_f64());
            asked.map_err(late)?
        }
        Authorities::At(addresses) => {
            let others = addresses.iter().filter(|address| Some(**address) != public.address);
            others.map(|address| Server::at(address.to_string(), Some(*address))).collect()
        }
    }
}

async fn look(
    scenario: &Scenario,
    zone: &Result<Vec<Server>, String>,
    public: &Server,
    left: Duration,
) -> Look {
    let host = &scenario.host;
    let zone = async {
        match zone {
            Ok(servers) => {
                let asked = servers.iter().map(|server| async move {
                    (server.name.clone(), server.address, server.ask_alias(host, left.min(ZONE)).await)
                });
                Ok(join_all(asked).await)
            }
            Err(why) => Err(why.clone()),
        }
    };
    let (zone, public) = tokio::join!(zone, public.ask(host, left));
    Look { zone, public }
}

impl Look {
    /// What those of the zone's own servers said that answered: a network may let nobody ask them.
    fn heard(&self) -> impl Iterator<Item = &(String, Option<SocketAddr>, Answer)> {
        let servers = self.zone.as_deref().unwrap_or_default().iter();
        servers.filter(|(_, _, answer)| !matches!(answer, Answer::Unanswered(_)))
    }

    fn zone_agrees(&self, wanted: &str) -> bool {
        self.heard().next().is_some() && self.heard().all(|(_, _, answer)| answer.leads_to(wanted))
    }
}

/// With what each server said.
fn told(finding: Finding, look: &Look, spread: Option<Duration>) -> Finding {
    let mut finding = finding.with("resolver", look.public.words());
    match &look.zone {
        Ok(servers) if servers.is_empty() => {}
        Ok(servers) => {
            for (name, _, answer) in servers {
                finding = finding.with(&format!("authority.{name}"), answer.words());
            }
            let (heard, all) = (look.heard().count(), servers.len());
            finding = match spread {
                Some(after) => finding
                    .with("propagation", format!("{heard} of {all} after {:.1} s", after.as_secs_f64())),
                None => finding.with("propagation", format!("not all of {all}")),
            };
        }
        Err(why) => finding = finding.with("authorities", format!("could not be asked: {why}")),
    }
    finding
}

fn judge(scenario: &Scenario, look: &Look, public: &str) -> Verdict {
    let wanted = &scenario.expected_cname;
    if let Some((name, address, answer)) = look.heard().find(|(_, _, answer)| !answer.leads_to(wanted)) {
        let place = Place { scenario, server: name, address: *address };
        return Err(place.objection(answer, " of the zone's own servers"));
    }
    let place = Place { scenario, server: public, address: scenario.dns_server };
    let ttl = look
        .heard()
        .find_map(|(_, _, answer)| if let Answer::Alias { ttl, .. } = answer { Some(ttl) } else { None });
    match &look.public {
        Answer::Alias { addresses, ttl: kept, .. } if look.public.leads_to(wanted) => {
            if addresses.is_empty() {
                return Err(place.fail(&format!("{} has no address", plain(wanted))));
            }
            let finding =
                Finding::new(format!("{} is an alias of {wanted}, at {}", scenario.host, listed(addresses)))
                    .with("server", public)
                    .with("target", plain(wanted))
                    .with("ttl", format!("{} s", ttl.unwrap_or(kept)))
                    .with(
                        "addresses",
                        addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
                    );
            Ok(if ttl.is_some() { finding.with("kept_for", format!("{kept} s")) } else { finding })
        }
        // The zone is right, so it is not what is asked for, but what was kept.
        Answer::Alias { target, ttl: kept, .. } if ttl.is_some() => Err(place.fail(&format!(
            "the zone's own servers have it right, and {public} has kept {} for another {kept} s",
            plain(target)
        ))),
        Answer::Nothing if ttl.is_some() => Err(place.fail(&format!(
            "the zone's own servers have it right, and {public} has kept that there is no such name"
        ))),
        answer @ (Answer::Alias { .. } | Answer::Addresses(_) | Answer::Nothing | Answer::Unanswered(_)) => {
            Err(place.objection(answer, ""))
        }
    }
}

/// A server whose answer is judged.
struct Place<'a> {
    scenario: &'a Scenario,
    server: &'a str,
    address: Option<SocketAddr>,
}

impl Place<'_> {
    fn fail(&self, seen: &str) -> Finding {
        let (host, wanted) = (&self.scenario.host, &self.scenario.expected_cname);
        let at = self.address.map_or(String::new(), |one| format!(" @{} -p {}", one.ip(), one.port()));
        Finding::new(format!("expected {host} to be an alias of {wanted}, but {seen}"))
            .with("server", self.server)
            .hint(format!("dig{at} {host} CNAME"))
    }

    /// What is wrong with an answer: it is another's, an old one, none, or there is none.
    fn objection(&self, answer: &Answer, which: &str) -> Finding {
        let server = self.server;
        let server = if which.is_empty() { server.to_owned() } else { format!("{server}, one{which},") };
        match answer {
            Answer::Alias { target, ttl, .. } if BALANCERS.iter().any(|end| plain(target).ends_with(end)) => {
                self.fail(&format!(
                    "{server} still says {}, another load balancer: a stale answer for up to {ttl} s, or a record \
                     that was not changed",
                    plain(target)
                ))
            }
            Answer::Alias { target, .. } => self.fail(&format!("{server} says {}", plain(target))),
            Answer::Addresses(addresses) => {
                self.fail(&format!("{server} has no alias, only the address {}", listed(addresses)))
            }
            Answer::Nothing => self.fail(&format!("{server} knows no such name")),
            Answer::Unanswered(why) => self.fail(&format!("{server} does not answer: {why}")),
        }
    }
}
