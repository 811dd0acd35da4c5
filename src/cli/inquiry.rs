//! Who looks into the failures of a verification: with the keys, the ids and the SSH sessions of the command.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::apply::hosts::Patience;
use crate::cli::session::{Session, Target};
use crate::cli::ssh::find;
use crate::cli::typed;
use crate::diagnosis::{Door, ListenerSubject, NodeSubject, RedisSubject, RuleSubject, Subject, Wanted};
use crate::doctor::is_mainland;
use crate::plan::desired::ready_path;
use crate::resource::observed::Output;
use crate::resource::spec::Spec;
use crate::resource::{Kind, ResourceAddress};
use crate::ssh;
use crate::topology::model::{Address, Protocol, RedisPlace};

/// Opens sessions along the way that `apply` takes.
pub(super) struct Sessions<'a>(pub(super) &'a Session);

impl Door for Sessions<'_> {
    fn open<'b>(&'b self, host: &'b str) -> BoxFuture<'b, Result<Arc<ssh::Session>, String>> {
        Box::pin(async move {
            let host = find(self.0, host).map_err(|failure| failure.sentence())?;
            let known = &self.0.provider.known;
            let opened = self.0.hosts.session(host, known, Patience::AtOnce).await;
            opened.map_err(|error| error.to_string())
        })
    }
}

/// What there is to ask about the stack of a command, which has looked at the cloud already.
pub(super) fn subject<'a>(session: &'a Session, door: &'a dyn Door, target: String) -> Subject<'a> {
    let known = &session.provider.known;
    let only = |kind| known.only(kind).ok();
    Subject {
        client: &session.provider.client,
        door,
        dns_server: match &session.target {
            Target::Local(cloud) => Some(cloud.dns),
            Target::Remote => None,
        },
        balancer: only(Kind::LoadBalancer),
        group: only(Kind::ServerGroup),
        security_group: only(Kind::SecurityGroup),
        wanted: wanted(session, target),
    }
}

fn wanted(session: &Session, target: String) -> Wanted {
    let topology = &session.topology;
    let listener = &topology.load_balancer.listener;
    let is_local = matches!(session.target, Target::Local(_));
    Wanted {
        program: if is_local { "albatross --local" } else { "albatross" }.to_owned(),
        file: typed::topology(&session.source.0),
        domain: topology.dns.domain.clone(),
        host: topology.dns.host.clone(),
        target,
        needs_filing: !is_local
            && is_mainland(&topology.region)
            && topology.load_balancer.address == Address::Internet,
        listener: ListenerSubject {
            port: listener.port,
            protocol: match listener.protocol {
                Protocol::Http => "HTTP",
                Protocol::Https => "HTTPS",
            },
            idle_timeout: listener.idle_timeout.count(),
            request_timeout: listener.request_timeout.count(),
        },
        nodes: topology.node.on.iter().map(|name| node(session, name.as_str())).collect(),
        redis: redis(session),
        rules: rules(session),
    }
}

fn node(session: &Session, name: &str) -> NodeSubject {
    let address = ResourceAddress::new(Kind::Instance, name);
    NodeSubject {
        name: name.to_owned(),
        instance: session.provider.known.id(&address).ok(),
        address: private_address(session, &address).and_then(|text| text.parse().ok()),
        port: session.topology.node.port,
        health_path: ready_path(&session.topology).to_owned(),
    }
}

fn private_address(session: &Session, machine: &ResourceAddress) -> Option<String> {
    session.provider.known.output(machine, Output::PrivateAddress)
}

fn redis(session: &Session) -> RedisSubject {
    let redis = &session.topology.redis;
    match &redis.place {
        RedisPlace::OnHost(hosted) => {
            let machine = ResourceAddress::new(Kind::Instance, &hosted.on);
            RedisSubject::OnHost {
                name: hosted.on.to_string(),
                address: private_address(session, &machine).and_then(|text| text.parse().ok()),
                port: redis.port,
            }
        }
        RedisPlace::Managed(_) => {
            RedisSubject::Managed { id: session.provider.known.only(Kind::RedisInstance).ok() }
        }
        RedisPlace::Absent => RedisSubject::Absent,
    }
}

/// Who must be let in; a machine whose address nobody knows is not there.
fn rules(session: &Session) -> Vec<RuleSubject> {
    let rule = |(address, spec): (&ResourceAddress, &Spec)| {
        let Spec::SecurityRule(rule) = spec else { return None };
        let source = rule.from.source(|machine| private_address(session, machine))?;
        Some(RuleSubject {
            name: address.to_string(),
            port: rule.flow.single_tcp_port()?,
            source: source.parse().ok()?,
        })
    };
    session.desired.resources.iter().map(|(address, one)| (address, &one.spec)).filter_map(rule).collect()
}
