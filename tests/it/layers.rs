//! What a failed verification says: each layer by its name, found by asking the cloud and the hosts.

use albatross::base::ids::{ClientToken, CloudId};
use albatross::cloud::call::Call;
use albatross::cloud::dns::{NewRecord, records, update_record};
use albatross::cloud::{Product, alb, ecs};
use serde_json::Value;

use crate::parts::lacks_redis;
use crate::support::TestEnv;
use crate::support::cloud::{block_on, wait_for};

/// A verification that failed.
struct Failure(Value);

impl Failure {
    /// Verifies, and expects a failure.
    #[track_caller]
    fn of(env: &TestEnv) -> Self {
        env.run(&[
            "--local",
            "verify",
            "--quick",
            "--json",
            "out.json",
            "--junit",
            "out.xml",
            "chatroom.yaml",
        ])
        .expect_code(4);
        Self(serde_json::from_str(&env.read("out.json")).expect("JSON"))
    }

    fn check(&self, id: &str) -> &Value {
        let checks = self.0["checks"].as_array().expect("a list");
        checks.iter().find(|check| check["id"] == id).expect("each check is there")
    }

    /// The failed check names this layer, this cause and this command.
    #[track_caller]
    fn expect(&self, id: &str, layer: &str, cause: &str, next: &str) {
        let check = self.check(id);
        let sentence = check["sentence"].as_str().expect("a sentence");
        assert_eq!(
            (&check["status"], &check["evidence"]["layer"]),
            (&"failed".into(), &layer.into()),
            "{check:#}"
        );
        assert!(sentence.contains(&format!("; layer: {layer}, ")) && sentence.contains(cause), "{check:#}");
        assert!(!sentence.contains("likely layer"), "{check:#}");
        assert!(check["hint"].as_str().is_some_and(|hint| hint.contains(next)), "{check:#}");
    }

    #[track_caller]
    fn evidence(&self, id: &str, name: &str) -> String {
        let check = self.check(id);
        check["evidence"][name].as_str().unwrap_or_else(|| panic!("no `{name}` in {check:#}")).to_owned()
    }
}

/// The one resource of a kind in the world of the cloud.
fn id_of(env: &TestEnv, address: &str) -> CloudId {
    let status = env.run(&["--local", "status", "--json", "chatroom.yaml"]).expect_code(0).json();
    let resources = status["resources"].as_array().expect("a list");
    let found = resources.iter().find(|one| one["address"] == address).expect("it is there");
    CloudId::new(found["id"].as_str().expect("an id"))
}

fn call(env: &TestEnv, call: &Call) {
    let _: Value = block_on(env.cloud().client("cn-hangzhou").call(call)).expect("the cloud does it");
}

fn fault(env: &TestEnv, words: &[&str]) {
    env.run(&[&["cloud", "fault"], words].concat()).expect_code(0);
}

fn lift_all(env: &TestEnv) {
    let faults = env.run(&["cloud", "fault", "list", "--json"]).expect_code(0).json();
    for one in faults.as_array().expect("a list") {
        fault(env, &["lift", one["id"].as_str().expect("an id")]);
    }
}

/// How the load balancer finds the server of a host.
fn health(env: &TestEnv, host: &str) -> Value {
    let region = env.cloud().region();
    let id = region["hosts"].as_array().expect("a list").iter().find(|one| one["name"] == host);
    let id = id.expect("the host is there")["id"].clone();
    let servers = region["balancers"][0]["servers"].as_array().expect("a list").clone();
    servers.into_iter().find(|one| one["host"] == id).expect("it is a server")["health"].clone()
}

fn wait_until_ill(env: &TestEnv, host: &str) {
    wait_for("its server is found ill", || health(env, host).get("unhealthy").is_some().then_some(()));
}

fn wait_until_well(env: &TestEnv, host: &str) {
    wait_for("its server is found well", || (health(env, host) == "healthy").then_some(()));
}

