//! What is there already, chosen by a tag or by its name: exactly one, never changed, never deleted.

use albatross::base::ids::CloudId;
use albatross::cloud::call::Call;
use albatross::cloud::{Product, tagging};
use serde_json::Value;

use crate::support::TestEnv;
use crate::support::cloud::block_on;

/// A cloud in which the chatroom is up; others use what is in it.
fn with_a_network() -> TestEnv {
    let env = TestEnv::with_control_plane();
    env.local("apply").expect_code(0);
    env
}

fn id(env: &TestEnv, address: &str) -> CloudId {
    let told = env.run(&["--local", "outputs", "chatroom.yaml", &format!("{address}.id")]).expect_code(0);
    CloudId::new(told.stdout.trim())
}

fn mark(env: &TestEnv, (tagger, resource_type): (tagging::Tagger, &str), id: &CloudId, tag: (&str, &str)) {
    let client = env.cloud().client("cn-hangzhou");
    let thing = tagging::Tagged { tagger, resource_type, id };
    block_on(client.call::<Value>(&tagging::tag(client.region(), thing, &[tag]))).expect("it is tagged");
}

/// A stack in the network of the chatroom, whose parts are chosen so.
fn guest(vpc: &str, group: &str, balancer: &str) -> String {
    let network = (vpc, "{ name: chatroom-vswitch-a }", "{ name: chatroom-vswitch-b }");
    crate::support::guest(network, group, balancer)
}

#[test]
fn what_is_chosen_is_used_and_stays() {
    let env = with_a_network();
    let ids = ["vpc.main", "vswitch.a", "security_group.main", "load_balancer.main"].map(|one| id(&env, one));
    let [vpc, vswitch, group, balancer] = &ids;
    mark(&env, (tagging::Tagger::Vpc, "VPC"), vpc, ("shared", "network"));
    mark(&env, (tagging::Tagger::Alb, "loadbalancer"), balancer, ("shared", "front"));
    let by_tag = |value: &str| format!("{{ tag: {{ shared: {value} }} }}");
    env.write(
        "guest.yaml",
        guest(&by_tag("network"), "{ name: chatroom-security-group-main }", &by_tag("front")),
    );
    let of_guest = |verb: &str, more: &[&str]| env.run(&[&["--local", verb], more, &["guest.yaml"]].concat());
    let told = [
        format!("network.vpc.id is {vpc} (chatroom-vpc-main), by the tag shared=network"),
        format!("network.vswitches.a.id is {vswitch} (chatroom-vswitch-a), by the name chatroom-vswitch-a"),
        format!("network.security_group.id is {group}"),
        format!("load_balancer.id is {balancer} (chatroom-load-balancer-main), by the tag shared=front"),
    ];
    let plan = of_guest("plan", &[]).expect_code(0);
    for words in &told {
        assert!(plan.stderr.contains(words), "{words} is not in {}", plan.stderr);
    }
    of_guest("apply", &["--yes"]).expect_code(0);
    of_guest("plan", &["--detailed-exitcode"]).expect_code(0);
    of_guest("doctor", &[]);
    let status = of_guest("status", &["--json"]).expect_code(0).json();
    let found =
        status["resources"].as_array().expect("a list").iter().find(|one| one["address"] == "vpc.main");
    let found = found.expect("the VPC");
    assert_eq!((found["id"].as_str(), &found["owner"]), (Some(vpc.as_str()), &"other".into()));
    of_guest("destroy", &["--yes"]).expect_code(0).expect_in_order(&["0 resources left"]);
    // All that it used is as the chatroom has it.
    let left = env.run(&["--local", "plan", "--detailed-exitcode", "chatroom.yaml"]).expect_code(0);
    assert!(left.stdout.contains("No changes"), "{left:?}");
}

#[test]
fn none_and_several_are_refused_with_what_was_found() {
    let env = with_a_network();
    let by_name = |name: &str| format!("{{ name: {name} }}");
    let group = by_name("chatroom-security-group-main");
    let balancer = by_name("chatroom-load-balancer-main");
    env.write("guest.yaml", guest(&by_name("nobody"), &group, &balancer));
    env.run(&["--local", "plan", "guest.yaml"]).expect_code(65).expect_in_order(&[
        "error[existing-match]: no VPC has the name nobody",
        "guest.yaml:4:",
        "there is vpc-",
        "(chatroom-vpc-main)",
        "help: write the id of one",
    ]);
    let client = env.cloud().client("cn-hangzhou");
    let other = Call::new(Product::Vpc, "CreateVpc")
        .with("RegionId", "cn-hangzhou")
        .with("CidrBlock", "10.0.0.0/8")
        .with("VpcName", "chatroom-vpc-main");
    let other = block_on(client.call::<Value>(&other)).expect("it is made");
    env.write("guest.yaml", guest(&by_name("chatroom-vpc-main"), &group, &balancer));
    let said = env.run(&["--local", "apply", "--yes", "guest.yaml"]).expect_code(65);
    let said = said.expect_in_order(&[
        "error[existing-match]: 2 VPCs have the name chatroom-vpc-main",
        "guest.yaml:4:",
        "they are vpc-",
    ]);
    for one in [other["VpcId"].as_str().expect("an id"), id(&env, "vpc.main").as_str()] {
        assert!(said.stderr.contains(one), "{one} is not in {}", said.stderr);
    }
    // Of vSwitches with one name that in the VPC is meant.
    let elsewhere = Call::new(Product::Vpc, "CreateVSwitch")
        .with("RegionId", "cn-hangzhou")
        .with("VpcId", other["VpcId"].as_str().expect("an id"))
        .with("ZoneId", "cn-hangzhou-h")
        .with("CidrBlock", "10.0.0.0/24")
        .with("VSwitchName", "chatroom-vswitch-a");
    block_on(client.call::<Value>(&elsewhere)).expect("it is made");
    env.write("guest.yaml", guest(id(&env, "vpc.main").as_str(), &group, &balancer));
    env.run(&["--local", "plan", "guest.yaml"]).expect_code(0);
}
