//! `albatross cost`: what a topology costs, as the cloud prices it, and what it cannot be asked.

use serde_json::Value;

use crate::support::TestEnv;

fn empty() -> TestEnv {
    TestEnv::with_control_plane()
}

fn costs(env: &TestEnv) -> Value {
    env.run(&["--local", "cost", "--json", "chatroom.yaml"]).expect_code(0).json()
}

/// The price of one resource by the hour.
fn hourly(costs: &Value, address: &str) -> f64 {
    let rows = costs["priced"].as_array().expect("a list");
    let row = rows.iter().find(|row| row["address"] == address);
    row.unwrap_or_else(|| panic!("{address} has no price: {costs:#}"))["hourly"].as_f64().expect("a number")
}

/// What is paid and has no price.
fn unpriced(costs: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let rows = costs["unpriced"].as_array().expect("a list");
    rows.iter().map(|row| (text(&row["address"]), text(&row["why"]))).collect()
}

#[track_caller]
fn same(one: f64, other: f64) {
    assert!((one - other).abs() < 1e-6, "{one} is not {other}");
}

#[test]
fn the_sum_is_that_of_machines_with_their_disks_and_nothing_is_made() {
    let env = empty();
    let small = costs(&env);
    let names = ["instance.ecs01", "instance.ecs02", "instance.ecs03"];
    let total: f64 = names.iter().map(|name| hourly(&small, name)).sum();
    assert!(total > 0.0);
    same(small["sums"][0]["hourly"].as_f64().expect("a number"), total);
    same(small["sums"][0]["monthly"].as_f64().expect("a number"), total * 730.0);
    env.write_changed(
        "chatroom.yaml",
        &[("ecs03: { vswitch: a, via: ecs01 }", "ecs03: { vswitch: a, via: ecs01, disk: 400 }")],
    );
    let large = costs(&env);
    assert!(hourly(&large, "instance.ecs03") > hourly(&small, "instance.ecs03"), "{large:#}");
    same(hourly(&large, "instance.ecs01"), hourly(&small, "instance.ecs01"));
    assert_eq!(env.cloud().resources(), 0, "asking makes nothing");
}

#[test]
fn a_managed_redis_has_a_price_and_a_load_balancer_none() {
    let env = empty();
    let tair = std::fs::read_to_string("examples/chatroom-tair.yaml").expect("the example is there");
    env.write("chatroom.yaml", &tair);
    let costs = costs(&env);
    assert!(hourly(&costs, "redis_instance.main") > 0.0);
    let traffic = "traffic out to the Internet, by the GB";
    let expected = [
        ("load_balancer.main", "by the hour, and by what goes through it (LCU)"),
        ("load_balancer.main", traffic),
        ("instance.ecs01", traffic),
        ("instance.ecs02", traffic),
    ];
    assert_eq!(unpriced(&costs), expected.map(|(address, why)| (address.to_owned(), why.to_owned())));
    let intranet = tair.replacen("address: internet", "address: intranet", 1);
    env.write("chatroom.yaml", intranet);
    assert!(!unpriced(&self::costs(&env)).contains(&("load_balancer.main".to_owned(), traffic.to_owned())));
}

#[test]
fn the_first_type_that_has_a_price_counts_and_none_is_guessed() {
    let env = empty();
    let usual = hourly(&costs(&env), "instance.ecs03");
    let machine = "ecs03: { vswitch: a, via: ecs01";
    let with_types = format!("{machine}, types: [ecs.nosuch.large, ecs.e-c1m2.large]");
    env.write_changed("chatroom.yaml", &[(machine, &with_types)]);
    same(hourly(&costs(&env), "instance.ecs03"), usual);
    let without_price = format!("{machine}, types: [ecs.nosuch.large]");
    env.write_changed("chatroom.yaml", &[(machine, &without_price)]);
    let without = unpriced(&costs(&env));
    let told = ("instance.ecs03".to_owned(), "no price is told of ecs.nosuch.large".to_owned());
    assert!(without.contains(&told), "{without:?}");
}

#[test]
fn a_spot_instance_costs_what_the_market_asks() {
    let env = empty();
    let usual = costs(&env);
    let machine = "ecs03: { vswitch: a, via: ecs01";
    env.write_changed("chatroom.yaml", &[(machine, &format!("{machine}, spot: true"))]);
    let spot = costs(&env);
    assert!(hourly(&spot, "instance.ecs03") < hourly(&usual, "instance.ecs03"), "{spot:#}");
    same(hourly(&spot, "instance.ecs01"), hourly(&usual, "instance.ecs01"));
    env.local("cost")
        .expect_code(0)
        .expect_in_order(&["spot, at the market price of now", "without discounts."]);
}

#[test]
fn what_has_no_price_is_named_before_the_sum() {
    let env = empty();
    let told = env.local("cost").expect_code(0);
    told.expect_in_order(&[
        "Stack chatroom in cn-hangzhou, paid by use",
        "instance.ecs01 ",
        " CNY an hour  ecs.e-c1m2.large, 40 GiB cloud_essd_entry",
        "Paid as well, and no price of it can be asked for:",
        "load_balancer.main  by the hour, and by what goes through it (LCU)",
        "Together ",
        " CNY in a month of 730 hours.",
    ]);
}