#[test]
fn a_stopped_listener_a_server_without_weight_and_one_that_is_gone_are_named() {
    if lacks_redis("a_stopped_listener_a_server_without_weight_and_one_that_is_gone_are_named") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let listener = id_of(&env, "listener.main");
    call(&env, &Call::new(Product::Alb, "StopListener").with("ListenerId", &listener));
    let failure = Failure::of(&env);
    for check in ["page.loads", "websocket.upgrade"] {
        let again = "`albatross --local apply chatroom.yaml`";
        failure.expect(check, "listener", "the listener on port 5000 is Stopped", again);
    }
    assert!(failure.evidence("page.loads", "asked.listener").starts_with("Stopped, HTTP"));
    assert!(failure.evidence("page.loads", "asked.node.ecs01").contains("the unit is active"));
    let junit = env.read("out.xml");
    assert!(junit.contains("layer: listener") && junit.contains("asked.server.ecs02: "), "{junit}");
    env.local("apply").expect_code(0);
    env.verify().expect_code(0);

    let (group, instance) = (id_of(&env, "server_group.main"), id_of(&env, "instance.ecs02"));
    let token = ClientToken::new("weight-0");
    call(&env, &alb::weigh_server(&group, &instance, 5000, 0, &token));
    let failure = Failure::of(&env);
    failure.expect("nodes.all", "server group", "ecs02 has weight 0", "apply chatroom.yaml");
    assert!(failure.evidence("nodes.all", "asked.server.ecs02").contains("weight 0"));
    call(&env, &alb::remove_server(&group, "Ecs", &instance, 5000));
    let gone = || {
        let failure = Failure::of(&env);
        let sentence = failure.check("nodes.all")["sentence"].as_str().map(str::to_owned);
        sentence.filter(|words| words.contains("layer: server group, ecs02 is not in the server group"))
    };
    wait_for("the server is gone", gone);
}

#[test]
fn a_wrong_record_and_a_kept_answer_are_told_apart() {
    if lacks_redis("a_wrong_record_and_a_kept_answer_are_told_apart") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let client = env.cloud().client("cn-hangzhou");
    let found = block_on(records(&client, "example.com", "@")).expect("the records");
    let record = found.iter().find(|one| one.kind == "CNAME").expect("the alias");
    let wrong = NewRecord { host: "@", value: "elsewhere.example.com", ttl: 600 };
    call(&env, &update_record(&record.record_id, wrong));
    let failure = Failure::of(&env);
    let cause = "the record of example.com is CNAME elsewhere.example.com, not CNAME alb-";
    failure.expect("dns.cname", "DNS", cause, "apply chatroom.yaml");

    fault(&env, &["dns-stale", "example.com"]);
    env.local("apply").expect_code(0);
    let failure = Failure::of(&env);
    failure.expect(
        "dns.cname",
        "DNS",
        "the answer is not from it: one kept from before",
        "dig example.com CNAME",
    );
    lift_all(&env);
    env.verify().expect_code(0);
}

#[test]
fn a_stopped_node_one_that_is_frozen_and_one_that_is_found_ill_are_told_apart() {
    if lacks_redis("a_stopped_node_one_that_is_frozen_and_one_that_is_found_ill_are_told_apart") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let unit = |verb| {
        env.run(&["--local", "ssh", "chatroom.yaml", "ecs02", "--", "systemctl", verb, "chat-node.service"])
            .expect_code(0);
    };
    unit("stop");
    wait_until_ill(&env, "ecs02");
    let failure = Failure::of(&env);
    let cause = "chat-node.service on ecs02: the unit is inactive";
    failure.expect("nodes.all", "node", cause, "`albatross --local logs chatroom.yaml ecs02`");
    assert!(failure.evidence("nodes.all", "asked.server.ecs02").contains("CONNECT_FAILED"));
    assert!(!failure.evidence("nodes.all", "asked.node.ecs02.log").is_empty());
    assert!(failure.evidence("nodes.all", "layer.also").contains("health checks: "));
    unit("start");
    wait_until_well(&env, "ecs02");

    fault(&env, &["unhealthy", "ecs02"]);
    wait_until_ill(&env, "ecs02");
    let failure = Failure::of(&env);
    let cause = "the load balancer finds ecs02 Unhealthy (RESPONSE_MISMATCH)";
    failure.expect(
        "nodes.all",
        "health checks",
        cause,
        "ssh chatroom.yaml ecs02 -- curl --head http://192.168.",
    );
    lift_all(&env);

    fault(&env, &["freeze", "ecs02"]);
    wait_until_ill(&env, "ecs02");
    let failure = Failure::of(&env);
    failure.expect("nodes.all", "node", "ecs02 answers neither SSH (", "ssh chatroom.yaml ecs02 -- uptime");
    assert!(failure.evidence("nodes.all", "asked.node.ecs02").starts_with("could not be asked: "));
    lift_all(&env);
    wait_until_well(&env, "ecs02");
    env.verify().expect_code(0);
}

