//! What load balancers should look like on the data plane.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::plane::spec::rule::ForwardRule;
use crate::plane::spec::{self, CheckProtocol, ForwardedFor, ForwardedHeader, HttpVersion};
use crate::world::load_balancer::{CertificateStatus, Listener, ListenerStatus, LoadBalancer};
use crate::world::rule::{Rule, RuleStatus};
use crate::world::server_group::{HealthCheck, ServerGroup, ServerStatus, Sticky};
use crate::world::{World, tls_policy};

/// The switches of `XForwardedForConfig` that add a header, and the header.
const FORWARDED: &[(&str, ForwardedHeader)] = &[
    ("XForwardedForProtoEnabled", ForwardedHeader::Protocol),
    ("XForwardedForSLBPortEnabled", ForwardedHeader::Port),
    ("XForwardedForHostEnabled", ForwardedHeader::Host),
    ("XForwardedForClientSrcPortEnabled", ForwardedHeader::ClientPort),
    ("XForwardedForSLBIdEnabled", ForwardedHeader::BalancerId),
];

impl World {
    pub(super) fn desired_balancer(&self, balancer: &LoadBalancer) -> spec::LoadBalancer {
        let addresses = balancer.zones.iter().map(|zone| match zone.public {
            Some((address, _)) => address,
            None => zone.private_address,
        });
        let own = self.listeners.values().filter(|listener| {
            listener.load_balancer == balancer.id
                && !matches!(listener.status, ListenerStatus::Provisioning | ListenerStatus::Deleting)
        });
        let listeners: BTreeMap<String, spec::Listener> =
            own.filter_map(|own| Some((own.id.clone(), self.desired_listener(own)?))).collect();
        let groups: BTreeSet<&str> = listeners.values().flat_map(spec::Listener::groups).collect();
        let server_groups = groups
            .into_iter()
            .filter_map(|id| Some((id.to_owned(), self.desired_group(self.server_groups.get(id)?)?)))
            .collect();
        spec::LoadBalancer {
            id: balancer.id.clone(),
            vpc: balancer.vpc.clone(),
            sources: balancer.zones.iter().map(|zone| zone.private_address).collect(),
            dns_name: balancer.dns_name.clone(),
            addresses: addresses.collect(),
            listeners,
            server_groups,
        }
    }

    /// A listener whose protocol the data plane cannot speak stays control plane only.
    fn desired_listener(&self, listener: &Listener) -> Option<spec::Listener> {
        let protocol = match listener.protocol.as_str() {
            "HTTP" => spec::ListenerProtocol::Http,
            "HTTPS" => spec::ListenerProtocol::Https(self.desired_tls(listener)?),
            _ => return None,
        };
        let is_on = |name: &str| listener.forwarded.get(name).and_then(Value::as_bool).unwrap_or_default();
        let rules = self.rules_of(&listener.id).into_iter();
        Some(spec::Listener {
            port: listener.port,
            protocol,
            idle_timeout: Duration::from_secs(listener.idle_timeout.into()),
            request_timeout: Duration::from_secs(listener.request_timeout.into()),
            running: listener.status != ListenerStatus::Stopped
                && listener.next != Some(ListenerStatus::Stopped),
            gzip: listener.gzip,
            forwarded_for: desired_forwarded_for(listener, is_on("XForwardedForEnabled")),
            forwarded: FORWARDED.iter().filter(|(name, _)| is_on(name)).map(|(_, header)| *header).collect(),
            server_group: listener.server_group.clone(),
            rules: rules.filter(|rule| is_in_force(rule)).map(desired_rule).collect(),
        })
    }

    fn desired_tls(&self, listener: &Listener) -> Option<spec::Tls> {
        let policy = tls_policy::find(&listener.security_policy)?;
        let additional = listener.additional_certificates.iter();
        let additional = additional.filter(|own| own.status == CertificateStatus::Associated);
        let ids = listener.certificates.iter().chain(additional.map(|own| &own.id));
        let certificates: Vec<spec::Certificate> =
            ids.filter_map(|id| self.desired_certificate(id)).collect();
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        (!certificates.is_empty()).then(|| spec::Tls {
            certificates,
            versions: owned(policy.versions),
            ciphers: owned(&policy.ciphers.concat()),
            http2: listener.http2,
        })
    }

