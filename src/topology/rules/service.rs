//! Rules of what runs: Redis, the node, the load balancer and the name.

use std::collections::{BTreeMap, BTreeSet};

use crate::topology::findings::{Finding, Findings, below};
use crate::topology::places::{Path, path};
use crate::topology::resolve::{
    DEFAULT_LISTENER_TIMEOUT, DEFAULT_NODE_PORT, DEFAULT_PING_INTERVAL, DEFAULT_REDIS_PORT,
    default_listener_port, parse_range,
};
use crate::topology::rules::is_port;
use crate::topology::rules::login::login_port;
use crate::topology::rules::machines::unknown_instance;
use crate::topology::schema::{Document, Protocol, VSwitch};

/// Runs the rules of this file.
pub(super) fn check(document: &Document, findings: &mut Findings<'_>) {
    placement(document, findings);
    ports(document, findings);
    load_balancer_zones(document, findings);
    timeouts(document, findings);
    ping_interval(document, findings);
    dns(document, findings);
}

fn placement(document: &Document, findings: &mut Findings<'_>) {
    if document.instances.is_empty() {
        // Only without a vSwitch are there no instances by default, and that is reported as such.
        return;
    }
    if document.node.on.is_empty() {
        findings.at_key(
            &path("node"),
            Finding {
                code: "no-node",
                message: if document.app.is_some() {
                    "no instance runs the app".to_owned()
                } else {
                    "no instance runs the chat node".to_owned()
                },
                cause: "the only instance has Redis".to_owned(),
                help: "declare two instances more, or write `node.on`".to_owned(),
            },
        );
    }
    let mut seen = BTreeSet::new();
    for (index, name) in document.node.on.iter().enumerate() {
        let place = below(&path("node.on"), index);
        if !document.instances.contains_key(name) {
            findings.at_value(&place, unknown_instance(document, name));
        } else if !seen.insert(name) {
            findings.at_value(
                &place,
                Finding {
                    code: "node-twice",
                    message: format!("`{name}` is listed twice"),
                    cause: "an instance runs one node".to_owned(),
                    help: "remove one of the two".to_owned(),
                },
            );
        }
    }
}

fn ports(document: &Document, findings: &mut Findings<'_>) {
    let listener = &document.load_balancer.listener;
    let listener_default = default_listener_port(listener.protocol.unwrap_or(Protocol::Http));
    let (who, place, written) = match &document.app {
        Some(app) => ("the app", path("app.port"), app.port),
        None => ("the chat node", path("node.port"), document.node.port),
    };
    let node = number(&place, written, DEFAULT_NODE_PORT, findings);
    let redis = number(&path("redis.port"), document.redis.port, DEFAULT_REDIS_PORT, findings);
    number(&path("load_balancer.listener.port"), listener.port, listener_default, findings);
    let mut taken: BTreeMap<(&str, i64), &str> =
        document.instances.keys().map(|name| ((name.as_str(), login_port(document, name)), "SSH")).collect();
    if let (Some(port), Some(host)) = (redis, document.redis.on.as_deref()) {
        take(&mut taken, (host, port), "Redis", &path("redis.port"), findings);
    }
    let hosts: BTreeSet<&String> = document.node.on.iter().collect();
    for host in hosts {
        if let Some(port) = node {
            take(&mut taken, (host, port), who, &place, findings);
        }
    }
}

/// A port, when it is one.
pub(super) fn number(
    place: &Path,
    written: Option<i64>,
    default: u16,
    findings: &mut Findings<'_>,
) -> Option<i64> {
    let port = written.unwrap_or_else(|| i64::from(default));
    if is_port(port) {
        return Some(port);
    }
    findings.at_value(
        place,
        Finding {
            code: "port-range",
            message: format!("{port} is not a port"),
            cause: "ports are 1 to 65535".to_owned(),
            help: format!("write for example `port: {default}`"),
        },
    );
    None
}

