//! `smoke`: the whole road on a cloud of its own, of which nothing stays, however it ends.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::chatroom::{CHECKS, test_cases};
use crate::docs::{bare, table};
use crate::https::write_secure;
use crate::parts::lacks_redis;
use crate::support::TestEnv;
use crate::support::cloud::{PATIENCE, wait_for};
use crate::support::process::{Process, Running, descendants, send};

const REDIS: &str = "albatross-redis.service";

/// What a smoke run has started once Redis is up: the cloud and the Redis server among it.
#[track_caller]
fn started_by(smoke: &mut Running) -> Vec<Process> {
    smoke.wait_for_line("ok redis.ecs03");
    let started = descendants(smoke.id());
    for name in ["mock-cloud", "redis-server"] {
        assert!(started.iter().any(|process| process.name == name), "no {name} in {started:?}");
    }
    started
}

#[track_caller]
fn expect_all_to_end(processes: &[Process]) {
    wait_for("everything it started ends", || {
        processes.iter().all(|process| !process.is_alive()).then_some(())
    });
}

/// What a report says of each phase, or of each control.
fn verdicts(report: &serde_json::Value, part: &str) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let stages = report[part].as_array().expect("a list").iter();
    stages.map(|stage| (text(&stage["name"]), text(&stage["status"]))).collect()
}

fn with_verdict(names: &[&str], verdict: &str) -> Vec<(String, String)> {
    names.iter().map(|name| ((*name).to_owned(), verdict.to_owned())).collect()
}

/// All phases of a run, in order.
const PHASES: [&str; 10] = [
    "validate",
    "cloud",
    "plan",
    "apply",
    "empty plan",
    "verify",
    "change",
    "verify change",
    "controls",
    "destroy",
];

/// What can be broken on process hosts behind https, each with the check that has to notice.
const CONTROLS: [(&str, &str); 6] = [
    ("redis.stopped", "message.a_to_b"),
    ("node.down", "nodes.all"),
    ("sticky.off", "polling.sticky"),
    ("certificate.wrong", "tls.valid"),
    ("name.stale", "dns.cname"),
    ("listener.hasty", "idle.survives"),
];

#[test]
fn phases_and_controls_are_those_of_the_document() {
    let text = std::fs::read_to_string("docs/proof.md").expect("the document");
    let phases: Vec<String> = table(&text, "| Phase |").iter().map(|row| bare(&row[0])).collect();
    assert_eq!(phases, PHASES);
    let rows = table(&text, "| Control |");
    let all = CONTROLS.into_iter().chain([("redis.port_closed", "message.a_to_b")]);
    assert_eq!(rows.len(), CONTROLS.len() + 1);
    for ((name, check), row) in all.zip(&rows) {
        assert_eq!(bare(&row[0]), name);
        assert!(row[2].contains(&format!("`{check}`")), "{name}: {}", row[2]);
    }
}

/// The longest it may take.
const WHOLE: Duration = Duration::from_mins(5);

#[test]
fn the_whole_life_of_a_stack_each_control_is_noticed_and_nothing_is_left() {
    if lacks_redis("the_whole_life_of_a_stack_each_control_is_noticed_and_nothing_is_left") {
        return;
    }
    let env = TestEnv::new();
    write_secure(&env, &[]);
    let begun = Instant::now();
    let arguments =
        ["smoke", "chatroom.yaml", "--hosts", "process", "--junit", "out.xml", "--json", "out.json"];
    let mut smoke = env.start(&arguments);
    let started = started_by(&mut smoke);
    let smoke = smoke.finish().expect_code(0);
    assert!(begun.elapsed() < WHOLE, "{:?}", begun.elapsed());
    let still_alive: Vec<&Process> = started.iter().filter(|process| process.is_alive()).collect();
    assert!(still_alive.is_empty(), "{still_alive:?}");

    let report: serde_json::Value = serde_json::from_str(&env.read("out.json")).expect("JSON");
    assert_eq!(report["passed"], true);
    let checks = report["checks"].as_array().expect("a list").iter();
    let passed: Vec<_> =
        checks.filter(|check| check["status"] == "passed").map(|check| &check["id"]).collect();
    // Nobody is asked to stop a node but who stops it as a control.
    let made: Vec<&str> = CHECKS.into_iter().filter(|check| *check != "failover").collect();
    assert_eq!(passed, made);
    assert_eq!(verdicts(&report, "phases"), with_verdict(&PHASES, "passed"));
    let tried: Vec<&str> = CONTROLS.iter().map(|(name, _)| *name).collect();
    let left_out = with_verdict(&["redis.port_closed"], "skipped");
    assert_eq!(verdicts(&report, "controls"), [with_verdict(&tried, "passed"), left_out].concat());
    for ((name, check), stage) in CONTROLS.iter().zip(report["controls"].as_array().expect("a list")) {
        let sentence = stage["sentence"].as_str().expect("a text");
        assert!(sentence.contains(&format!("verify fails at {check}, ")), "{name}: {sentence}");
        assert!(sentence.contains("passes again after"), "{name}: {sentence}");
        assert!(stage["duration_milliseconds"].as_f64().expect("a number") > 0.0, "{name}");
    }
    let all = [&CHECKS[..], &PHASES, &tried, &["redis.port_closed"]].concat();
    assert_eq!(test_cases(&env.read("out.xml")), (all.iter().map(|name| (*name).to_owned()).collect(), 2));
    smoke.expect_in_order(&[
        "== plan",
        "Plan: 28 to create.",
        "apply took ",
        "16 checks passed, 0 failed, 1 skipped",
        "== change",
        "+ instance.ecs04",
        "No changes: 33 resources",
        "each node answers: ecs01, ecs02, ecs04",
        "== controls",
        "skipped redis.port_closed",
        "on process hosts no security group is enforced",
        "== result",
        "0 resources left",
        "smoke took ",
    ]);
    assert!(!env.file(".albatross").exists(), "it left a state folder");
}

