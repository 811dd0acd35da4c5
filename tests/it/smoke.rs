//! `smoke`: the whole road on a cloud of its own, of which nothing stays, however it ends.

use std::time::Instant;

use rustix::process::Signal;

use crate::chatroom::{CHECKS, plain_checks, test_cases};
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

#[test]
fn every_check_passes_and_nothing_is_left() {
    if lacks_redis("every_check_passes_and_nothing_is_left") {
        return;
    }
    let env = TestEnv::new();
    let mut smoke = env.start(&["smoke", "chatroom.yaml", "--junit", "out.xml", "--json", "out.json"]);
    let started = started_by(&mut smoke);
    let smoke = smoke.finish().expect_code(0);
    let still_alive: Vec<&Process> = started.iter().filter(|process| process.is_alive()).collect();
    assert!(still_alive.is_empty(), "{still_alive:?}");

    assert_eq!(test_cases(&env.read("out.xml")), (CHECKS.map(str::to_owned).to_vec(), 3));
    let report: serde_json::Value = serde_json::from_str(&env.read("out.json")).expect("JSON");
    let checks = report["checks"].as_array().expect("a list");
    let passed: Vec<_> =
        checks.iter().filter(|check| check["status"] == "passed").map(|check| &check["id"]).collect();
    let quick = plain_checks();
    assert_eq!(passed, [quick.as_slice(), &["idle.survives"]].concat());
    smoke.expect_in_order(&["14 checks passed, 0 failed, 3 skipped", "0 resources left"]);
    assert!(!env.file(".albatross").exists(), "it left a state folder");
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
    smoke.expect_in_order(&["No changes: 25 resources", "13 checks passed", "0 resources left"]);
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
