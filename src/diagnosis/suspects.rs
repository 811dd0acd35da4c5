//! A question for each layer: whether something is wrong there, what, and what to type next. What could not be asked
//! is never held against anybody.

use super::facts::{Facts, Record};
use super::subject::{NodeSubject, RedisSubject, Wanted};
use crate::base::resolver::plain;
use crate::verify::{Diagnosis, Failed, Layer};

/// A failure and all that is known.
pub(super) struct Case<'a> {
    pub(super) wanted: &'a Wanted,
    pub(super) facts: &'a Facts,
    pub(super) failed: Failed<'a>,
}

impl Case<'_> {
    /// A command of this program about the topology's file.
    fn command(&self, verb: &str) -> String {
        self.wanted.command(verb, "")
    }

    /// What makes it so again.
    fn apply(&self) -> String {
        format!("{} makes it as the topology says", self.command("apply"))
    }

    fn nodes(&self) -> impl Iterator<Item = &NodeSubject> {
        self.wanted.nodes.iter()
    }

    fn name(&self) -> String {
        let Wanted { host, domain, .. } = self.wanted;
        if host == "@" { domain.clone() } else { format!("{host}.{domain}") }
    }
}

fn blame(layer: Layer, cause: impl Into<String>, next: impl Into<String>) -> Diagnosis {
    Diagnosis { layer, cause: cause.into(), next: next.into() }
}

/// The record in the account.
pub(super) fn record(seen: &Case<'_>) -> Option<Diagnosis> {
    let records = seen.facts.cloud.records.as_ref().ok()?;
    let (name, target) = (seen.name(), plain(&seen.wanted.target));
    let is_right = |one: &&Record| one.kind == "CNAME" && plain(&one.value) == target;
    let cause = match records.iter().find(is_right) {
        Some(right) if right.is_enabled => return None,
        Some(_) => format!("the record of {name} is disabled"),
        None => match records.first() {
            Some(other) => {
                format!("the record of {name} is {} {}, not CNAME {target}", other.kind, other.value)
            }
            None => format!("the account has no record of {name}"),
        },
    };
    Some(blame(Layer::Dns, cause, seen.apply()))
}

/// Who is asked for the domain.
pub(super) fn delegation(seen: &Case<'_>) -> Option<Diagnosis> {
    let found = seen.facts.cloud.delegation.as_ref().ok()?;
    if found.expected.is_empty() || !found.live.is_disjoint(&found.expected) {
        return None;
    }
    let list = |names: &std::collections::BTreeSet<String>| {
        names.iter().map(String::as_str).collect::<Vec<_>>().join(" and ")
    };
    let (domain, expected) = (&seen.wanted.domain, list(&found.expected));
    let cause = if found.live.is_empty() {
        format!("{domain} is delegated to nobody")
    } else {
        format!(
            "the world asks {} for {domain}, and the account's records are at {expected}",
            list(&found.live)
        )
    };
    let next =
        format!("set the name servers of {domain} to {expected} where it is registered; dig {domain} NS");
    Some(blame(Layer::Delegation, cause, next))
}

/// An answer that is not the account's: with the record and the delegation right, somebody has kept an older one.
pub(super) fn kept_answer(seen: &Case<'_>) -> Option<Diagnosis> {
    let records = seen.facts.cloud.records.as_ref().ok()?;
    let right = records.iter().find(|one| one.kind == "CNAME" && one.is_enabled)?;
    if plain(&right.value) != plain(&seen.wanted.target) {
        return None;
    }
    let cause = "the record in the account is right, and the answer is not from it: one kept from before";
    let wait = format!(
        "look again when its TTL is over, {} s as the record has it: dig {} CNAME",
        right.ttl,
        seen.name()
    );
    Some(blame(Layer::Dns, cause, wait))
}

/// The load balancer itself.
pub(super) fn balancer(seen: &Case<'_>) -> Option<Diagnosis> {
    let cause = match seen.facts.cloud.balancer.as_ref().ok()? {
        None => "the load balancer is not there".to_owned(),
        Some(status) if status != "Active" => format!("the load balancer is {status}"),
        Some(_) => return None,
    };
    Some(blame(Layer::Listener, cause, seen.apply()))
}

/// The listener.
pub(super) fn listener(seen: &Case<'_>) -> Option<Diagnosis> {
    let wanted = &seen.wanted.listener;
    let cause = match seen.facts.cloud.listener.as_ref().ok()? {
        None => format!("the load balancer has no listener on port {}", wanted.port),
        Some(found) if found.status != "Running" => {
            format!("the listener on port {} is {}", wanted.port, found.status)
        }
        Some(found) if found.protocol != wanted.protocol => {
            format!("the listener on port {} speaks {}, not {}", wanted.port, found.protocol, wanted.protocol)
        }
        Some(_) => return None,
    };
    Some(blame(Layer::Listener, cause, seen.apply()))
}