#[test]
fn a_stopped_redis_and_a_cut_way_to_it_are_told_apart() {
    if lacks_redis("a_stopped_redis_and_a_cut_way_to_it_are_told_apart") {
        return;
    }
    let env = TestEnv::with_chatroom();
    fault(&env, &["redis-stop", "ecs03"]);
    let failure = Failure::of(&env);
    let first =
        failure.0["checks"].as_array().expect("a list").iter().find(|check| check["status"] == "failed");
    let id = first.expect("one failed")["id"].as_str().expect("an id").to_owned();
    let cause = "albatross-redis.service on ecs03: the unit is inactive";
    failure.expect(&id, "Redis", cause, "`albatross --local logs chatroom.yaml ecs03`");
    for node in ["ecs01", "ecs02"] {
        assert!(failure.evidence(&id, &format!("asked.redis_from.{node}")).starts_with("does not answer"));
    }
    lift_all(&env);
    let well = || env.verify().code.filter(|code| *code == 0);
    wait_for("the nodes are back at Redis", well);

    fault(&env, &["network-cut", "ecs02", "ecs03"]);
    let failure = Failure::of(&env);
    let first =
        failure.0["checks"].as_array().expect("a list").iter().find(|check| check["status"] == "failed");
    let id = first.expect("one failed")["id"].as_str().expect("an id").to_owned();
    failure.expect(
        &id,
        "network",
        "ecs02 does not reach Redis on ecs03",
        "ecs02 -- curl --max-time 3 http://",
    );
    assert_eq!(failure.evidence(&id, "asked.redis_from.ecs01"), "answers");
    // With the rule gone, too, that is what explains it.
    let (group, rule) = (id_of(&env, "security_group.main"), id_of(&env, "security_rule.redis-ecs02"));
    let address = env.cloud().instance("ecs02")["private_address"].as_str().expect("an address").to_owned();
    let source = format!("{address}/32");
    let (protocol, ports) = ("tcp", "6379/6379");
    let gone = ecs::Rule { group: &group, protocol, ports, source: &source, description: rule.as_str() };
    call(&env, &ecs::revoke(env.cloud().client("cn-hangzhou").region(), &gone));
    let failure = Failure::of(&env);
    let cause = "the security group does not let in security_rule.redis-ecs02 (tcp 6379 from ";
    failure.expect(&id, "network", cause, "apply chatroom.yaml");
    env.local("apply").expect_code(0);
    lift_all(&env);
    wait_for("the way is there again", well);
}

#[test]
fn what_may_not_be_asked_is_evidence_beside_what_may() {
    if lacks_redis("what_may_not_be_asked_is_evidence_beside_what_may") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let (group, instance) = (id_of(&env, "server_group.main"), id_of(&env, "instance.ecs02"));
    let token = ClientToken::new("weight-0");
    call(&env, &alb::weigh_server(&group, &instance, 5000, 0, &token));
    env.cloud().refuse_first("Alidns.DescribeDomainNs", 403, "Forbidden.RAM");
    env.cloud().break_host("ecs02", "refuse_ssh");
    let failure = Failure::of(&env);
    failure.expect("nodes.all", "server group", "ecs02 has weight 0", "apply chatroom.yaml");
    assert!(failure.evidence("nodes.all", "asked.name_servers").contains("Forbidden.RAM"));
    let refused = failure.evidence("nodes.all", "asked.node.ecs02");
    assert!(
        refused.starts_with("could not be asked: ") && refused.contains("refuses the connection"),
        "{refused}"
    );
}
