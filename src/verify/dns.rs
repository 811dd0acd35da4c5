//! `dns.cname`: the name people type is an alias of the load balancer and leads to an address.

use std::net::IpAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::{RData, RecordType};
use tokio::time::{Instant, sleep, timeout};

use super::check::{Finding, Verdict};
use super::scenario::Scenario;
use crate::base::resolver::{plain, records, resolver};

/// The pause between two looks while a fresh record spreads.
const PAUSE: Duration = Duration::from_millis(250);
/// How the names of application load balancers end, inside and outside mainland China.
const BALANCERS: [&str; 2] = [".alb.aliyuncsslb.com", ".alb.aliyuncsslbintl.com"];

/// What a server knows about a name.
#[derive(Debug, Clone, PartialEq)]
enum Answer {
    Alias {
        target: String,
        ttl: u32,
        addresses: Vec<IpAddr>,
    },
    /// No alias, but addresses of its own.
    Addresses(Vec<IpAddr>),
    Nothing,
    Unanswered(String),
}

/// Asks until the alias is as expected or the deadline has passed; gives the addresses it leads to.
pub(super) async fn check(scenario: &Scenario) -> (Verdict, Vec<IpAddr>) {
    let server = scenario.dns_server.map_or("the system's resolver".to_owned(), |server| server.to_string());
    let resolver = match resolver(scenario.dns_server) {
        Ok(resolver) => resolver,
        Err(error) => {
            let finding = Finding::new(format!("the resolver cannot be set up: {error}"));
            return (Err(finding.hint("see /etc/resolv.conf")), Vec::new());
        }
    };
    let until = Instant::now() + scenario.deadline;
    loop {
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(100));
        let answer = match timeout(left, ask(&resolver, &scenario.host)).await {
            Ok(answer) => answer,
            Err(_) => {
                Answer::Unanswered(format!("no answer within {:.1} s", scenario.deadline.as_secs_f64()))
            }
        };
        let verdict = judge(scenario, &answer, &server);
        if verdict.is_ok() || Instant::now() + PAUSE > until {
            let addresses = match answer {
                Answer::Alias { addresses, .. } | Answer::Addresses(addresses) => addresses,
                Answer::Nothing | Answer::Unanswered(_) => Vec::new(),
            };
            return (verdict, addresses);
        }
        sleep(PAUSE).await;
    }
}

fn judge(scenario: &Scenario, answer: &Answer, server: &str) -> Verdict {
    let (host, wanted) = (&scenario.host, &scenario.expected_cname);
    let at =
        scenario.dns_server.map_or(String::new(), |server| format!(" @{} -p {}", server.ip(), server.port()));
    let fail = |seen: String| {
        Finding::new(format!("expected {host} to be an alias of {wanted}, but {seen}"))
            .with("server", server)
            .hint(format!("dig{at} {host} CNAME"))
    };
    match answer {
        Answer::Alias { target, ttl, addresses } if plain(target) == plain(wanted) => {
            if addresses.is_empty() {
                return Err(fail(format!("{target} has no address")));
            }
            let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            Ok(Finding::new(format!("{host} is an alias of {wanted}, at {}", list.join(" and ")))
                .with("server", server)
                .with("target", plain(target))
                .with("ttl", format!("{ttl} s"))
                .with("addresses", list.join(" ")))
        }
        Answer::Alias { target, ttl, .. } if BALANCERS.iter().any(|end| plain(target).ends_with(end)) => {
            Err(fail(format!(
                "{server} still says {}, another load balancer: a stale answer for up to {ttl} s, or a record \
                 that was not changed",
                plain(target)
            )))
        }
        Answer::Alias { target, .. } => Err(fail(format!("{server} says {}", plain(target)))),
        Answer::Addresses(addresses) => {
            let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            Err(fail(format!("{server} has no alias, only the address {}", list.join(" and "))))
        }
        Answer::Nothing => Err(fail(format!("{server} knows no such name"))),
        Answer::Unanswered(why) => Err(fail(format!("{server} does not answer: {why}"))),
    }
}

async fn ask(resolver: &TokioResolver, host: &str) -> Answer {
    // A last dot keeps search domains out of it.
    let name = format!("{}.", plain(host));
    let alias = match records(resolver, &name, RecordType::CNAME).await {
        Ok(records) => records.into_iter().find_map(|(data, ttl)| {
            let RData::CNAME(target) = data else { return None };
            Some((target.0.to_string(), ttl))
        }),
        Err(why) => return Answer::Unanswered(why),
    };
    let question = alias.as_ref().map_or(name, |(target, _)| target.clone());
    let addresses = match records(resolver, &question, RecordType::A).await {
        Ok(records) => records.into_iter().filter_map(|(data, _)| data.ip_addr()).collect::<Vec<_>>(),
        Err(why) => return Answer::Unanswered(why),
    };
    match alias {
        Some((target, ttl)) => Answer::Alias { target, ttl, addresses },
        None if addresses.is_empty() => Answer::Nothing,
        None => Answer::Addresses(addresses),
    }
}
