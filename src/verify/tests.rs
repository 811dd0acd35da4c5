//! Whole scenarios against two nodes played in memory, behind a name served in memory.

mod away;
mod names;
mod polls;
mod room;
mod secure;
mod services;
mod spread;
mod verdicts;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use super::{Authorities, Check, CheckId, Means, Report, Scenario, Service, Status, Vantage, run};
use crate::base::address_map::AddressMap;
use names::Record;
use room::{Behaviour, Crossing};

const BALANCER: &str = "alb-abc.cn-hangzhou.alb.aliyuncsslb.com";
const OUTSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 18, 0, 9));

/// A scenario in which all is well, on the given room and record.
async fn scenario(behaviour: Behaviour, record: Record) -> Scenario {
    let room = room::serve(behaviour).await;
    let names = names::serve(record).await;
    let map = [(SocketAddr::new(OUTSIDE, 5000), room)].into();
    Scenario {
        host: "example.com".to_owned(),
        port: 5000,
        tls: None,
        redirect_from: None,
        dns_server: Some(names),
        authorities: Authorities::At(vec![names]),
        connect_to: BTreeMap::new(),
        expected_cname: format!("{BALANCER}."),
        address_map: AddressMap::Mapped(map),
        sources: [
            Vantage::Local { bind: None },
            Vantage::Local { bind: Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2))) },
        ],
        service: Service::Chat,
        nodes: vec!["ecs01".to_owned(), "ecs02".to_owned()],
        deadline: Duration::from_millis(1500),
        listener_timeout: Duration::from_secs(1),
        quick: true,
    }
}

/// What fails where two nodes cannot be told apart from what the topology says.
const NOT_DIFFERENT: [&str; 4] = ["nodes.differ", "nodes.all", "redis.path", "polling.sticky"];

fn alias() -> Record {
    Record::Alias(BALANCER.to_owned(), OUTSIDE)
}

async fn report(scenario: &Scenario) -> Report {
    let told = Mutex::new(Vec::new());
    let report = run(scenario, Means::default(), &|check: &Check| told.lock().unwrap().push(check.id)).await;
    assert_eq!(told.into_inner().unwrap(), report.checks.iter().map(|check| check.id).collect::<Vec<_>>());
    let mut ids: Vec<CheckId> = report.checks.iter().map(|check| check.id).collect();
    ids.sort();
    assert_eq!(ids, scenario.service.checks(), "each check has one verdict");
    report
}

/// A check that was made somewhere else.
pub(super) fn check_of(id: CheckId, status: Status, sentence: &str) -> Check {
    let (duration, evidence) = (Duration::from_millis(1200), std::collections::BTreeMap::new());
    Check { id, status, sentence: sentence.to_owned(), duration, evidence, hint: None }
}

/// A report of such checks.
pub(super) fn report_of(checks: Vec<Check>) -> Report {
    Report { checks, ..Report::empty() }
}

fn failed(report: &Report) -> Vec<&'static str> {
    let failed = report.checks.iter().filter(|check| check.status == Status::Failed);
    failed.map(|check| check.id.name()).collect()
}

fn check(report: &Report, id: CheckId) -> &Check {
    report.checks.iter().find(|check| check.id == id).unwrap()
}

#[tokio::test]
async fn a_healthy_room_passes_all_that_applies() {
    let report = report(&scenario(Behaviour::default(), alias()).await).await;
    assert_eq!(failed(&report), [""; 0], "{report:#?}");
    assert!(report.passed());
    let crossing = check(&report, CheckId::MessageAToB);
    assert!(crossing.evidence.contains_key("latency") && crossing.evidence.contains_key("nonce"));
    let nodes = check(&report, CheckId::NodesDiffer);
    assert_ne!(nodes.evidence["node_a"], nodes.evidence["node_b"]);
    for id in [CheckId::TlsValid, CheckId::HttpRedirects] {
        let skipped = check(&report, id);
        assert_eq!(
            (skipped.status, skipped.sentence.as_str()),
            (Status::Skipped, "the listener speaks plain HTTP")
        );
    }
    let path = check(&report, CheckId::RedisPath);
    for (name, value) in [("messages_each_way", "100"), ("stream_entries", "200"), ("lost", "0")] {
        assert_eq!(path.evidence[name], value, "{path:?}");
    }
    assert!(path.evidence.contains_key("latency_p99"), "{path:?}");
    assert_eq!(check(&report, CheckId::IdleSurvives).status, Status::Skipped);

    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    assert_eq!(json["passed"], true);
    assert_eq!(json["checks"][0]["id"], "dns.cname");
    assert_eq!(json["checks"][0]["status"], "passed");
    let xml = report.to_junit().unwrap();
    assert!(xml.contains("tests=\"17\"") && xml.contains("failures=\"0\""), "{xml}");
    for id in CheckId::OF_CHAT {
        assert!(xml.contains(&format!("<testcase name=\"{id}\" classname=\"albatross.verify\"")), "{xml}");
    }
}