/// With timeouts of fifteen seconds, so that the silence before it is short.
#[test]
fn ctrl_c_in_the_middle_of_a_control_puts_back_what_was_broken() {
    if lacks_redis("ctrl_c_in_the_middle_of_a_control_puts_back_what_was_broken") {
        return;
    }
    let env = TestEnv::new();
    env.write_changed(
        "chatroom.yaml",
        &[("idle_timeout: 60s ", "idle_timeout: 15s "), ("request_timeout: 60s", "request_timeout: 15s")],
    );
    let arguments =
        ["smoke", "chatroom.yaml", "--hosts", "process", "--pace", "instant", "--json", "out.json"];
    let mut smoke = env.start(&arguments);
    let started = started_by(&mut smoke);
    smoke.wait_for_line(".. redis.stopped: Redis is stopped on ecs03");
    smoke.signal(Signal::INT);
    smoke.wait_for_line("what was broken is as it was, and the cloud ends");
    smoke.finish().expect_code(130);
    expect_all_to_end(&started);
    let report: serde_json::Value = serde_json::from_str(&env.read("out.json")).expect("JSON");
    assert_eq!(report["passed"], false);
    let phases = verdicts(&report, "phases");
    assert!(phases.contains(&("verify change".to_owned(), "passed".to_owned())), "{phases:?}");
    assert!(phases.contains(&("controls".to_owned(), "failed".to_owned())), "{phases:?}");
    assert_eq!(report["phases"][9]["sentence"], "not reached because one before it failed");
}

#[test]
fn a_quick_one_takes_no_time_in_the_cloud() {
    if lacks_redis("a_quick_one_takes_no_time_in_the_cloud") {
        return;
    }
    let env = TestEnv::new();
    let begun = Instant::now();
    let smoke = env.run(&["smoke", "--quick", "chatroom.yaml"]).expect_code(0);
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    smoke.expect_in_order(&[
        "No changes: 25 resources",
        "13 checks passed",
        "skipped change",
        "it takes time (--quick)",
        "skipped redis.stopped",
        "0 resources left",
    ]);
}

#[test]
fn one_that_is_killed_leaves_nothing_running() {
    if lacks_redis("one_that_is_killed_leaves_nothing_running") {
        return;
    }
    let env = TestEnv::new();
    let mut smoke = env.start(&["smoke", "--quick", "chatroom.yaml"]);
    let started = started_by(&mut smoke);
    smoke.signal(Signal::KILL);
    assert_eq!(smoke.finish().code, None);
    expect_all_to_end(&started);
}

/// Kills Redis as a person would, and looks whether the proof notices.
fn verify_without_redis(signal: Signal) -> crate::support::Run {
    let env = TestEnv::new();
    env.run(&["smoke", "--quick", "--keep", "chatroom.yaml"])
        .expect_code(0)
        .expect_in_order(&["Everything is up:"]);
    let redis = Process::look(env.cloud().process("ecs03", REDIS)).expect("it runs");
    assert_eq!(redis.name, "redis-server");
    send(env.cloud().process("ecs03", REDIS), signal);
    wait_for("Redis ends", || (!redis.is_alive()).then_some(()));
    env.verify()
}

#[test]
fn without_redis_the_same_proof_fails_and_says_so() {
    if lacks_redis("without_redis_the_same_proof_fails_and_says_so") {
        return;
    }
    verify_without_redis(Signal::TERM).expect_code(4).expect_in_order(&[
        "passed page.loads",
        "FAILED message.a_to_b",
        "layer: Redis, albatross-redis.service on ecs03: the unit is inactive",
        "help: `albatross --local logs chatroom.yaml ecs03`",
        "FAILED message.b_to_a",
    ]);
}

/// Its unit starts it again, and the nodes keep what is said until then.
#[test]
fn a_redis_that_was_killed_is_waited_for_and_nothing_is_lost() {
    if lacks_redis("a_redis_that_was_killed_is_waited_for_and_nothing_is_lost") {
        return;
    }
    verify_without_redis(Signal::KILL)
        .expect_code(0)
        .expect_in_order(&["passed message.a_to_b", "passed message.b_to_a"]);
}
