//! Spot instances: asked for as such, told apart, and refused with a reason while the market asks more.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::replace::planned;
use crate::support::{TestEnv, example};

const ORDINARY: &str = "ecs02: { vswitch: b, access: public }";

/// The chatroom with a spot instance for its second node.
fn write(env: &TestEnv, spot: &str) {
    let text = example();
    assert!(text.contains(ORDINARY), "the example has no `{ORDINARY}`");
    env.write(
        "chatroom.yaml",
        text.replace(ORDINARY, &format!("ecs02: {{ vswitch: b, access: public, spot: {spot} }}")),
    );
}

/// Each try to make an instance: its type, its token, and what came of it.
fn tries(env: &TestEnv, name: &str) -> Vec<(String, String, bool)> {
    let log = env.cloud().call_log();
    let made = log
        .iter()
        .filter(|call| call["operation"] == "Ecs.RunInstances" && call["parameters"]["InstanceName"] == name);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = |call: &Value| {
        let parameters = &call["parameters"];
        (text(&parameters["InstanceType"]), text(&parameters["ClientToken"]), call["code"].is_null())
    };
    made.map(one).collect()
}

/// What was asked for when an instance was made, by name, last try first.
fn asked(env: &TestEnv, name: &str) -> (Value, Value) {
    let log = env.cloud().call_log();
    let made = log
        .iter()
        .rev()
        .find(|call| call["operation"] == "Ecs.RunInstances" && call["parameters"]["InstanceName"] == name);
    let parameters = &made.expect("it was made")["parameters"];
    (parameters["SpotStrategy"].clone(), parameters["SpotPriceLimit"].clone())
}

#[test]
fn an_instance_is_made_at_the_market_price_or_up_to_a_limit_and_is_told_apart() {
    let env = TestEnv::with_control_plane();
    write(&env, "true");
    env.local("apply").expect_code(0);
    assert_eq!(asked(&env, "ecs01"), (Value::Null, Value::Null));
    assert_eq!(asked(&env, "ecs02"), ("SpotAsPriceGo".into(), Value::Null));
    assert!(planned(&env).is_empty(), "{:?}", planned(&env));
    write(&env, "{ price_limit: 9.5 }");
    env.local("plan").expect_code(0).expect_in_order(&[
        "+/- instance.ecs02",
        "spot: at the market price -> up to 9.5 an hour",
        "an instance is made as a spot instance, or not",
    ]);
    env.local("apply").expect_code(0);
    assert_eq!(asked(&env, "ecs02"), ("SpotWithPriceLimit".into(), "9.5".into()));
    assert!(planned(&env).is_empty(), "{:?}", planned(&env));
    write(&env, "false");
    assert_eq!(planned(&env).get("instance.ecs02").map(String::as_str), Some("+/-"));
}

#[test]
fn while_the_market_asks_more_the_error_says_so() {
    let env = TestEnv::with_control_plane();
    write(&env, "{ price_limit: 0.001 }");
    env.local("apply").expect_code(3).expect_in_order(&[
        "InvalidSpotPriceLimit.LowerThanPublicPrice",
        "help: write a higher `price_limit`",
    ]);
    write(&env, "{ price_limit: 9.5 }");
    env.local("apply").expect_code(0);
}

#[test]
fn where_the_market_asks_more_for_a_type_the_next_one_is_tried() {
    let env = TestEnv::with_control_plane();
    let types = ["ecs.r7.large", "ecs.t5-lc1m1.small", "ecs.e-c1m1.large"];
    write(&env, &format!("{{ price_limit: 0.1 }}, types: [{}]", types.join(", ")));
    // Of the second nothing is left.
    env.cloud().sell_out(&[json!({"zone": "cn-hangzhou-i", "instance_type": types[1]})]);
    env.local("apply").expect_code(0).expect_in_order(&[
        "instance.ecs02: the market asks more for ecs.r7.large than its limit",
        "instance.ecs02: ecs.t5-lc1m1.small is out of stock",
    ]);
    let tries = tries(&env, "ecs02");
    assert_eq!(tries.iter().map(|(kind, _, _)| kind.as_str()).collect::<Vec<_>>(), types);
    assert_eq!(tries.iter().map(|(_, _, is_made)| *is_made).collect::<Vec<_>>(), [false, false, true]);
    let tokens: BTreeSet<&String> = tries.iter().map(|(_, token, _)| token).collect();
    assert_eq!(tokens.len(), types.len(), "each try has a token of its own: {tries:?}");
    // Whoever reads the journal finds each of them, and what it was answered.
    let journal = std::fs::read_to_string(env.state().join("journal")).expect("a journal");
    let of_it = journal.lines().filter(|line| line.contains("instance.ecs02"));
    let told: Vec<&str> = of_it
        .filter_map(|line| types.iter().copied().chain(["\"refuse\""]).find(|one| line.contains(one)))
        .collect();
    assert_eq!(told[..5], [types[0], "\"refuse\"", types[1], "\"refuse\"", types[2]]);
    env.local("plan").expect_code(0).expect_in_order(&[
        "No changes",
        "note: instance.ecs02 is ecs.e-c1m1.large; ecs.r7.large, the first of its types, was not to be had",
    ]);
    env.local("status").expect_code(0).expect_in_order(&["instance.ecs02", "ecs.e-c1m1.large Running"]);
}
