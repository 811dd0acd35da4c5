//! The story: an empty cloud, a plan, a chatroom, a proof, a change, and nothing again.

use serde_json::Value;
use snapbox::{assert_data_eq, str};

use crate::parts::lacks_redis;
use crate::support::TestEnv;
use crate::support::cloud::get;

/// The checks of a verification, in their order.
pub(crate) const CHECKS: [&str; 17] = [
    "dns.cname",
    "tls.valid",
    "http.redirects",
    "page.loads",
    "websocket.upgrade",
    "welcome",
    "username.required",
    "username.set",
    "message.a_to_b",
    "message.b_to_a",
    "nodes.differ",
    "nodes.all",
    "redis.path",
    "polling.sticky",
    "leave.announced",
    "idle.survives",
    "failover",
];

/// Those of a quick verification that apply to a chatroom without https.
pub(crate) fn plain_checks() -> Vec<&'static str> {
    CHECKS
        .into_iter()
        .filter(|check| !["tls.valid", "http.redirects", "idle.survives", "failover"].contains(check))
        .collect()
}

/// Verbs of actions that change nothing.
const READING: [&str; 3] = ["Describe", "List", "Get"];

/// Actions that were called and are not reads.
fn writes(calls: &Value) -> Vec<String> {
    let calls = calls.as_object().expect("counts by action");
    let action = |name: &str| name.split_once('.').map_or("", |(_, action)| action).to_owned();
    calls.keys().filter(|name| !READING.iter().any(|verb| action(name).starts_with(verb))).cloned().collect()
}

/// The address at which this machine reaches the chatroom.
fn local_address(applied: &str) -> &str {
    let line = applied.lines().find_map(|line| line.strip_prefix("On this machine open "));
    line.unwrap_or_else(|| panic!("no address in {applied}"))
}

/// Names of test cases in a report, and how many of them failed or were skipped.
pub(crate) fn test_cases(junit: &str) -> (Vec<String>, usize) {
    let name = |rest: &str| {
        rest.split_once("name=\"").and_then(|(_, rest)| rest.split_once('"')).map(|(name, _)| name.to_owned())
    };
    let names = junit.split("<testcase ").skip(1).filter_map(name).collect();
    (names, junit.matches("<skipped").count() + junit.matches("<failure").count())
}

