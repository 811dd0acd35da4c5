//! What is replaced, in which order, and that people notice as little of it as the cloud allows.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::parts::lacks_redis;
use crate::support::TestEnv;

/// A chatroom in a cloud without machines.
fn control_plane() -> TestEnv {
    let env = TestEnv::with_cloud(&["--hosts", "none", "--pace", "instant"]);
    env.local("apply").expect_code(0);
    env
}

/// What a plan does, by address: the verb, and for a replacement its sign.
pub(crate) fn planned(env: &TestEnv) -> BTreeMap<String, String> {
    let plan = env.run(&["--local", "plan", "--json", "chatroom.yaml"]).expect_code(0).json();
    let steps = plan["steps"].as_array().expect("steps");
    let changed = steps.iter().filter(|step| step["action"] != "keep");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let verb = |step: &Value| match step["order"].as_str() {
        Some("new_first") => "+/-".to_owned(),
        Some("old_first") => "-/+".to_owned(),
        _ => text(&step["action"]),
    };
    changed.map(|step| (text(&step["address"]), verb(step))).collect()
}

/// What a plan does, as `verb address`.
#[track_caller]
fn expect_plan(env: &TestEnv, expected: &[&str]) {
    let found: Vec<String> =
        planned(env).into_iter().map(|(address, verb)| format!("{verb} {address}")).collect();
    let mut expected: Vec<&str> = expected.to_vec();
    expected.sort_by_key(|line| line.split_once(' ').map(|(_, address)| address.to_owned()));
    assert_eq!(found, expected);
}

/// Number of the line in which the command said that it had done something.
#[track_caller]
fn line_of(said: &str, what: &str) -> usize {
    let at = said.lines().position(|line| line.starts_with(what));
    at.unwrap_or_else(|| panic!("nobody said `{what}` in\n{said}"))
}

/// Each of these was done before the next was.
#[track_caller]
fn expect_done_in_order(said: &str, done: &[&str]) {
    let lines: Vec<usize> = done.iter().map(|what| line_of(said, what)).collect();
    assert!(lines.is_sorted(), "{done:?} at {lines:?} in\n{said}");
}

/// Applies and finds nothing left to do, nothing doubled, nothing orphaned.
#[track_caller]
fn applied(env: &TestEnv) -> String {
    let before = env.cloud().status()["resources_by_kind"].clone();
    let run = env.local("apply").expect_code(0);
    env.run(&["--local", "plan", "--detailed-exitcode", "chatroom.yaml"]).expect_code(0);
    assert_eq!(env.cloud().status()["resources_by_kind"], before);
    run.stderr + &run.stdout
}

#[test]
fn another_type_makes_the_new_machine_first() {
    let env = control_plane();
    env.write_changed(
        "chatroom.yaml",
        &[("ecs02: { vswitch: b", "ecs02: { vswitch: b, types: [ecs.c7.large]")],
    );
    expect_plan(
        &env,
        &["+/- instance.ecs02", "+/- host_key.ecs02", "+/- security_rule.redis-ecs02", "+/- server.ecs02"],
    );
    env.local("plan").expect_in_order(&[
        "+/- instance.ecs02",
        "type: ecs.e-c1m2.large -> ecs.c7.large  # forces replacement: an instance cannot change its type",
    ]);
    let said = applied(&env);
    println!("{said}");
    env.expect_destroyed_to_nothing();
}
