//! Facts made by hand: one with which all is well, and for each layer one thing that is not.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::cloud::is_open;
use super::evidence;
use super::facts::{CloudFacts, Delegation, Facts, Group, HostFacts, Listener, Node, Record, Server};
use super::judge::judge;
use super::subject::{ListenerSubject, NodeSubject, RedisSubject, RuleSubject, Wanted};
use crate::cloud::ecs::Permission;
use crate::deploy::vitals::Vitals;
use crate::verify::{CheckId, Diagnosis, Failed, Layer};

fn wanted() -> Wanted {
    let node = |name: &str, last| NodeSubject {
        name: name.to_owned(),
        instance: None,
        address: Some(Ipv4Addr::new(10, 0, 0, last)),
        port: 5000,
        health_path: "/readyz".to_owned(),
    };
    Wanted {
        program: "albatross".to_owned(),
        file: "chatroom.yaml".to_owned(),
        domain: "example.com".to_owned(),
        host: "@".to_owned(),
        target: "alb-abc.cn-hangzhou.alb.aliyuncsslb.com".to_owned(),
        needs_filing: true,
        listener: ListenerSubject { port: 5000, protocol: "HTTP", idle_timeout: 60, request_timeout: 60 },
        nodes: vec![node("ecs01", 1), node("ecs02", 2)],
        redis: RedisSubject::OnHost {
            name: "ecs03".to_owned(),
            address: Some(Ipv4Addr::new(10, 0, 0, 3)),
            port: 6379,
        },
        rules: Vec::new(),
    }
}

fn vitals(unit: &'static str) -> Vitals {
    let (state, last_words) = ("the unit is active".to_owned(), "one\ntwo\n".to_owned());
    Vitals { unit, is_active: true, state, last_words }
}

/// All is well.
fn facts() -> Facts {
    let by_node = |value: fn() -> Server| {
        ["ecs01", "ecs02"]
            .map(|name| (name.to_owned(), Some(value())))
            .into_iter()
            .collect::<BTreeMap<_, _>>()
    };
    let node = || Node { vitals: Ok(vitals("chat-node.service")), readiness: Ok(Ok(())), redis: Ok(Ok(())) };
    let servers = ["dns1.hichina.com".to_owned()].into_iter().collect::<std::collections::BTreeSet<_>>();
    Facts {
        cloud: CloudFacts {
            balancer: Ok(Some("Active".to_owned())),
            listener: Ok(Some(Listener {
                status: "Running".to_owned(),
                protocol: "HTTP".to_owned(),
                idle_timeout: 60,
                request_timeout: 60,
            })),
            group: Ok(Some(Group { is_sticky: true })),
            servers: Ok(by_node(|| Server { weight: 100, status: "Available".to_owned(), illness: None })),
            closed: Ok(Vec::new()),
            instances: Ok(["ecs01", "ecs02"]
                .map(|name| (name.to_owned(), Some("Running".to_owned())))
                .into()),
            redis: None,
            records: Ok(vec![Record {
                kind: "CNAME".to_owned(),
                value: wanted().target,
                ttl: 600,
                is_enabled: true,
            }]),
            delegation: Ok(Delegation { expected: servers.clone(), live: servers }),
        },
        hosts: HostFacts {
            nodes: ["ecs01", "ecs02"].map(|name| (name.to_owned(), node())).into(),
            redis: Some(Ok(vitals("albatross-redis.service"))),
        },
    }
}

fn judged(check: CheckId, facts: &Facts, evidence: &[(&str, &str)]) -> Vec<Diagnosis> {
    let evidence = evidence.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    judge(&wanted(), facts, Failed { check, evidence: &evidence })
}

/// With one thing changed, the first that is to blame.
#[track_caller]
fn blames(check: CheckId, change: impl FnOnce(&mut Facts), layer: Layer, words: &str) {
    let mut changed = facts();
    change(&mut changed);
    let found = judged(check, &changed, &[]);
    let first = found.first().unwrap_or_else(|| panic!("{check}: nobody is to blame for {words}"));
    assert_eq!((first.layer, first.cause.contains(words)), (layer, true), "{check}: {found:#?}");
    assert!(first.next.contains("chatroom.yaml") || first.next.contains("dig "), "{first:?}");
}

