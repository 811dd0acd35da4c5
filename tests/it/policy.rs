//! `albatross policy`: what it allows is what lives of stacks call, and nothing else.

use std::collections::BTreeSet;

use albatross::cloud::{Product, permission};
use albatross::policy::{self, Part};
use albatross::topology;
use serde_json::Value;

use crate::https;
use crate::parts::lacks_redis;
use crate::support::TestEnv;
use crate::tair;

/// The actions that a policy allows.
fn allowed(policy: &Value) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().expect("a list");
    let actions = statements.iter().flat_map(|one| one["Action"].as_array().expect("a list"));
    actions.map(|action| action.as_str().expect("a text").to_owned()).collect()
}

/// The RAM actions of all calls that our program has made.
fn called(env: &TestEnv) -> BTreeSet<String> {
    let is_ours =
        |call: &Value| call["client"]["agent"].as_str().is_some_and(|agent| agent.starts_with("albatross/"));
    let action = |call: &Value| {
        let (product, action) = call["operation"].as_str().expect("a text").split_once('.').expect("both");
        let known = Product::of_name(product).unwrap_or_else(|| panic!("no product {product}"));
        permission::of(known, action)
    };
    env.cloud().call_log().iter().filter(|call| is_ours(call)).map(action).collect()
}

/// A node more, and another setting for all of them.
const GROWTH: [(&str, &str); 2] = [
    (
        "  ecs02: { vswitch: b, access: public }",
        "  ecs02: { vswitch: b, access: public }\n  ecs04: { vswitch: b, access: public }",
    ),
    ("on: [ecs01, ecs02]", "on: [ecs01, ecs02, ecs04]\n  ping_interval: 8s"),
];

/// Plans, applies, verifies, changes the topology, applies and verifies that, and destroys the stack.
fn lives(env: &TestEnv, changes: &[(&str, &str)]) {
    env.local("plan").expect_code(0);
    env.local("apply").expect_code(0);
    env.local("plan").expect_code(0);
    env.verify().expect_code(0);
    let text = env.read("chatroom.yaml");
    let other = changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "the topology has no `{from}`");
        text.replacen(from, to, 1)
    });
    env.write("chatroom.yaml", other);
    env.local("apply").expect_code(0);
    env.verify().expect_code(0);
    env.local("destroy").expect_code(0);
}

#[track_caller]
fn expect_the_policy_of_a_life(env: &TestEnv, changes: &[(&str, &str)]) {
    let policy = env.run(&["policy", "chatroom.yaml"]).expect_code(0).json();
    lives(env, changes);
    let (allowed, called) = (allowed(&policy), called(env));
    let unused: Vec<_> = allowed.difference(&called).collect();
    let missing: Vec<_> = called.difference(&allowed).collect();
    assert!(unused.is_empty() && missing.is_empty(), "allowed in vain: {unused:?}; missing: {missing:?}");
}

#[test]
fn a_chatroom_needs_what_its_life_calls() {
    if lacks_redis("a_chatroom_needs_what_its_life_calls") {
        return;
    }
    expect_the_policy_of_a_life(&TestEnv::with_cloud(&["--pace", "instant"]), &GROWTH);
}

#[test]
fn certificates_and_redirects_need_more() {
    if lacks_redis("certificates_and_redirects_need_more") {
        return;
    }
    let env = TestEnv::with_cloud(&["--pace", "instant"]);
    https::write_secure(&env, &[]);
    expect_the_policy_of_a_life(&env, &[("dns:\n", "node:\n  ping_interval: 8s\n\ndns:\n")]);
}

#[test]
fn a_managed_redis_needs_more() {
    if lacks_redis("a_managed_redis_needs_more") {
        return;
    }
    let env = TestEnv::with_cloud(&["--pace", "instant"]);
    env.write("chatroom.yaml", tair::example());
    expect_the_policy_of_a_life(&env, &GROWTH);
}

#[test]
fn what_is_there_already_is_neither_made_nor_deleted() {
    let env = TestEnv::new();
    let existing = "network:\n  vpc: { id: vpc-1 }";
    env.write_changed("chatroom.yaml", &[("network:\n  vpc: { cidr: 192.168.0.0/16 }", existing)]);
    let policy = env.run(&["policy", "chatroom.yaml"]).expect_code(0).json();
    let vpc =
        allowed(&policy).into_iter().filter(|action| action.starts_with("vpc:") && action.contains("Vpc"));
    assert_eq!(vpc.collect::<Vec<_>>(), ["vpc:DescribeVpcs"]);
}

#[test]
fn all_parts_of_all_topologies_together_are_the_policy_for_everything() {
    let read = |name: &str| std::fs::read_to_string(format!("examples/{name}")).expect("it is there");
    let classic = read("chatroom-tair.yaml")
        .replace("tair:  ", "classic:")
        .replace("tair.rdb.1g", "redis.master.small.default")
        .replace("\"7.0\"", "\"5.0\"");
    let shared = read("chatroom-https.yaml").replace("region:", "state: oss://my-team/albatross\nregion:");
    let texts = [shared, read("chatroom-tair.yaml"), classic];
    let together = texts.iter().flat_map(|text| {
        let topology = topology::load(text.as_bytes()).unwrap_or_else(|problems| panic!("{problems:?}"));
        allowed(&policy::document(&topology, &Part::ALL))
    });
    let whole: Value = serde_json::from_str(&read("ram-policy.json")).expect("a policy");
    assert_eq!(together.collect::<BTreeSet<_>>(), allowed(&whole));
}

/// Who takes the policy as it is lets nobody into a bucket: there is none of that name, nor can there be.
#[test]
fn a_shared_state_is_allowed_as_the_topology_says_and_nowhere_else() {
    let of_buckets = |policy: &Value| {
        let statements = policy["Statement"].as_array().expect("a list").iter();
        let is_of_bucket = |one: &&Value| one["Action"][0].as_str().expect("a text").starts_with("oss:");
        statements.filter(is_of_bucket).map(Value::to_string).collect::<Vec<_>>()
    };
    let env = TestEnv::new();
    env.write_changed("chatroom.yaml", &[("region:", "state: oss://my-team/albatross\nregion:")]);
    let printed = of_buckets(&env.run(&["policy", "chatroom.yaml"]).expect_code(0).json());
    let whole = std::fs::read_to_string("examples/ram-policy.json").expect("it is there");
    let whole: Value = serde_json::from_str(&whole).expect("a policy");
    let filled_in = of_buckets(&whole)
        .iter()
        .map(|one| one.replace("YOUR-BUCKET", "my-team").replace("YOUR-PREFIX", "albatross"))
        .collect::<Vec<_>>();
    assert_eq!((printed.len(), &printed), (2, &filled_in));
}

#[test]
fn what_is_to_be_allowed_beside_it_is_named() {
    let env = TestEnv::new();
    let count = |also: &[&str]| {
        allowed(&env.run(&[&["policy", "chatroom.yaml"], also].concat()).expect_code(0).json()).len()
    };
    let least = count(&[]);
    assert!(count(&["--also", "cost"]) == least + 1);
    assert!(count(&["--also", "changes,doctor,role"]) > least + 10);
    env.run(&["policy", "chatroom.yaml", "--also", "all"]).expect_code(64);
}
