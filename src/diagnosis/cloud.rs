//! Asks the cloud, and the DNS about the domain: each question by itself, so that one that fails hides no other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::future::Future;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use tokio::time::timeout;

use super::LIMIT;
use super::facts::{Asked, CloudFacts, Delegation, Group, Listener, Record, Server};
use super::subject::{RedisSubject, RuleSubject, Subject};
use crate::base::ids::CloudId;
use crate::base::resolver::{name_servers, plain, resolver};
use crate::cloud::ecs::Permission;
use crate::cloud::{alb, dns, ecs, redis};

/// Asks everything at once.
pub(super) async fn ask(subject: &Subject<'_>) -> CloudFacts {
    let (balancer, (listener, servers), group, closed, instances, redis, records, delegation) = tokio::join!(
        in_time(balancer(subject)),
        front(subject),
        in_time(group(subject)),
        in_time(closed(subject)),
        in_time(instances(subject)),
        managed_redis(subject),
        in_time(records(subject)),
        in_time(delegation(subject)),
    );
    CloudFacts { balancer, listener, group, servers, closed, instances, redis, records, delegation }
}

async fn in_time<T, E: Display>(question: impl Future<Output = Result<T, E>>) -> Asked<T> {
    match timeout(LIMIT, question).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
    }
}

async fn balancer(subject: &Subject<'_>) -> Asked<Option<String>> {
    let Some(id) = &subject.balancer else { return Ok(None) };
    let found = alb::load_balancer(subject.client, id).await.map_err(|error| error.to_string())?;
    Ok(found.map(|found| found.load_balancer_status))
}

/// The listener on the port that people come to, and the servers as it sees them.
async fn front(subject: &Subject<'_>) -> (Asked<Option<Listener>>, Asked<BTreeMap<String, Option<Server>>>) {
    let listener = in_time(listener(subject)).await;
    let id = listener.as_ref().ok().and_then(|found| found.as_ref()).map(|found| found.listener_id.clone());
    let servers = in_time(servers(subject, id.as_ref())).await;
    let facts = |found: alb::Listener| Listener {
        status: found.listener_status,
        protocol: found.listener_protocol,
        idle_timeout: found.idle_timeout,
        request_timeout: found.request_timeout,
    };
    (listener.map(|found| found.map(facts)), servers)
}

async fn listener(subject: &Subject<'_>) -> Asked<Option<alb::Listener>> {
    let Some(id) = &subject.balancer else { return Ok(None) };
    let all = alb::listeners(subject.client, id).await.map_err(|error| error.to_string())?;
    Ok(all.into_iter().find(|one| one.listener_port == subject.wanted.listener.port))
}

async fn group(subject: &Subject<'_>) -> Asked<Option<Group>> {
    let Some(id) = &subject.group else { return Ok(None) };
    let found = alb::server_groups_with_ids(subject.client, std::slice::from_ref(id)).await;
    let found = found.map_err(|error| error.to_string())?.into_iter().next();
    Ok(found.map(|found| Group { is_sticky: found.sticky_session_config.sticky_session_enabled }))
}

async fn servers(
    subject: &Subject<'_>,
    listener: Option<&CloudId>,
) -> Asked<BTreeMap<String, Option<Server>>> {
    let Some(group) = &subject.group else { return Err("the group is not there".to_owned()) };
    let all = alb::servers(subject.client, group).await.map_err(|error| error.to_string())?;
    let ill = match listener {
        Some(id) => alb::unhealthy_servers(subject.client, id).await.map_err(|error| error.to_string())?,
        None => None,
    };
    let ill = ill.unwrap_or_default();
    let server = |instance: &CloudId, port: u16| {
        let found = all.iter().find(|one| one.server_id == *instance && one.port == port)?;
        let illness = ill.iter().find(|one| one.is(instance, port) && !one.is_set_aside());
        Some(Server {
            weight: found.weight,
            status: found.status.clone(),
            illness: illness.map(|one| (one.status.clone(), one.reason.reason_code.clone())),
        })
    };
    let nodes = subject.wanted.nodes.iter();
    Ok(nodes
        .map(|node| (node.name.clone(), node.instance.as_ref().and_then(|id| server(id, node.port))))
        .collect())
}

