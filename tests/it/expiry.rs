//! Instances that go by themselves: their time set, kept, extended, taken back, and over.

use albatross::cloud::Product;
use albatross::cloud::call::Call;
use serde_json::Value;

use crate::replace::planned;
use crate::support::TestEnv;
use crate::support::cloud::{block_on, wait_for};

/// The chatroom whose instances live so long, but for the one with Redis.
fn write(env: &TestEnv, expires: &str) {
    env.write_changed(
        "chatroom.yaml",
        &[
            ("region:", &format!("expires: {expires}\nregion:")),
            ("ecs03: { vswitch: a,", "ecs03: { vswitch: a, expires: never,"),
        ],
    );
}

/// When an instance goes by itself, as the cloud has it: milliseconds.
fn release(env: &TestEnv, name: &str) -> Option<i64> {
    env.cloud().instance(name)["auto_release"].as_i64()
}

fn now(env: &TestEnv) -> i64 {
    env.cloud().world()["now"].as_i64().expect("a moment")
}

/// Minutes from now until an instance goes.
fn minutes(env: &TestEnv, name: &str) -> i64 {
    (release(env, name).expect("it goes") - now(env)) / 60_000
}

#[test]
fn a_time_is_set_kept_extended_and_taken_back() {
    let env = TestEnv::with_control_plane();
    write(&env, "4h");
    env.local("plan").expect_code(0).expect_in_order(&[
        "+ instance.ecs01",
        "released after 4h",
        "these are paid on until `destroy`: instance.ecs03, load_balancer.main",
    ]);
    env.local("apply").expect_code(0);
    assert!((238..=241).contains(&minutes(&env, "ecs01")), "{}", minutes(&env, "ecs01"));
    assert_eq!(release(&env, "ecs03"), None);
    let first = release(&env, "ecs01");
    // Another apply is no reason to live longer.
    env.local("plan").expect_code(0).expect_in_order(&[
        "No changes",
        "note: instance.ecs01 is released at 20",
        ", in ",
    ]);
    env.local("apply").expect_code(0);
    assert_eq!(release(&env, "ecs01"), first);
    env.local("status").expect_code(0).expect_in_order(&["instance.ecs01", "released at 20", ", in "]);
    // Another time counts from now on.
    write(&env, "8h");
    env.local("plan").expect_code(0).expect_in_order(&[
        "~ instance.ecs01",
        "expires: 4h -> 8h",
        "Plan: 2 to update.",
    ]);
    env.local("apply").expect_code(0);
    assert!((478..=481).contains(&minutes(&env, "ecs01")), "{}", minutes(&env, "ecs01"));
    // Somebody else's time is drift.
    let id = env.cloud().instance("ecs02")["id"].as_str().expect("an id").to_owned();
    let by_hand = Call::new(Product::Ecs, "ModifyInstanceAutoReleaseTime").with("InstanceId", &id);
    block_on(env.cloud().client("cn-hangzhou").call::<Value>(&by_hand)).expect("it is taken back");
    env.local("plan").expect_code(0).expect_in_order(&[
        "Changed outside of Albatross:",
        "instance.ecs02",
        "expires: 8h -> never",
        "~ instance.ecs02",
        "expires: never -> 8h",
        "Plan: 1 to update.",
    ]);
    env.local("apply").expect_code(0);
    let before = env.cloud().call_log().len();
    env.run(&["--local", "apply", "--yes", "--extend", "chatroom.yaml"]).expect_code(0).expect_in_order(&[
        "~ instance.ecs01",
        "expires: until 20",
        "-> 8h from now",
        "(4 that change something)",
        "Done: 2 updated.",
    ]);
    let log = env.cloud().call_log().split_off(before);
    let set = log.iter().filter(|call| call["operation"] == "Ecs.ModifyInstanceAutoReleaseTime").count();
    assert_eq!(set, 2);
    assert!(planned(&env).is_empty(), "{:?}", planned(&env));
    write(&env, "never");
    env.local("apply").expect_code(0);
    assert_eq!((release(&env, "ecs01"), release(&env, "ecs02")), (None, None));
    assert!(planned(&env).is_empty(), "{:?}", planned(&env));
}

#[test]
fn what_has_gone_by_itself_is_told_and_made_again() {
    let env = TestEnv::with_control_plane();
    write(&env, "30m");
    env.local("apply").expect_code(0);
    let old = env.cloud().instance("ecs01")["id"].clone();
    env.cloud().pass_time(31 * 60 + 60);
    let is_there = |name: &str| {
        let world = env.cloud().world();
        let all = world["instances"].as_object().expect("instances");
        all.values().any(|one| one["name"] == name)
    };
    wait_for("they are gone", || (!is_there("ecs01") && !is_there("ecs02")).then_some(()));
    assert!(is_there("ecs03"), "it was to stay");
    env.local("plan").expect_code(0).expect_in_order(&[
        "Changed outside of Albatross:",
        "- instance.ecs01",
        "is gone",
        "it is made again",
        "- instance.ecs02",
    ]);
    // The cloud's clock has gone on without ours: a time that is ahead of both.
    write(&env, "8h");
    env.local("apply").expect_code(0);
    assert_ne!(env.cloud().instance("ecs01")["id"], old);
    assert!(planned(&env).is_empty(), "{:?}", planned(&env));
}