/// When the listener loses patience.
pub(super) fn timeouts(seen: &Case<'_>) -> Option<Diagnosis> {
    let wanted = &seen.wanted.listener;
    let found = seen.facts.cloud.listener.as_ref().ok()?.as_ref()?;
    let cause = if found.idle_timeout != wanted.idle_timeout {
        format!("the listener's idle timeout is {} s, not {} s", found.idle_timeout, wanted.idle_timeout)
    } else if found.request_timeout != wanted.request_timeout {
        format!(
            "the listener's request timeout is {} s, not {} s",
            found.request_timeout, wanted.request_timeout
        )
    } else {
        return None;
    };
    Some(blame(Layer::Listener, cause, seen.apply()))
}

/// The certificate, when all that could keep TLS from it is well.
pub(super) fn certificate(seen: &Case<'_>) -> Option<Diagnosis> {
    let found = seen.facts.cloud.listener.as_ref().ok()?.as_ref()?;
    let cause = format!(
        "the listener is {} and speaks {}: what it shows or answers is to blame",
        found.status, found.protocol
    );
    Some(blame(Layer::Tls, cause, format!("{} compares it with the topology", seen.command("plan"))))
}

/// Who is in the group, and with which share.
pub(super) fn group(seen: &Case<'_>) -> Option<Diagnosis> {
    if let Ok(None) = seen.facts.cloud.group {
        return Some(blame(Layer::ServerGroup, "the server group is not there", seen.apply()));
    }
    let servers = seen.facts.cloud.servers.as_ref().ok()?;
    let cause = seen.nodes().find_map(|node| match servers.get(&node.name)? {
        None => Some(format!("{} is not in the server group", node.name)),
        Some(server) if server.weight == 0 => Some(format!("{} has weight 0", node.name)),
        Some(server) if server.status != "Available" => Some(format!("{} is {}", node.name, server.status)),
        Some(_) => None,
    })?;
    Some(blame(Layer::ServerGroup, cause, seen.apply()))
}

/// Whether the group keeps those who poll where they are.
pub(super) fn stickiness(seen: &Case<'_>) -> Option<Diagnosis> {
    let group = seen.facts.cloud.group.as_ref().ok()?.as_ref()?;
    let cause = "sticky sessions are off";
    (!group.is_sticky).then(|| blame(Layer::ServerGroup, cause, seen.apply()))
}

/// The instances.
pub(super) fn instance(seen: &Case<'_>) -> Option<Diagnosis> {
    let instances = seen.facts.cloud.instances.as_ref().ok()?;
    let cause = seen.nodes().find_map(|node| match instances.get(&node.name)? {
        None => Some(format!("the instance {} is not there", node.name)),
        Some(status) if status != "Running" => Some(format!("the instance {} is {status}", node.name)),
        Some(_) => None,
    })?;
    Some(blame(Layer::Node, cause, seen.apply()))
}

/// The units of the nodes.
pub(super) fn unit(seen: &Case<'_>) -> Option<Diagnosis> {
    let (node, vitals) = seen.nodes().find_map(|node| {
        let vitals = seen.facts.hosts.nodes.get(&node.name)?.vitals.as_ref().ok()?;
        (!vitals.is_active).then_some((node, vitals))
    })?;
    let cause = format!("{} on {}: {}", vitals.unit, node.name, vitals.state);
    let logs = seen.wanted.command("logs", &node.name);
    Some(blame(Layer::Node, cause, format!("{logs}; {} starts it again", seen.command("apply"))))
}

/// A host that says nothing to us, and nothing to the load balancer either.
pub(super) fn silent_host(seen: &Case<'_>) -> Option<Diagnosis> {
    let (node, why, reason) = seen.nodes().find_map(|node| {
        let why = seen.facts.hosts.nodes.get(&node.name)?.vitals.as_ref().err()?;
        let (_, reason) = seen.facts.cloud.illness(&node.name)?;
        Some((node, why, reason))
    })?;
    let cause = format!("{} answers neither SSH ({why}) nor health checks ({reason})", node.name);
    Some(blame(Layer::Node, cause, seen.wanted.command("ssh", &format!("{} -- uptime", node.name))))
}

/// What health checks find where the host finds nothing.
pub(super) fn health(seen: &Case<'_>) -> Option<Diagnosis> {
    let (node, (status, reason)) =
        seen.nodes().find_map(|node| Some((node, seen.facts.cloud.illness(&node.name)?)))?;
    let cause = format!("the load balancer finds {} {status} ({reason})", node.name);
    let address = node.address.map_or_else(|| "ADDRESS".to_owned(), |address| address.to_string());
    let look = format!("{} -- curl --head http://{address}:{}/healthz", node.name, node.port);
    Some(blame(Layer::Health, cause, seen.wanted.command("ssh", &look)))
}

/// Rules that let the load balancer in.
pub(super) fn closed_to_balancer(seen: &Case<'_>) -> Option<Diagnosis> {
    let port = seen.wanted.nodes.first()?.port;
    closed(seen, port)
}

/// Rules that let the nodes into Redis.
pub(super) fn closed_to_nodes(seen: &Case<'_>) -> Option<Diagnosis> {
    let RedisSubject::OnHost { port, .. } = seen.wanted.redis else { return None };
    closed(seen, port)
}

