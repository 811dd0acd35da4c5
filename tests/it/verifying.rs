//! What `verify` can be asked for beside its usual checks: a node that stops, other places, other services, and an
//! address in place of a name.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::parts::lacks_redis;
use crate::support::TestEnv;
use crate::support::cloud::wait_for;

/// What makes the host start its node again.
const TIMER: &str = "albatross-outage.timer";
/// How long a node may be away at most.
const AWAY: Duration = Duration::from_mins(1);

/// Verifies with these options besides, and gives the report.
#[track_caller]
fn verified(env: &TestEnv, options: &[&str], code: i32) -> Value {
    let usual = ["--local", "verify", "--quick", "--json", "out.json", "chatroom.yaml"];
    env.run(&[&usual, options].concat()).expect_code(code);
    serde_json::from_str(&env.read("out.json")).expect("JSON")
}

fn check<'a>(report: &'a Value, id: &str) -> &'a Value {
    let checks = report["checks"].as_array().expect("a list");
    checks.iter().find(|check| check["id"] == id).unwrap_or_else(|| panic!("no {id} in {report:#}"))
}

/// What `systemctl is-active` says on a host.
fn state_of(env: &TestEnv, host: &str, unit: &str) -> String {
    let run = env.run(&["--local", "ssh", "chatroom.yaml", host, "--", "systemctl", "is-active", unit]);
    run.stdout.trim().to_owned()
}

fn with_verify(env: &TestEnv, fields: &str) {
    let text = env.read("chatroom.yaml");
    env.write("chatroom.yaml", format!("{text}\nverify:\n{fields}"));
}

#[test]
fn clients_of_a_stopped_node_move_and_it_runs_again() {
    if lacks_redis("clients_of_a_stopped_node_move_and_it_runs_again") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let before = env.cloud().process("ecs02", "chat-node.service");
    let report = verified(&env, &["--disruptive"], 0);
    let failover = check(&report, "failover");
    assert_eq!(failover["status"], "passed", "{failover:#}");
    assert_eq!(
        (&failover["evidence"]["node"], &failover["evidence"]["moved_to"]),
        (&"ecs02".into(), &"ecs01".into())
    );
    // It was really stopped, and nothing of that is left.
    assert_ne!(env.cloud().process("ecs02", "chat-node.service"), before);
    assert_eq!(state_of(&env, "ecs02", TIMER), "inactive");
    let left = env.run(&["--local", "ssh", "chatroom.yaml", "ecs02", "--", "ls", "/etc/systemd/system"]);
    assert!(!left.expect_code(0).stdout.contains("albatross-outage"));
    env.expect_empty_plan();
}

#[test]
fn whoever_says_stop_leaves_a_node_that_runs_and_so_does_a_crash() {
    if lacks_redis("whoever_says_stop_leaves_a_node_that_runs_and_so_does_a_crash") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let verify = ["--local", "verify", "--quick", "--disruptive", "chatroom.yaml"];
    let mut command = env.start(&verify);
    command.wait_for_line("stopping the node of ecs02");
    command.signal(Signal::INT);
    command.finish().expect_code(130).expect_in_order(&["Stopped; every node runs."]);
    wait_for("the node runs", || (state_of(&env, "ecs02", "chat-node.service") == "active").then_some(()));
    assert_eq!(state_of(&env, "ecs02", TIMER), "inactive");

    env.kill_at("stopping the node of ecs02", &verify);
    let began = Instant::now();
    let is_back = || {
        let runs = state_of(&env, "ecs02", "chat-node.service") == "active";
        (runs && state_of(&env, "ecs02", TIMER) == "inactive").then_some(())
    };
    while is_back().is_none() {
        assert!(began.elapsed() < AWAY * 2, "its host did not start it");
        std::thread::sleep(Duration::from_secs(1));
    }
    env.verify().expect_code(0);
}

