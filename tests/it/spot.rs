//! Spot instances: asked for as such, told apart, and refused with a reason while the market asks more.

use serde_json::Value;

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
    let env = TestEnv::with_cloud(&["--hosts", "none", "--pace", "instant"]);
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
    let env = TestEnv::with_cloud(&["--hosts", "none", "--pace", "instant"]);
    write(&env, "{ price_limit: 0.001 }");
    env.local("apply").expect_code(3).expect_in_order(&[
        "InvalidSpotPriceLimit.LowerThanPublicPrice",
        "help: write a higher `price_limit`",
    ]);
    write(&env, "{ price_limit: 9.5 }");
    env.local("apply").expect_code(0);
}
