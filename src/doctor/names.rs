//! The domain: whether the account has it, whether the record can stand, and whether the world asks for it there.

use std::collections::BTreeSet;

use crate::base::resolver::{name_servers as asked_servers, plain, resolver};
use crate::cloud::dns;
use crate::doctor::report::{CheckId, Finding};
use crate::doctor::visit::{Visit, listed, unanswered};
use crate::resource::ownership::record_remark;

/// Types that cannot stand beside a CNAME of the same host and line.
const AGAINST_CNAME: [&str; 9] =
    ["A", "AAAA", "CNAME", "SRV", "CAA", "REDIRECT_URL", "FORWARD_URL", "SVCB", "HTTPS"];

/// Whether the account has the domain, and whether its edition takes the TTL.
pub(super) async fn domain(visit: &Visit<'_>) -> Finding {
    let wanted = &visit.topology().dns;
    let found = match dns::domain(visit.client, &wanted.domain).await {
        Ok(found) => found,
        Err(error) => return unanswered(CheckId::Domain, &error),
    };
    if found.in_black_hole {
        return Finding::fail(
            CheckId::Domain,
            format!("{} is cut off because it is under attack", wanted.domain),
            "wait until dns.console.aliyun.com shows it as normal again",
        );
    }
    if let Some(least) = found.min_ttl.filter(|least| wanted.ttl < *least) {
        return Finding::fail(
            CheckId::Domain,
            format!("the edition of {} takes TTLs of {least} s or more, not {}", wanted.domain, wanted.ttl),
            format!("write `ttl: {least}` under `dns`"),
        );
    }
    let edition = Some(found.version_name).filter(|name| !name.is_empty());
    let edition = edition.map(|name| format!(" ({name})")).unwrap_or_default();
    Finding::ok(CheckId::Domain, format!("{} is in the account{edition}", wanted.domain))
}

/// Whether another record stands where the alias shall be.
pub(super) async fn record(visit: &Visit<'_>) -> Finding {
    let topology = visit.topology();
    let (wanted, name) = (&topology.dns, topology.dns.full_name());
    let found = match dns::records(visit.client, &wanted.domain, &wanted.host).await {
        Ok(found) => found,
        Err(error) => return unanswered(CheckId::Record, &error),
    };
    let remark = record_remark(&topology.stack);
    let is_ours = |record: &dns::Record| record.remark.as_deref() == Some(remark.as_str());
    let stands_against = |record: &&dns::Record| {
        let conflicts =
            AGAINST_CNAME.contains(&record.kind.as_str()) || (record.kind == "MX" && wanted.host != "@");
        conflicts && (record.line.is_empty() || record.line == "default") && !is_ours(record)
    };
    if let Some(other) = found.iter().find(stands_against) {
        return Finding::fail(
            CheckId::Record,
            format!("{name} has another record already: {} {}", other.kind, other.value),
            format!(
                "remove it at dns.console.aliyun.com if it is no longer wanted, or write another `dns.host` than \
                 `{}`",
                wanted.host
            ),
        );
    }
    if found.iter().any(is_ours) {
        return Finding::ok(CheckId::Record, format!("{name} is this stack's already"));
    }
    Finding::ok(CheckId::Record, format!("nothing stands in the way of {name}"))
}

/// Whether the name servers the world asks are those of the account: a record nobody asks for is no record.
pub(super) async fn name_servers(visit: &Visit<'_>) -> Finding {
    let domain = &visit.topology().dns.domain;
    let expected: BTreeSet<String> = match dns::name_servers(visit.client, domain).await {
        Ok(expected) => expected.iter().map(|name| plain(name)).collect(),
        Err(error) => return unanswered(CheckId::NameServers, &error),
    };
    let live = match resolver(visit.question.dns) {
        Ok(resolver) => asked_servers(&resolver, domain).await,
        Err(error) => Err(error.to_string()),
    };
    match live {
        Ok(live) => judge(domain, &expected, &live),
        Err(why) => {
            Finding::not_asked(CheckId::NameServers, format!("the look-up of {domain} failed: {why}"))
                .with_next(format!("dig {domain} NS"))
        }
    }
}

fn judge(domain: &str, expected: &BTreeSet<String>, live: &BTreeSet<String>) -> Finding {
    let set = format!("set the name servers of {domain} to {} where it is registered", listed(expected));
    if live.is_empty() {
        let sentence =
            format!("the DNS has no name servers for {domain}: it is not registered, or not delegated");
        return Finding::fail(CheckId::NameServers, sentence, set);
    }
    if live.is_disjoint(expected) {
        let sentence = format!(
            "the world asks {} for {domain}, and the account's records are at {}",
            listed(live),
            listed(expected)
        );
        return Finding::fail(CheckId::NameServers, sentence, set);
    }
    let others: Vec<&String> = live.difference(expected).collect();
    if others.is_empty() {
        return Finding::ok(CheckId::NameServers, format!("the world asks {} for {domain}", listed(live)));
    }
    let sentence =
        format!("the world asks {} for {domain} too, which the account does not serve", listed(others));
    Finding::warn(CheckId::NameServers, sentence, set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Status;

    #[test]
    fn name_servers_must_be_those_of_the_account() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let own = set(&["dns1.hichina.com", "dns2.hichina.com"]);
        let status = |live: &[&str]| judge("example.com", &own, &set(live)).status;
        assert_eq!(status(&["dns1.hichina.com", "dns2.hichina.com"]), Status::Ok);
        assert_eq!(status(&["dns2.hichina.com"]), Status::Ok);
        assert_eq!(status(&["dns2.hichina.com", "ns.elsewhere.net"]), Status::Warn);
        assert_eq!(status(&["ns.elsewhere.net"]), Status::Fail);
        assert_eq!(status(&[]), Status::Fail);
    }
}