fn server<'a>(facts: &'a mut Facts, node: &str) -> &'a mut Option<Server> {
    facts.cloud.servers.as_mut().unwrap().get_mut(node).unwrap()
}

fn node<'a>(facts: &'a mut Facts, name: &str) -> &'a mut Node {
    facts.hosts.nodes.get_mut(name).unwrap()
}

fn stop(vitals: &mut Vitals) {
    vitals.is_active = false;
    "the unit is inactive".clone_into(&mut vitals.state);
}

#[test]
fn where_all_is_well_nobody_is_to_blame_for_what_the_cloud_can_tell() {
    for check in CheckId::ALL {
        let found = judged(check, &facts(), &[]);
        if check == CheckId::DnsCname {
            // The name leads elsewhere though all is right, so somebody has kept an answer.
            assert!(found[0].cause.contains("one kept from before"), "{found:?}");
        } else if [CheckId::TlsValid, CheckId::HttpRedirects].contains(&check) {
            assert_eq!(found[0].layer, Layer::Tls);
        } else {
            assert_eq!(found, [], "{check}");
        }
    }
}

#[test]
fn names_are_judged_by_record_delegation_and_what_was_kept() {
    let check = CheckId::DnsCname;
    blames(check, |facts| facts.cloud.records = Ok(Vec::new()), Layer::Dns, "no record of example.com");
    let other = |facts: &mut Facts| "elsewhere.example.net".clone_into(&mut record(facts).value);
    blames(check, other, Layer::Dns, "is CNAME elsewhere.example.net, not CNAME alb-abc");
    blames(check, |facts| record(facts).is_enabled = false, Layer::Dns, "is disabled");
    let elsewhere = |facts: &mut Facts| {
        facts.cloud.delegation.as_mut().unwrap().live = ["ns.elsewhere.net".to_owned()].into();
    };
    blames(check, elsewhere, Layer::Delegation, "the world asks ns.elsewhere.net for example.com");
    let nobody = |facts: &mut Facts| facts.cloud.delegation.as_mut().unwrap().live.clear();
    blames(check, nobody, Layer::Delegation, "is delegated to nobody");
}

fn record(facts: &mut Facts) -> &mut Record {
    &mut facts.cloud.records.as_mut().unwrap()[0]
}

#[test]
fn what_stands_before_the_nodes_is_named() {
    let check = CheckId::PageLoads;
    blames(check, |facts| facts.cloud.balancer = Ok(None), Layer::Listener, "load balancer is not there");
    blames(check, |facts| facts.cloud.listener = Ok(None), Layer::Listener, "no listener on port 5000");
    let stopped = |facts: &mut Facts| "Stopped".clone_into(&mut listener(facts).status);
    blames(check, stopped, Layer::Listener, "the listener on port 5000 is Stopped");
    let secure = |facts: &mut Facts| "HTTPS".clone_into(&mut listener(facts).protocol);
    blames(check, secure, Layer::Listener, "speaks HTTPS, not HTTP");
    let hasty = |facts: &mut Facts| listener(facts).idle_timeout = 15;
    blames(CheckId::IdleSurvives, hasty, Layer::Listener, "idle timeout is 15 s, not 60 s");
}

fn listener(facts: &mut Facts) -> &mut Listener {
    facts.cloud.listener.as_mut().unwrap().as_mut().unwrap()
}

#[test]
fn the_group_and_what_its_health_checks_find_are_named() {
    let check = CheckId::NodesAll;
    blames(
        check,
        |facts| *server(facts, "ecs02") = None,
        Layer::ServerGroup,
        "ecs02 is not in the server group",
    );
    let weightless = |facts: &mut Facts| server(facts, "ecs02").as_mut().unwrap().weight = 0;
    blames(check, weightless, Layer::ServerGroup, "ecs02 has weight 0");
    let unsticky = |facts: &mut Facts| facts.cloud.group = Ok(Some(Group { is_sticky: false }));
    blames(CheckId::PollingSticky, unsticky, Layer::ServerGroup, "sticky sessions are off");
    let ill = |facts: &mut Facts| fall_ill(facts, "ecs02", "RESPONSE_MISMATCH");
    blames(check, ill, Layer::Health, "the load balancer finds ecs02 Unhealthy (RESPONSE_MISMATCH)");
    let closed = |facts: &mut Facts| {
        fall_ill(facts, "ecs02", "CONNECT_TIMEOUT");
        facts.cloud.closed = Ok(vec!["security_rule.node-b (tcp 5000 from 10.0.1.0/24)".to_owned()]);
    };
    blames(check, closed, Layer::Network, "does not let in security_rule.node-b");
}