#[tokio::test]
async fn both_clients_on_one_node_fail_what_needs_two() {
    let behaviour = Behaviour { nodes: vec!["ecs01"], ..Behaviour::default() };
    let report = report(&scenario(behaviour, alias()).await).await;
    assert_eq!(failed(&report), NOT_DIFFERENT);
    let check = check(&report, CheckId::NodesDiffer);
    assert!(
        check.sentence.starts_with("expected the two clients on two nodes of ecs01, ecs02, but"),
        "{check:?}"
    );
    assert!(check.sentence.contains("in a row led to ecs01; likely layer: the server group"), "{check:?}");
    assert!(check.hint.is_some());
    let xml = report.to_junit().unwrap();
    assert!(xml.contains("failures=\"4\"") && xml.contains("in a row led to ecs01"), "{xml}");
}

#[tokio::test]
async fn a_node_nobody_expects_fails_nodes_differ() {
    let behaviour = Behaviour { nodes: vec!["ecs01", "ecs09"], ..Behaviour::default() };
    let report = report(&scenario(behaviour, alias()).await).await;
    assert_eq!(failed(&report), NOT_DIFFERENT);
    assert!(check(&report, CheckId::NodesDiffer).sentence.contains("ecs09 answered, which is none of them"));
}

#[tokio::test]
async fn a_node_that_never_answers_fails_nodes_all_alone() {
    let mut three = scenario(Behaviour::default(), alias()).await;
    three.nodes.push("ecs03".to_owned());
    let report = report(&three).await;
    assert_eq!(failed(&report), ["nodes.all"]);
    let check = check(&report, CheckId::NodesAll);
    assert!(check.sentence.contains("led too seldom to ecs03; likely layer: the server group"), "{check:?}");
}

#[tokio::test]
async fn a_few_lost_messages_fail_redis_path_alone() {
    let behaviour = Behaviour { crossing: Crossing::NotTheSeventh, ..Behaviour::default() };
    let report = report(&scenario(behaviour, alias()).await).await;
    assert_eq!(failed(&report), ["redis.path"]);
    let path = check(&report, CheckId::RedisPath);
    // One of each of eight clients.
    assert!(path.sentence.contains("of 200 8 were lost, 0 came twice, 0 came out of order"), "{path:?}");
    assert_eq!(path.evidence["lost"], "8");
}

#[tokio::test]
async fn nodes_with_a_redis_each_fail_redis_path_alone() {
    let behaviour = Behaviour { has_own_streams: true, ..Behaviour::default() };
    let report = report(&scenario(behaviour, alias()).await).await;
    assert_eq!(failed(&report), ["redis.path"]);
    let path = check(&report, CheckId::RedisPath);
    assert!(path.sentence.contains("which do not go through one Redis"), "{path:?}");
}

#[tokio::test]
async fn polling_without_sticky_sessions_fails_polling_sticky_alone() {
    let behaviour = Behaviour { is_sticky: false, ..Behaviour::default() };
    let report = report(&scenario(behaviour, alias()).await).await;
    assert_eq!(failed(&report), ["polling.sticky"]);
    let check = check(&report, CheckId::PollingSticky);
    assert!(check.sentence.contains("likely layer: the server group (sticky sessions are off"), "{check:?}");
    assert!(check.sentence.contains("request 2 of a session on ecs0"), "{check:?}");
}

#[tokio::test]
async fn a_silent_client_stays_or_idle_survives_fails_alone() {
    let patient = Scenario { quick: false, ..scenario(Behaviour::default(), alias()).await };
    let well = report(&patient).await;
    assert_eq!(failed(&well), [""; 0], "{well:#?}");
    assert!(check(&well, CheckId::IdleSurvives).sentence.ends_with("for 3 s"));
    assert_eq!(check(&well, CheckId::RedisPath).evidence["stream_entries"], "2000");

    let behaviour = Behaviour { cuts_silent: Some(Duration::from_secs(2)), ..Behaviour::default() };
    let cut = Scenario { quick: false, ..scenario(behaviour, alias()).await };
    let report = report(&cut).await;
    assert_eq!(failed(&report), ["idle.survives"], "{report:#?}");
    let check = check(&report, CheckId::IdleSurvives);
    assert!(check.sentence.contains("likely layer: the listener's timeouts"), "{check:?}");
}

#[tokio::test]
async fn messages_that_do_not_cross_name_the_layer() {
    let behaviour = Behaviour { crossing: Crossing::OwnNode, ..Behaviour::default() };
    let report = report(&scenario(behaviour, alias()).await).await;
    assert_eq!(
        failed(&report),
        ["message.a_to_b", "message.b_to_a", "redis.path", "polling.sticky", "leave.announced"]
    );
    let check = check(&report, CheckId::MessageAToB);
    assert!(check.sentence.contains("to go from ecs01 to ecs02"), "{check:?}");
    assert!(check.sentence.contains("did not reach ecs02"), "{check:?}");
    assert!(check.sentence.contains("likely layer: Redis as ecs02 sees it"), "{check:?}");
    assert!(check.hint.as_ref().unwrap().contains("albatross-redis"), "{check:?}");
    assert!(!report.passed());
}