fn closed(seen: &Case<'_>, port: u16) -> Option<Diagnosis> {
    let closed = seen.facts.cloud.closed.as_ref().ok()?;
    let rule = closed.iter().find(|rule| rule.contains(&format!("(tcp {port} from ")))?;
    Some(blame(Layer::Network, format!("the security group does not let in {rule}"), seen.apply()))
}

/// Redis itself.
pub(super) fn redis(seen: &Case<'_>) -> Option<Diagnosis> {
    let RedisSubject::OnHost { name, .. } = &seen.wanted.redis else { return managed_redis(seen) };
    let logs = seen.wanted.command("logs", name);
    let start = format!("{logs}; {} starts it again", seen.command("apply"));
    match seen.facts.hosts.redis.as_ref()? {
        Ok(vitals) if !vitals.is_active => {
            Some(blame(Layer::Redis, format!("{} on {name}: {}", vitals.unit, vitals.state), start))
        }
        Ok(vitals) if nobody_reaches_redis(seen) => {
            let cause = format!("{} on {name} runs and answers no node", vitals.unit);
            Some(blame(Layer::Redis, cause, logs))
        }
        Err(why) if nobody_reaches_redis(seen) => {
            let cause = format!("{name} answers neither SSH ({why}) nor any node");
            Some(blame(Layer::Redis, cause, seen.wanted.command("ssh", &format!("{name} -- uptime"))))
        }
        Ok(_) | Err(_) => None,
    }
}

fn managed_redis(seen: &Case<'_>) -> Option<Diagnosis> {
    let cause = match seen.facts.cloud.redis.as_ref()?.as_ref().ok()? {
        None => "the Redis instance is not there".to_owned(),
        Some(status) if status != "Normal" => format!("the Redis instance is {status}"),
        Some(_) => return None,
    };
    Some(blame(Layer::Redis, cause, seen.command("status")))
}

/// Where at least one node says so, and none that was asked says otherwise; a closed security group explains it better.
fn nobody_reaches_redis(seen: &Case<'_>) -> bool {
    let mut asked = seen.facts.hosts.nodes.values().filter_map(|node| node.redis.as_ref().ok()).peekable();
    asked.peek().is_some() && asked.all(Result::is_err) && closed_to_nodes(seen).is_none()
}

/// A node that does not reach a Redis that runs, and says that it is not ready.
pub(super) fn way_to_redis(seen: &Case<'_>) -> Option<Diagnosis> {
    cut_way(seen, |node| !matches!(node.readiness, Ok(Ok(()))))
}

/// The same where the node has not noticed: it may be that its host passes no connections on.
pub(super) fn doubtful_way_to_redis(seen: &Case<'_>) -> Option<Diagnosis> {
    cut_way(seen, |node| matches!(node.readiness, Ok(Ok(()))))
}

fn cut_way(seen: &Case<'_>, counts: impl Fn(&super::facts::Node) -> bool) -> Option<Diagnosis> {
    let RedisSubject::OnHost { name, address, port } = &seen.wanted.redis else { return None };
    let (node, why) = seen.nodes().find_map(|node| {
        let found = seen.facts.hosts.nodes.get(&node.name).filter(|found| counts(found))?;
        let why = found.redis.as_ref().ok()?.as_ref().err()?;
        Some((node, why))
    })?;
    let cause = format!("{} does not reach Redis on {name}: {why}", node.name);
    let address = address.map_or_else(|| "ADDRESS".to_owned(), |address| address.to_string());
    let look = format!("{} -- curl --max-time 3 http://{address}:{port}/", node.name);
    let next = format!("{}, to which Redis replies with nothing", seen.wanted.command("ssh", &look));
    Some(blame(Layer::Network, cause, next))
}

/// A node that runs and says that it is not ready.
pub(super) fn unready(seen: &Case<'_>) -> Option<Diagnosis> {
    let (node, why) = seen.nodes().find_map(|node| {
        let why = seen.facts.hosts.nodes.get(&node.name)?.readiness.as_ref().ok()?.as_ref().err()?;
        Some((node, why))
    })?;
    let cause = format!("the node on {} is not ready: {why}", node.name);
    Some(blame(Layer::Node, cause, seen.wanted.command("logs", &node.name)))
}

/// Requests that are turned down before they reach a load balancer with which all is well.
pub(super) fn filing(seen: &Case<'_>) -> Option<Diagnosis> {
    let is_refused = seen.failed.evidence.get("status").is_some_and(|status| status == "403");
    if !seen.wanted.needs_filing
        || !is_refused
        || seen.failed.evidence.get("node").is_some_and(|node| !node.is_empty())
    {
        return None;
    }
    let domain = &seen.wanted.domain;
    let cause = "no node answered this 403, listener and nodes are well, and in this region requests for a domain without an \
         ICP filing are blocked";
    Some(blame(
        Layer::Filing,
        cause,
        format!("see beian.aliyun.com for {domain}; {} says more", seen.command("doctor")),
    ))
}