fn fall_ill(facts: &mut Facts, node: &str, reason: &str) {
    let illness = ("Unhealthy".to_owned(), reason.to_owned());
    server(facts, node).as_mut().unwrap().illness = Some(illness);
}

#[test]
fn a_node_is_named_by_its_instance_its_unit_its_silence_or_its_own_word() {
    let check = CheckId::WebsocketUpgrade;
    let off = |facts: &mut Facts| {
        facts.cloud.instances.as_mut().unwrap().insert("ecs02".to_owned(), Some("Stopped".to_owned()));
    };
    blames(check, off, Layer::Node, "the instance ecs02 is Stopped");
    let stopped = |facts: &mut Facts| {
        fall_ill(facts, "ecs02", "CONNECT_FAILED");
        stop(node(facts, "ecs02").vitals.as_mut().unwrap());
    };
    blames(check, stopped, Layer::Node, "chat-node.service on ecs02: the unit is inactive");
    let frozen = |facts: &mut Facts| {
        fall_ill(facts, "ecs02", "CONNECT_TIMEOUT");
        *node(facts, "ecs02") = Node::unasked("no answer within 8 s");
    };
    blames(
        check,
        frozen,
        Layer::Node,
        "neither SSH (no answer within 8 s) nor health checks (CONNECT_TIMEOUT)",
    );
    let unready = |facts: &mut Facts| {
        node(facts, "ecs01").readiness = Ok(Err("/readyz says 503 (no Redis)".to_owned()));
    };
    blames(CheckId::MessageAToB, unready, Layer::Node, "on ecs01 is not ready: /readyz says 503 (no Redis)");
}

#[test]
fn redis_and_the_ways_to_it_are_told_apart() {
    let check = CheckId::MessageAToB;
    let refused = || Ok(Err("10.0.0.3:6379 refuses".to_owned()));
    let stopped = |facts: &mut Facts| {
        stop(facts.hosts.redis.as_mut().unwrap().as_mut().unwrap());
        facts.hosts.nodes.values_mut().for_each(|node| node.redis = refused());
    };
    blames(check, stopped, Layer::Redis, "albatross-redis.service on ecs03: the unit is inactive");
    let mute = |facts: &mut Facts| facts.hosts.nodes.values_mut().for_each(|node| node.redis = refused());
    blames(check, mute, Layer::Redis, "albatross-redis.service on ecs03 runs and answers no node");
    let frozen = |facts: &mut Facts| {
        facts.hosts.redis = Some(Err("no answer within 8 s".to_owned()));
        mute(facts);
    };
    blames(check, frozen, Layer::Redis, "ecs03 answers neither SSH (no answer within 8 s) nor any node");
    let cut = |facts: &mut Facts| {
        node(facts, "ecs01").redis = refused();
        node(facts, "ecs01").readiness = Ok(Err("/readyz says 503".to_owned()));
    };
    blames(check, cut, Layer::Network, "ecs01 does not reach Redis on ecs03: 10.0.0.3:6379 refuses");
    let unnoticed = |facts: &mut Facts| node(facts, "ecs02").redis = refused();
    blames(check, unnoticed, Layer::Network, "ecs02 does not reach Redis on ecs03");
    let closed = |facts: &mut Facts| {
        mute(facts);
        facts.cloud.closed = Ok(vec!["security_rule.redis-ecs01 (tcp 6379 from 10.0.0.1/32)".to_owned()]);
    };
    blames(check, closed, Layer::Network, "does not let in security_rule.redis-ecs01");
}