#[tokio::test]
async fn messages_that_nobody_hears_name_redis() {
    let behaviour = Behaviour { crossing: Crossing::Nowhere, ..Behaviour::default() };
    let report = report(&scenario(behaviour, alias()).await).await;
    let check = check(&report, CheckId::MessageBToA);
    assert!(check.sentence.contains("nobody heard it"), "{check:?}");
    assert!(check.sentence.contains("likely layer: Redis, or the way from ecs02 to it"), "{check:?}");
}

#[tokio::test]
async fn a_refused_name_leaves_the_talk_unreached() {
    let behaviour = Behaviour { takes_names: false, ..Behaviour::default() };
    let report = report(&scenario(behaviour, alias()).await).await;
    assert_eq!(
        failed(&report),
        [
            "username.set",
            "message.a_to_b",
            "message.b_to_a",
            "redis.path",
            "polling.sticky",
            "leave.announced"
        ]
    );
    let sentence = &check(&report, CheckId::LeaveAnnounced).sentence;
    assert_eq!(sentence, "not reached because username.set failed");
}

/// What nobody asked for here: `tls.valid`, `http.redirects`, `idle.survives` and `failover`.
const LEFT_OUT: usize = 4;

#[tokio::test]
async fn wrong_stale_missing_and_flat_names_are_told_apart() {
    let other = "alb-old.cn-hangzhou.alb.aliyuncsslb.com".to_owned();
    for (record, words) in [
        (Record::Alias("elsewhere.example.net".to_owned(), OUTSIDE), "says elsewhere.example.net"),
        (Record::Alias(other, OUTSIDE), "a stale answer for up to 600 s, or a record that was not changed"),
        (Record::Address(OUTSIDE), "has no alias, only the address 198.18.0.9"),
        (Record::Missing, "knows no such name"),
        (Record::Silent, "does not answer"),
    ] {
        let report = report(&scenario(Behaviour::default(), record).await).await;
        assert_eq!(failed(&report).len(), CheckId::OF_CHAT.len() - LEFT_OUT);
        let name = check(&report, CheckId::DnsCname);
        let start = format!("expected example.com to be an alias of {BALANCER}., but");
        assert!(name.sentence.starts_with(&start) && name.sentence.contains(words), "{name:?}");
        assert!(name.hint.as_ref().unwrap().starts_with("dig @127.0.0.1 -p "), "{name:?}");
        assert_eq!(check(&report, CheckId::PageLoads).sentence, "not reached because dns.cname failed");
    }
}

#[tokio::test]
async fn a_closed_port_and_an_unmapped_address_are_named() {
    let mut closed = scenario(Behaviour::default(), alias()).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    closed.address_map = AddressMap::Mapped([(SocketAddr::new(OUTSIDE, 5000), nobody)].into());
    let report = report(&closed).await;
    assert_eq!(failed(&report).len(), CheckId::OF_CHAT.len() - 1 - LEFT_OUT);
    let page = check(&report, CheckId::PageLoads);
    assert!(page.sentence.ends_with(&format!("but {nobody} refuses the connection")), "{page:?}");
    let upgrade = check(&report, CheckId::WebsocketUpgrade);
    assert!(
        upgrade.sentence.contains("expected a WebSocket at ws://example.com:5000/socket.io/"),
        "{upgrade:?}"
    );

    closed.address_map = AddressMap::Mapped([].into());
    let report = self::report(&closed).await;
    let page = check(&report, CheckId::PageLoads);
    assert!(
        page.sentence.contains("198.18.0.9:5000 is not reachable from outside the local cloud"),
        "{page:?}"
    );
}

#[tokio::test]
async fn a_load_balancer_without_nodes_says_what_its_status_means() {
    let behaviour = Behaviour { status: Some(502), ..Behaviour::default() };
    let report = report(&scenario(behaviour, alias()).await).await;
    assert_eq!(failed(&report).len(), CheckId::OF_CHAT.len() - 1 - LEFT_OUT);
    let page = check(&report, CheckId::PageLoads);
    assert!(
        page.sentence.contains("the status is 502: the load balancer has no answer from any node"),
        "{page:?}"
    );
    let upgrade = check(&report, CheckId::WebsocketUpgrade);
    assert!(upgrade.sentence.contains("HTTP status 502"), "{upgrade:?}");
    assert_eq!(check(&report, CheckId::Welcome).sentence, "not reached because websocket.upgrade failed");
}

#[test]
fn a_verification_can_run_on_any_thread() {
    fn movable<T: Send>(_: &T) {}
    fn all(scenario: &Scenario) {
        movable(&run(scenario, Means::default(), &|_: &Check| {}));
    }
    let _: fn(&Scenario) = all;
}
