//! What was heard, as evidence: one line a question, the reason in its place where it could not be asked.

use std::collections::BTreeMap;

use super::facts::{Asked, CloudFacts, Facts, HostFacts, Node, Server};
use crate::deploy::vitals::Vitals;

/// How many of a unit's last lines are evidence.
const LINES: usize = 4;

/// All of it, under names that begin with `asked.`.
pub(super) fn of(facts: &Facts) -> BTreeMap<String, String> {
    let mut all = of_cloud(&facts.cloud);
    all.extend(of_hosts(&facts.hosts));
    all.into_iter().map(|(name, value)| (format!("asked.{name}"), value)).collect()
}

fn told<T>(asked: &Asked<T>, words: impl FnOnce(&T) -> String) -> String {
    match asked {
        Ok(answer) => words(answer),
        Err(why) => format!("could not be asked: {why}"),
    }
}

fn state(found: Option<&String>) -> String {
    found.map_or_else(|| "not there".to_owned(), Clone::clone)
}

fn of_cloud(cloud: &CloudFacts) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut add = |name: &str, value: String| all.insert(name.to_owned(), value);
    add("load_balancer", told(&cloud.balancer, |found| state(found.as_ref())));
    add(
        "listener",
        told(&cloud.listener, |found| match found {
            Some(one) => format!(
                "{}, {}, idle timeout {} s, request timeout {} s",
                one.status, one.protocol, one.idle_timeout, one.request_timeout
            ),
            None => state(None),
        }),
    );
    add(
        "server_group",
        told(&cloud.group, |found| match found {
            Some(one) if one.is_sticky => "sticky sessions".to_owned(),
            Some(_) => "no sticky sessions".to_owned(),
            None => state(None),
        }),
    );
    add(
        "security_group",
        told(&cloud.closed, |closed| match closed.as_slice() {
            [] => "lets in whom it should".to_owned(),
            closed => format!("does not let in {}", closed.join(", ")),
        }),
    );
    add(
        "record",
        told(&cloud.records, |records| {
            let words: Vec<String> = records
                .iter()
                .map(|one| {
                    let off = if one.is_enabled { "" } else { " (disabled)" };
                    format!("{} {}{off}, TTL {} s", one.kind, one.value, one.ttl)
                })
                .collect();
            if words.is_empty() { state(None) } else { words.join("; ") }
        }),
    );
    add(
        "name_servers",
        told(&cloud.delegation, |found| {
            let list = |names: &std::collections::BTreeSet<String>| {
                names.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
            };
            format!("{}; the account's are {}", list(&found.live), list(&found.expected))
        }),
    );
    match &cloud.servers {
        Ok(servers) => {
            for (node, server) in servers {
                add(&format!("server.{node}"), server.as_ref().map_or_else(|| state(None), of_server));
            }
        }
        Err(why) => drop(add("servers", told::<()>(&Err(why.clone()), |()| String::new()))),
    }
    match &cloud.instances {
        Ok(instances) => {
            for (node, status) in instances {
                add(&format!("instance.{node}"), state(status.as_ref()));
            }
        }
        Err(why) => drop(add("instances", told::<()>(&Err(why.clone()), |()| String::new()))),
    }
    if let Some(redis) = &cloud.redis {
        add("redis", told(redis, |found| state(found.as_ref())));
    }
    all
}

fn of_server(server: &Server) -> String {
    let health = match &server.illness {
        Some((status, reason)) if reason.is_empty() => status.clone(),
        Some((status, reason)) => format!("{status} ({reason})"),
        None => "healthy".to_owned(),
    };
    format!("{}, weight {}, {health}", server.status, server.weight)
}

fn of_hosts(hosts: &HostFacts) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (name, node) in &hosts.nodes {
        add_node(name, node, &mut all);
    }
    if let Some(redis) = &hosts.redis {
        add_unit("redis", redis, &mut all);
    }
    all
}

fn add_node(name: &str, node: &Node, all: &mut BTreeMap<String, String>) {
    add_unit(&format!("node.{name}"), &node.vitals, all);
    if node.vitals.is_err() {
        return;
    }
    let ready = told(&node.readiness, |found| match found {
        Ok(()) => "ready".to_owned(),
        Err(why) => format!("not ready: {why}"),
    });
    all.insert(format!("readyz.{name}"), ready);
    let redis = told(&node.redis, |found| match found {
        Ok(()) => "answers".to_owned(),
        Err(why) => format!("does not answer: {why}"),
    });
    all.insert(format!("redis_from.{name}"), redis);
}

fn add_unit(name: &str, vitals: &Asked<Vitals>, all: &mut BTreeMap<String, String>) {
    all.insert(name.to_owned(), told(vitals, |own| format!("{}: {}", own.unit, own.state)));
    let Ok(vitals) = vitals else { return };
    let lines: Vec<&str> = vitals.last_words.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    if !last.is_empty() {
        all.insert(format!("{name}.log"), last.join("\n"));
    }
}