#[test]
fn a_filing_is_thought_of_only_where_one_is_needed_and_no_node_answered() {
    let refused = [("status", "403"), ("node", "")];
    let found = judged(CheckId::PageLoads, &facts(), &refused);
    assert_eq!(found[0].layer, Layer::Filing, "{found:?}");
    assert_eq!(judged(CheckId::PageLoads, &facts(), &[("status", "403"), ("node", "ecs01")]), []);
    assert_eq!(judged(CheckId::PageLoads, &facts(), &[("status", "502"), ("node", "")]), []);
    let abroad = Wanted { needs_filing: false, ..wanted() };
    let evidence = refused.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let failed = Failed { check: CheckId::PageLoads, evidence: &evidence };
    assert_eq!(judge(&abroad, &facts(), failed), []);
}

#[test]
fn what_could_not_be_asked_is_evidence_and_no_fault() {
    let why = || "Forbidden.RAM".to_owned();
    let cloud = CloudFacts {
        balancer: Err(why()),
        listener: Err(why()),
        group: Err(why()),
        servers: Err(why()),
        closed: Err(why()),
        instances: Err(why()),
        redis: None,
        records: Err(why()),
        delegation: Err(why()),
    };
    let nodes = ["ecs01", "ecs02"].map(|name| (name.to_owned(), Node::unasked("no key"))).into();
    let unasked = Facts { cloud, hosts: HostFacts { nodes, redis: Some(Err("no key".to_owned())) } };
    for check in CheckId::ALL {
        assert_eq!(judged(check, &unasked, &[]), [], "{check}");
    }
    let told = evidence::of(&unasked);
    assert_eq!(told["asked.listener"], "could not be asked: Forbidden.RAM");
    assert_eq!(told["asked.servers"], "could not be asked: Forbidden.RAM");
    assert_eq!(told["asked.node.ecs01"], "could not be asked: no key");
    assert_eq!(told["asked.redis"], "could not be asked: no key");
    let told = evidence::of(&facts());
    assert_eq!(told["asked.server.ecs02"], "Available, weight 100, healthy");
    assert_eq!(told["asked.node.ecs01.log"], "one\ntwo");
    assert_eq!(told["asked.redis_from.ecs01"], "answers");
}

#[test]
fn a_rule_lets_in_what_it_covers_unless_one_before_it_drops_that() {
    let permission = |protocol: &str, ports: &str, source: &str, policy: &str, priority: &str| Permission {
        security_group_rule_id: String::new(),
        direction: "ingress".to_owned(),
        ip_protocol: protocol.to_owned(),
        port_range: ports.to_owned(),
        source_cidr_ip: source.to_owned(),
        source_group_id: String::new(),
        policy: policy.to_owned(),
        priority: priority.to_owned(),
        description: String::new(),
    };
    let rule = RuleSubject { name: "node-a".to_owned(), port: 5000, source: "10.0.0.0/24".parse().unwrap() };
    let accept = |protocol, ports, source| permission(protocol, ports, source, "Accept", "1");
    for (rules, is_right) in [
        (vec![accept("TCP", "5000/5000", "10.0.0.0/24")], true),
        (vec![accept("ALL", "-1/-1", "0.0.0.0/0")], true),
        (vec![accept("tcp", "4000/6000", "10.0.0.0/16")], true),
        (vec![accept("UDP", "5000/5000", "10.0.0.0/24")], false),
        (vec![accept("TCP", "5001/5001", "10.0.0.0/24")], false),
        (vec![accept("TCP", "5000/5000", "10.0.0.0/25")], false),
        (vec![], false),
        (
            vec![
                accept("TCP", "5000/5000", "10.0.0.0/24"),
                permission("TCP", "1/65535", "0.0.0.0/0", "Drop", "1"),
            ],
            false,
        ),
        (
            vec![
                accept("TCP", "5000/5000", "10.0.0.0/24"),
                permission("TCP", "1/65535", "0.0.0.0/0", "drop", "2"),
            ],
            true,
        ),
    ] {
        assert_eq!(is_open(&rule, &rules), is_right, "{rules:?}");
    }
}