#[test]
fn clients_come_from_the_places_that_the_topology_names() {
    if lacks_redis("clients_come_from_the_places_that_the_topology_names") {
        return;
    }
    let env = TestEnv::with_chatroom();
    with_verify(&env, "  vantages: [ssh:ecs02, ssh:ecs03]\n");
    let report = verified(&env, &[], 0);
    let upgrade = &check(&report, "websocket.upgrade")["evidence"];
    let address = |name: &str, field: &str| env.cloud().instance(name)[field].as_str().map(str::to_owned);
    let first = address("ecs02", "public_address").expect("it has one");
    let second = address("ecs03", "private_address").expect("it has one");
    assert_eq!(upgrade["source_a"], format!("ecs02 ({first})"));
    assert_eq!(upgrade["source_b"], format!("ecs03 ({second})"));
    // They really leave there.
    env.run(&["cloud", "fault", "ssh-cut", "ecs02", "--after", "0"]).expect_code(0);
    let run = env.run(&["--local", "verify", "--quick", "chatroom.yaml"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("ecs02"), "{run:?}");
}

#[test]
fn an_address_takes_the_place_of_a_name_that_leads_nowhere() {
    if lacks_redis("an_address_takes_the_place_of_a_name_that_leads_nowhere") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let status = env.run(&["--local", "status", "--json", "chatroom.yaml"]).expect_code(0).json();
    let url = status["local_address"].as_str().expect("an address");
    let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let target = format!("example.com:5000:{address}");
    let report = verified(&env, &["--connect-to", &target], 0);
    let dns = check(&report, "dns.cname");
    assert_eq!(dns["status"], "skipped");
    assert_eq!(dns["sentence"], format!("example.com:5000 is connected to at {address} (--connect-to)"));
    assert_eq!(check(&report, "redis.path")["status"], "passed");

    let other = format!("example.org:5000:{address}");
    env.run(&["--local", "verify", "--connect-to", &other, "chatroom.yaml"]).expect_code(64).expect_in_order(
        &[
            "error: `--connect-to` names example.org, and this topology is at example.com",
            "help: write `--connect-to example.com:5000:",
        ],
    );
    env.run(&["--local", "verify", "--connect-to", "example.com:5000", "chatroom.yaml"])
        .expect_code(64)
        .expect_in_order(&["write HOST:PORT:ADDRESS or HOST:PORT:ADDRESS:PORT"]);
}

#[test]
fn a_page_of_any_service_is_held_against_what_the_topology_expects() {
    if lacks_redis("a_page_of_any_service_is_held_against_what_the_topology_expects") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let expect = "  kind: http\n  path: /healthz\n  expect: { status: 200, body: ok, headers: { x-chat-node: ecs0 } }\n";
    with_verify(&env, expect);
    let report = verified(&env, &[], 0);
    let ids: Vec<&Value> =
        report["checks"].as_array().expect("a list").iter().map(|check| &check["id"]).collect();
    assert_eq!(ids, ["dns.cname", "tls.valid", "http.redirects", "http.answers"]);
    assert_eq!(check(&report, "http.answers")["evidence"]["bytes_b"], "2");
    let text = env.read("chatroom.yaml").replace("body: ok", "body: well");
    env.write("chatroom.yaml", text);
    let report = verified(&env, &[], 4);
    let answers = check(&report, "http.answers");
    let words = "`well` in its body, but its 2 bytes do not have `well`";
    assert!(answers["sentence"].as_str().is_some_and(|sentence| sentence.contains(words)), "{answers:#}");
    // The chatroom's WebSocket greets, and says nothing back.
    let echo = "  kind: websocket-echo\n  path: /socket.io/?EIO=4&transport=websocket\n  send: \"40\"\n";
    let text = env.read("chatroom.yaml");
    let before = text.split("verify:").next().expect("the rest");
    env.write("chatroom.yaml", format!("{before}verify:\n{echo}"));
    let report = verified(&env, &[], 4);
    assert_eq!(check(&report, "websocket.upgrade")["status"], "passed");
    let sentence = check(&report, "websocket.echo")["sentence"].as_str().expect("a sentence").to_owned();
    assert!(
        sentence.contains("what came is `0{") && sentence.contains("Welcome to the chatroom!"),
        "{sentence}"
    );
}