async fn closed(subject: &Subject<'_>) -> Asked<Vec<String>> {
    let Some(group) = &subject.security_group else { return Err("the group is not there".to_owned()) };
    let found = ecs::rules_of(subject.client, group).await.map_err(|error| error.to_string())?;
    let rules = found.map(|(_, rules)| rules).unwrap_or_default();
    let closed = subject.wanted.rules.iter().filter(|rule| !is_open(rule, &rules));
    Ok(closed.map(|rule| format!("{} (tcp {} from {})", rule.name, rule.port, rule.source)).collect())
}

/// Whether these rules let somebody in: the one with the lowest number counts, of equals one that drops.
pub(super) fn is_open(wanted: &RuleSubject, rules: &[Permission]) -> bool {
    let rank = |rule: &&Permission| {
        let drops = rule.policy.eq_ignore_ascii_case("drop");
        (rule.priority.parse::<u8>().unwrap_or(1), !drops)
    };
    let first = rules.iter().filter(|rule| covers(rule, wanted)).min_by_key(rank);
    first.is_some_and(|rule| !rule.policy.eq_ignore_ascii_case("drop"))
}

fn covers(rule: &Permission, wanted: &RuleSubject) -> bool {
    let is_inbound = rule.direction.is_empty() || rule.direction.eq_ignore_ascii_case("ingress");
    let is_tcp = ["tcp", "all"].iter().any(|kind| rule.ip_protocol.eq_ignore_ascii_case(kind));
    let (from, to) = rule.port_range.split_once('/').unwrap_or((&rule.port_range, &rule.port_range));
    let has_port = match (from.parse::<i32>(), to.parse::<i32>()) {
        (Ok(-1), Ok(-1)) => true,
        (Ok(from), Ok(to)) => (from..=to).contains(&i32::from(wanted.port)),
        _ => false,
    };
    is_inbound
        && is_tcp
        && has_port
        && range(&rule.source_cidr_ip).is_some_and(|all| all.contains(&wanted.source))
}

/// A range; the cloud writes one machine as an address alone, too.
fn range(text: &str) -> Option<Ipv4Net> {
    text.parse().ok().or_else(|| text.parse::<Ipv4Addr>().ok().map(Ipv4Net::from))
}

async fn instances(subject: &Subject<'_>) -> Asked<BTreeMap<String, Option<String>>> {
    let nodes = &subject.wanted.nodes;
    let ids: Vec<CloudId> = nodes.iter().filter_map(|node| node.instance.clone()).collect();
    let found = ecs::instances_with_ids(subject.client, &ids).await.map_err(|error| error.to_string())?;
    let status = |id: &CloudId| found.iter().find(|one| one.instance_id == *id).map(|one| one.status.clone());
    Ok(nodes.iter().map(|node| (node.name.clone(), node.instance.as_ref().and_then(status))).collect())
}

async fn managed_redis(subject: &Subject<'_>) -> Option<Asked<Option<String>>> {
    let RedisSubject::Managed { id } = &subject.wanted.redis else { return None };
    let Some(id) = id else { return Some(Ok(None)) };
    let found = in_time(redis::instances_with_ids(subject.client, std::slice::from_ref(id))).await;
    Some(found.map(|found| found.into_iter().next().map(|one| one.instance_status)))
}

async fn records(subject: &Subject<'_>) -> Asked<Vec<Record>> {
    let wanted = &subject.wanted;
    let found = dns::records(subject.client, &wanted.domain, &wanted.host).await;
    let record = |one: dns::Record| Record {
        is_enabled: !one.status.eq_ignore_ascii_case("disable"),
        kind: one.kind,
        value: one.value,
        ttl: one.ttl,
    };
    let at_apex = |one: &dns::Record| !matches!(one.kind.as_str(), "NS" | "SOA" | "MX" | "TXT" | "CAA");
    let found = found.map_err(|error| error.to_string())?;
    Ok(found.into_iter().filter(at_apex).map(record).collect())
}

async fn delegation(subject: &Subject<'_>) -> Asked<Delegation> {
    let domain = &subject.wanted.domain;
    let expected = dns::name_servers(subject.client, domain).await.map_err(|error| error.to_string())?;
    let expected: BTreeSet<String> = expected.iter().map(|name| plain(name)).collect();
    let resolver = resolver(subject.dns_server).map_err(|error| error.to_string())?;
    Ok(Delegation { expected, live: name_servers(&resolver, domain).await? })
}