fn take<'d>(
    taken: &mut BTreeMap<(&'d str, i64), &'static str>,
    place_and_port: (&'d str, i64),
    who: &'static str,
    place: &Path,
    findings: &mut Findings<'_>,
) {
    let (host, port) = place_and_port;
    if let Some(other) = taken.insert(place_and_port, who) {
        findings.at_value(
            place,
            Finding {
                code: "port-taken",
                message: format!("port {port} on `{host}` is taken twice"),
                cause: format!("{other} has it already, and {who} wants it"),
                help: "choose another port for one of them".to_owned(),
            },
        );
    }
}

fn load_balancer_zones(document: &Document, findings: &mut Findings<'_>) {
    if document.network.vswitches.is_empty() {
        return;
    }
    let place = path("load_balancer.vswitches");
    let mut zones: BTreeMap<&str, &str> = BTreeMap::new();
    for (index, name) in document.load_balancer.vswitches.iter().enumerate() {
        let Some(vswitch) = document.network.vswitches.get(name) else {
            findings.at_value(
                &below(&place, index),
                Finding {
                    code: "unknown-vswitch",
                    message: format!("no vSwitch is called `{name}`"),
                    cause: "the ALB has its addresses in vSwitches of `network.vswitches`".to_owned(),
                    help: "use one that is declared there".to_owned(),
                },
            );
            continue;
        };
        room_for_addresses(name, vswitch, findings);
        if let Some(other) = zones.insert(&vswitch.zone, name) {
            findings.at_value(
                &below(&place, index),
                Finding {
                    code: "zone-twice",
                    message: format!("`{other}` and `{name}` are both in zone `{}`", vswitch.zone),
                    cause: "an ALB takes one vSwitch a zone".to_owned(),
                    help: "list one vSwitch of each zone under `load_balancer.vswitches`".to_owned(),
                },
            );
        }
    }
    // One that is there already has its zones.
    if zones.len() < 2 && document.load_balancer.id.is_none() {
        findings.at_key(
            if document.load_balancer.listener.port.is_some() { &place } else { &place[..1] },
            Finding {
                code: "too-few-zones",
                message: "the ALB needs two zones".to_owned(),
                cause: "its vSwitches are all in one".to_owned(),
                help: "add a vSwitch in a second zone".to_owned(),
            },
        );
    }
}

/// An ALB takes addresses of each vSwitch for itself and needs eight free ones; a /29 has four.
fn room_for_addresses(name: &str, vswitch: &VSwitch, findings: &mut Findings<'_>) {
    if let Some(range) = parse_range(&vswitch.cidr).filter(|range| range.prefix_len() > 28) {
        findings.at_value(
            &below(&below(&path("network.vswitches"), name), "cidr"),
            Finding {
                code: "vswitch-too-small",
                message: format!("{range} is too small for the ALB"),
                cause: "it needs eight free addresses, and four of each vSwitch are reserved".to_owned(),
                help: "use a /28 or larger, or leave this vSwitch out of `load_balancer.vswitches`"
                    .to_owned(),
            },
        );
    }
}

fn timeouts(document: &Document, findings: &mut Findings<'_>) {
    let listener = &document.load_balancer.listener;
    for (field, value) in
        [("idle_timeout", listener.idle_timeout), ("request_timeout", listener.request_timeout)]
    {
        if let Some(value) = value.filter(|value| !(1..=600).contains(&value.count())) {
            findings.at_value(
                &below(&path("load_balancer.listener"), field),
                Finding {
                    code: "timeout-range",
                    message: format!("`{field}` cannot be {value}"),
                    cause: "the ALB takes 1 to 600 seconds".to_owned(),
                    help: format!("write for example `{field}: 60s`"),
                },
            );
        }
    }
}

fn ping_interval(document: &Document, findings: &mut Findings<'_>) {
    // Whether and how often an app pings is its own affair.
    if document.app.is_some() {
        return;
    }
    let listener = &document.load_balancer.listener;
    let ping = document.node.ping_interval.unwrap_or(DEFAULT_PING_INTERVAL);
    let idle = listener.idle_timeout.unwrap_or(DEFAULT_LISTENER_TIMEOUT);
    let request = listener.request_timeout.unwrap_or(DEFAULT_LISTENER_TIMEOUT);
    let shortest = idle.min(request);
    if ping.count() == 0 || ping >= shortest {
        let place = match (document.node.ping_interval, idle <= request) {
            (Some(_), _) => path("node.ping_interval"),
            (None, true) => path("load_balancer.listener.idle_timeout"),
            (None, false) => path("load_balancer.listener.request_timeout"),
        };
        findings.at_value(
            &place,
            Finding {
                code: "ping-interval",
                message: "quiet clients would be cut off".to_owned(),
                cause: format!("the node pings every {ping}, the listener cuts silence after {shortest}"),
                help: "make `node.ping_interval` shorter than both timeouts of the listener, and at least 1s"
                    .to_owned(),
            },
        );
    }
}

fn dns(document: &Document, findings: &mut Findings<'_>) {
    let Some(dns) = &document.dns else {
        findings.at_key(
            &path("dns"),
            Finding {
                code: "no-dns",
                message: "the service has no name".to_owned(),
                cause: "an ALB made since November 2024 refuses requests to its own name".to_owned(),
                help: "add `dns: { domain: example.com }` with a domain of this account".to_owned(),
            },
        );
        return;
    };
    if !is_domain(&dns.domain) {
        findings.at_value(
            &path("dns.domain"),
            Finding {
                code: "domain",
                message: format!("`{}` is not a domain", dns.domain),
                cause: "a domain is written like `example.com`".to_owned(),
                help: "write the domain alone, without scheme, port or path".to_owned(),
            },
        );
    }
    if let Some(host) = dns.host.as_deref().filter(|host| *host != "@" && !is_host_record(host)) {
        findings.at_value(
            &path("dns.host"),
            Finding {
                code: "host-record",
                message: format!("`{host}` is not a host record"),
                cause: "a host record is `@` or labels such as `chat`".to_owned(),
                help: "write `host: \"@\"` for the domain itself".to_owned(),
            },
        );
    }
    if let Some(ttl) = dns.ttl.filter(|ttl| !(1..=86400).contains(ttl)) {
        findings.at_value(
            &path("dns.ttl"),
            Finding {
                code: "ttl-range",
                message: format!("a TTL cannot be {ttl} s"),
                cause: "1 to 86400 seconds; free editions take 600 at least".to_owned(),
                help: "write `ttl: 600`".to_owned(),
            },
        );
    }
}

fn is_domain(text: &str) -> bool {
    text.contains('.') && text.len() <= 253 && text.split('.').all(is_label)
}

fn is_host_record(text: &str) -> bool {
    text.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|letter| letter.is_alphanumeric() || letter == '-')
}