#[test]
fn the_whole_story() {
    if lacks_redis("the_whole_story") {
        return;
    }
    let env = TestEnv::with_cloud(&[]);
    let plan = env.run(&["--local", "plan", "--detailed-exitcode", "chatroom.yaml"]).expect_code(2);
    assert_data_eq!(plan.stdout, FIRST_PLAN);

    let applied = env.local("apply").expect_code(0).expect_in_order(&["Plan: 25 to create.", "Done: 25 "]);
    let (status, page) = get(local_address(&applied.stdout), "example.com:5000");
    assert_eq!(status, 200);
    assert!(page.contains("<html"), "{page}");
    env.expect_exactly_the_chatroom();
    let plan = env.run(&["--local", "plan", "--json", "chatroom.yaml"]).expect_code(0).json();
    assert_eq!(plan["has_changes"], false);
    let status = env.run(&["--local", "status", "--json", "chatroom.yaml"]).expect_code(0).json();
    assert_eq!(status["resources"].as_array().map(Vec::len), Some(25));
    assert_eq!(status["local_address"], local_address(&applied.stdout));

    let verified =
        env.run(&["--local", "verify", "--quick", "--junit", "out.xml", "chatroom.yaml"]).expect_code(0);
    let lines: Vec<String> = plain_checks().iter().map(|check| format!("  passed {check} ")).collect();
    verified
        .expect_in_order(&lines.iter().map(String::as_str).collect::<Vec<_>>())
        .expect_in_order(&["13 checks passed, 0 failed, 4 skipped"]);
    assert_eq!(test_cases(&env.read("out.xml")), (CHECKS.map(str::to_owned).to_vec(), 4));

    env.write_changed("chatroom.yaml", &[("idle_timeout: 60s ", "idle_timeout: 45s ")]);
    let plan = env.run(&["--local", "plan", "--detailed-exitcode", "chatroom.yaml"]).expect_code(2);
    assert_data_eq!(
        crate::support::redacted(&plan.stdout),
        str![[r#"
Stack chatroom in cn-hangzhou

  ~ listener.main  [ID]
      idle_timeout: 60 -> 45

Plan: 1 to update.
Expect about 15 calls (1 that changes something) and 10 seconds.

"#]]
    );
    env.local("apply").expect_code(0).expect_in_order(&["Done: 1 "]);
    env.expect_exactly_the_chatroom();
    env.expect_destroyed_to_nothing();
}

const FIRST_PLAN: &str = "\
Stack chatroom in cn-hangzhou

  + vpc.main                          192.168.0.0/16
  + vswitch.a                         192.168.0.0/24 in cn-hangzhou-h
  + vswitch.b                         192.168.1.0/24 in cn-hangzhou-i
  + security_group.main               all instances
  + key_pair.main                     the operator's SSH key
  + instance.ecs01                    ecs.e-c1m2.large acs:alibaba_cloud_linux_3_2104_lts_x64
  + instance.ecs02                    ecs.e-c1m2.large acs:alibaba_cloud_linux_3_2104_lts_x64
  + instance.ecs03                    ecs.e-c1m2.large acs:alibaba_cloud_linux_3_2104_lts_x64
  + host_key.ecs01                    SSH host key, read through the Cloud Assistant and pinned
  + host_key.ecs02                    SSH host key, read through the Cloud Assistant and pinned
  + host_key.ecs03                    SSH host key, read through the Cloud Assistant and pinned
  + security_rule.node-a              tcp 5000 from 192.168.0.0/24
  + security_rule.node-b              tcp 5000 from 192.168.1.0/24
  + security_rule.redis-ecs01         tcp 6379 from instance.ecs01
  + security_rule.redis-ecs02         tcp 6379 from instance.ecs02
  + security_rule.ssh-203.0.113.0-24  tcp 22 from 203.0.113.0/24
  + redis.ecs03                       port 6379, 256 MiB
  + load_balancer.main                Basic Internet, 2 zones
  + server_group.main                 health check HEAD /healthz
  + release.ecs01                     chat node on port 5000, Redis on ecs03
  + release.ecs02                     chat node on port 5000, Redis on ecs03
  + server.ecs01                      port 5000
  + server.ecs02                      port 5000
  + listener.main                     HTTP 5000, idle timeout 60 s, request timeout 60 s
  + record.main                       CNAME @ of example.com, TTL 600 s

Plan: 25 to create.
Expect about 46 calls (22 that change something) and 2 minutes.
";

#[test]
fn two_regions_in_two_folders_run_side_by_side() {
    if lacks_redis("two_regions_in_two_folders_run_side_by_side") {
        return;
    }
    let hangzhou = TestEnv::with_cloud(&["--pace", "instant"]);
    let beijing = TestEnv::with_cloud(&["--pace", "instant"]);
    beijing.write_changed("chatroom.yaml", &[("cn-hangzhou", "cn-beijing")]);

    let running = [&hangzhou, &beijing].map(|env| env.start(&["--local", "apply", "--yes", "chatroom.yaml"]));
    let applied = running.map(|apply| apply.finish().expect_code(0));
    let addresses = applied.each_ref().map(|run| local_address(&run.stdout));
    assert_ne!(addresses[0], addresses[1]);
    for (env, region) in [(&hangzhou, "cn-hangzhou"), (&beijing, "cn-beijing")] {
        env.verify().expect_code(0);
        let status = env.run(&["--local", "status", "--json", "chatroom.yaml"]).json();
        assert_eq!(status["region"], region);
    }
    hangzhou.expect_destroyed_to_nothing();
    beijing.expect_exactly_the_chatroom();
}

#[test]
fn an_apply_that_cannot_ask_changes_nothing() {
    let env = TestEnv::with_control_plane();
    env.run(&["--local", "apply", "chatroom.yaml"]).expect_code(64).expect_in_order(&[
        "Plan: 22 to create.",
        "error: nobody can be asked: standard input is not a terminal",
        "help: add --yes to go ahead without a question",
    ]);
    assert_eq!(env.cloud().resources(), 0);
    assert_eq!(writes(&env.cloud().calls()), Vec::<String>::new());
}

#[test]
fn a_plan_only_reads() {
    if lacks_redis("a_plan_only_reads") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let writes_before = writes(&env.cloud().calls());
    let count = |calls: &Value, names: &[String]| -> u64 {
        names.iter().filter_map(|name| calls[name].as_u64()).sum()
    };
    let before = count(&env.cloud().calls(), &writes_before);
    let journal = std::fs::read(env.state().join("journal")).expect("a journal");
    env.expect_empty_plan();
    let calls = env.cloud().calls();
    assert_eq!((writes(&calls), count(&calls, &writes_before)), (writes_before, before));
    assert_eq!(std::fs::read(env.state().join("journal")).expect("a journal"), journal);
}

#[test]
fn a_plan_of_nothing_leaves_no_state() {
    let env = TestEnv::with_control_plane();
    env.run(&["--local", "plan", "chatroom.yaml"]).expect_code(0);
    assert_eq!(writes(&env.cloud().calls()), Vec::<String>::new());
    assert!(!env.state().exists(), "{} was made", env.state().display());
}
