//! Who calls and where to, as a person sets it up: profiles, programs that print keys, and endpoints.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::TestEnv;
use crate::support::cloud::{LocalCloud, ServedCloud};

const PRODUCTS: [&str; 7] = ["alb", "alidns", "cas", "ecs", "r_kvstore", "sts", "vpc"];

/// A folder whose commands find this key in the environment.
fn with_key(cloud: &LocalCloud) -> TestEnv {
    let mut env = TestEnv::new();
    env.set("ALIBABA_CLOUD_ACCESS_KEY_ID", &cloud.access_key_id());
    env.set("ALIBABA_CLOUD_ACCESS_KEY_SECRET", &cloud.access_key_secret());
    env
}

/// The example with these endpoints.
fn write_topology(env: &TestEnv, endpoints: &[(&str, &str)]) {
    let example = fs::read_to_string("examples/chatroom.yaml").expect("the example");
    let lines: Vec<String> = endpoints.iter().map(|(product, url)| format!("  {product}: {url}\n")).collect();
    let section = if lines.is_empty() { String::new() } else { format!("endpoints:\n{}", lines.join("")) };
    env.write("chatroom.yaml", format!("{example}\n{section}"));
}

fn write_profile(env: &TestEnv, profile: &Value) {
    env.write(".aliyun/config.json", json!({"current": "work", "profiles": [profile]}).to_string());
}

#[test]
fn a_program_that_prints_a_key_is_run_without_a_shell() {
    let cloud = ServedCloud::start(&[]);
    let mut env = TestEnv::new();
    env.set("ALBATROSS_ENDPOINT", &cloud.endpoint());
    let key = json!({
        "mode": "AK", "access_key_id": cloud.access_key_id(), "access_key_secret": cloud.access_key_secret(),
    });
    let program = env.file("print key");
    env.write("print key", format!("#!/bin/sh\ntest \"$1\" = '$HOME; exit 1' && echo '{key}'\n"));
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("ours");
    let command = format!("'{}' '$HOME; exit 1'", program.display());
    write_profile(&env, &json!({"name": "work", "mode": "External", "process_command": command}));
    env.run(&["plan", "chatroom.yaml"]).expect_code(0);

    write_profile(
        &env,
        &json!({"name": "work", "mode": "External", "process_command": "false --secret hunter2"}),
    );
    env.run(&["plan", "chatroom.yaml"])
        .expect_code(1)
        .expect_in_order(&[
            "error: no access key was found",
            "profile: ",
            "the program `false` ended with",
            "help: run",
        ])
        .expect_absent("hunter2");
}

#[test]
fn a_place_that_gave_no_key_is_named_when_a_later_one_does() {
    let cloud = ServedCloud::start(&[]);
    let mut env = TestEnv::new();
    env.set("ALBATROSS_ENDPOINT", &cloud.endpoint());
    write_profile(&env, &json!({"name": "work", "mode": "CloudSSO"}));
    let (id, secret) = (cloud.access_key_id(), cloud.access_key_secret());
    env.write(
        ".alibabacloud/credentials",
        format!("[default]\ntype = access_key\naccess_key_id = {id}\naccess_key_secret = {secret}\n"),
    );
    let run = env.run(&["plan", "chatroom.yaml"]).expect_code(0);
    assert!(
        run.stderr.lines().any(|line| {
            line.starts_with(" WARN no access key from profile: profile `work` has mode `CloudSSO`")
        }),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains(&secret));
}

#[test]
fn calls_go_where_the_topology_says_and_the_environment_goes_before_it() {
    let cloud = ServedCloud::start(&[]);
    let mut env = with_key(&cloud);
    let endpoint = cloud.endpoint();
    let nowhere = "http://127.0.0.1:1";
    let everywhere: Vec<(&str, &str)> =
        PRODUCTS.iter().map(|product| (*product, endpoint.as_str())).collect();
    write_topology(&env, &everywhere);
    env.run(&["plan", "chatroom.yaml"]).expect_code(0);

    let mut wrong = everywhere.clone();
    wrong.iter_mut().filter(|(product, _)| *product == "vpc").for_each(|(_, url)| *url = nowhere);
    write_topology(&env, &wrong);
    env.run(&["plan", "chatroom.yaml"])
        .expect_code(1)
        .expect_in_order(&["error: VPC ", "no answer from 127.0.0.1:1"]);
    env.set("ALIBABA_CLOUD_ENDPOINT_VPC", &endpoint);
    env.run(&["plan", "chatroom.yaml"]).expect_code(0);
    env.set("ALIBABA_CLOUD_ENDPOINT_VPC", nowhere);
    env.set("ALBATROSS_ENDPOINT", &endpoint);
    env.run(&["plan", "chatroom.yaml"]).expect_code(0);
    env.set("ALBATROSS_ENDPOINT", nowhere);
    env.run(&["--endpoint", &endpoint, "plan", "chatroom.yaml"]).expect_code(0);
}

#[test]
fn a_variable_that_is_no_address_is_named() {
    let cloud = ServedCloud::start(&[]);
    let mut env = with_key(&cloud);
    env.set("ALIBABA_CLOUD_ENDPOINT_R_KVSTORE", "http://redis.example.com");
    env.run(&["plan", "chatroom.yaml"]).expect_code(64).expect_in_order(&[
        "error: `http://redis.example.com` cannot be an endpoint: plain http is taken on the loopback only",
        "help: give ALIBABA_CLOUD_ENDPOINT_R_KVSTORE such an address",
    ]);
}

#[test]
fn a_state_is_not_used_with_another_cloud_for_one_product() {
    let cloud = ServedCloud::start(&[]);
    let other = ServedCloud::start(&[]);
    let mut env = with_key(&cloud);
    let endpoint = cloud.endpoint();
    let everywhere: Vec<(&str, &str)> =
        PRODUCTS.iter().map(|product| (*product, endpoint.as_str())).collect();
    write_topology(&env, &everywhere);
    cloud.fail_calls("Vpc.CreateVpc", 1..=99, "no_stock");
    env.run(&["apply", "--yes", "chatroom.yaml"]).expect_code(3);
    // The same cloud in other words.
    env.set("ALBATROSS_ENDPOINT", &endpoint);
    env.run(&["plan", "chatroom.yaml"]).expect_code(0);
    env.set("ALBATROSS_ENDPOINT", "");
    env.set("ALIBABA_CLOUD_ENDPOINT_ECS", &other.endpoint());
    env.run(&["plan", "chatroom.yaml"]).expect_code(1).expect_in_order(&[
        "error: the state in ",
        "belongs to",
        "help: ",
    ]);
}

#[test]
fn what_is_plain_goes_through_no_proxy() {
    let cloud = ServedCloud::start(&[]);
    let mut env = with_key(&cloud);
    env.set("ALBATROSS_ENDPOINT", &cloud.endpoint());
    env.set("http_proxy", "http://127.0.0.1:1");
    env.set("HTTP_PROXY", "http://127.0.0.1:1");
    env.run(&["plan", "chatroom.yaml"]).expect_code(0);
}
