//! Several instances of one kind: where each is, and that another count leaves the others alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::parts::lacks_redis;
use crate::replace::planned;
use crate::support::TestEnv;

const SCALED: &str = include_str!("../../examples/scaled.yaml");

/// The example of a scaled chatroom, with this many nodes.
fn write(env: &TestEnv, nodes: usize) {
    let (from, to) = ("default: 2,", format!("default: {nodes},"));
    assert!(SCALED.contains(from), "the example has no `{from}`");
    env.write("chatroom.yaml", SCALED.replace(from, &to));
}

/// What goes with each of these nodes, behind what is done to it.
fn with_nodes(verb: &str, nodes: impl Iterator<Item = usize>) -> BTreeSet<String> {
    let of_node = |node: usize| {
        ["instance.web", "host_key.web", "security_rule.redis-web", "release.web", "server.web"]
            .map(|kind| format!("{verb} {kind}-{node}"))
    };
    nodes.flat_map(of_node).collect()
}

#[track_caller]
fn expect_plan(env: &TestEnv, expected: &BTreeSet<String>) {
    let found: BTreeSet<String> =
        planned(env).into_iter().map(|(address, verb)| format!("{verb} {address}")).collect();
    assert_eq!(&found, expected);
}

/// The ids of all resources, by address.
fn ids(env: &TestEnv) -> BTreeMap<String, Value> {
    let status = env.run(&["--local", "status", "--json", "chatroom.yaml"]).expect_code(0).json();
    let resources = status["resources"].as_array().expect("a list");
    resources
        .iter()
        .map(|one| (one["address"].as_str().expect("an address").to_owned(), one["id"].clone()))
        .collect()
}

#[test]
fn another_count_makes_and_removes_the_last_ones_and_touches_nothing_else() {
    if lacks_redis("another_count_makes_and_removes_the_last_ones_and_touches_nothing_else") {
        return;
    }
    let env = TestEnv::with_cloud(&["--pace", "instant"]);
    write(&env, 2);
    let outputs = env.local("apply").expect_code(0).stdout;
    let nodes = env.run(&["--local", "outputs", "chatroom.yaml", "nodes"]).expect_code(0).stdout;
    assert_eq!(nodes.trim().split(',').count(), 2, "{nodes}");
    assert!(outputs.ends_with(&format!("\n\nnodes  {nodes}")), "{outputs}");
    let before = ids(&env);
    write(&env, 5);
    expect_plan(&env, &with_nodes("create", 3..=5));
    env.local("apply").expect_code(0);
    let scaled = ids(&env);
    assert!(before.iter().all(|(address, id)| scaled.get(address) == Some(id)), "{before:?}\n{scaled:?}");
    write(&env, 2);
    expect_plan(&env, &with_nodes("delete", 3..=5));
    env.local("apply").expect_code(0);
    assert_eq!(ids(&env), before);
    let plan = env.run(&["--local", "plan", "--detailed-exitcode", "chatroom.yaml"]).expect_code(0);
    plan.expect_in_order(&["No changes: 27 resources as the topology says."]);
}

#[test]
fn the_command_may_say_how_many_there_are() {
    let env = TestEnv::new();
    env.write("scaled.yaml", SCALED);
    for (options, instances) in [
        (&[][..], "4 instances, 2 nodes"),
        (&["--var", "NODES=4"][..], "6 instances, 4 nodes"),
        (&["--set", "instances.web.count=7"][..], "9 instances, 7 nodes"),
    ] {
        let run = env.run(&[&["validate", "scaled.yaml"], options].concat()).expect_code(0);
        run.expect_in_order(&[
            "stack chat-test in cn-hangzhou, ",
            instances,
            "http://test.example.com:5000/",
        ]);
    }
}