    fn desired_certificate(&self, id: &str) -> Option<spec::Certificate> {
        let certificate = self.served_certificate(id)?;
        let names = certificate.leaf.domains().split(',').map(str::to_ascii_lowercase).collect();
        Some(spec::Certificate { chain: certificate.chain.clone(), key: certificate.key.clone(), names })
    }

    /// A group whose servers speak gRPC stays control plane only.
    fn desired_group(&self, group: &ServerGroup) -> Option<spec::ServerGroup> {
        let protocol = match group.protocol.as_str() {
            "HTTP" => spec::ServerProtocol::Http,
            "HTTPS" => spec::ServerProtocol::Https,
            _ => return None,
        };
        let scheduler = match group.scheduler.as_str() {
            "Wlc" => spec::Scheduler::LeastConnections,
            "Sch" => spec::Scheduler::SourceHash,
            _ => spec::Scheduler::RoundRobin,
        };
        Some(spec::ServerGroup {
            protocol,
            scheduler,
            servers: desired_servers(group),
            health_check: self.desired_health_check(&group.health_check),
            sticky: group.sticky.enabled.then(|| desired_sticky(&group.sticky)),
            drain: group.drain.map(seconds),
            slow_start: group.slow_start.map(seconds),
            keep_alive: group.keepalive,
        })
    }

    fn desired_health_check(&self, check: &HealthCheck) -> spec::HealthCheck {
        let interval = Duration::from_secs(check.interval.into());
        spec::HealthCheck {
            enabled: check.enabled,
            protocol: match check.protocol.as_str() {
                "HTTP" => CheckProtocol::Http,
                "HTTPS" => CheckProtocol::Https,
                _ => CheckProtocol::Tcp,
            },
            version: if check.http_version == "HTTP1.0" { HttpVersion::Http10 } else { HttpVersion::Http11 },
            host: (check.host != "$SERVER_IP").then(|| check.host.clone()),
            path: check.path.clone(),
            method: check.method.clone(),
            port: (check.port != 0).then_some(check.port),
            interval: self.settings.pace.between_health_checks(interval),
            timeout: Duration::from_secs(check.timeout.into()),
            healthy_threshold: check.healthy_threshold,
            unhealthy_threshold: check.unhealthy_threshold,
            codes: check.codes.clone(),
        }
    }
}

fn seconds(number: i64) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap_or_default())
}

fn desired_forwarded_for(listener: &Listener, is_on: bool) -> ForwardedFor {
    let mode = listener.forwarded.get("XForwardedForProcessingMode").and_then(Value::as_str);
    match (is_on, mode) {
        (false, _) => ForwardedFor::Untouched,
        (true, Some("remove")) => ForwardedFor::Remove,
        (true, _) => ForwardedFor::Append,
    }
}

fn is_in_force(rule: &Rule) -> bool {
    match rule.status {
        RuleStatus::Available | RuleStatus::Configuring => true,
        RuleStatus::Provisioning | RuleStatus::Deleting => false,
    }
}

fn desired_rule(rule: &Rule) -> ForwardRule {
    ForwardRule {
        id: rule.id.clone(),
        direction: rule.direction,
        conditions: rule.conditions.clone(),
        actions: rule.actions.iter().map(|action| action.kind.clone()).collect(),
    }
}

fn desired_sticky(sticky: &Sticky) -> spec::Sticky {
    match sticky.kind.as_str() {
        "Server" => spec::Sticky::Server(sticky.cookie.clone()),
        _ => spec::Sticky::Insert(seconds(sticky.timeout)),
    }
}

fn desired_servers(group: &ServerGroup) -> BTreeMap<String, spec::Server> {
    let servers = group.servers.iter().filter(|server| server.status != ServerStatus::Removing);
    servers
        .map(|server| {
            let (vpc, weight) = (group.vpc.clone(), server.weight);
            (server.key(), spec::Server { vpc, address: server.address, port: server.port, weight })
        })
        .collect()
}
