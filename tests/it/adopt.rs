//! What is there is bound to addresses of a topology; nothing in the cloud changes, then or by destroy.

use albatross::cloud::Product;
use albatross::cloud::call::Call;
use serde_json::{Value, json};

use crate::support::TestEnv;
use crate::support::cloud::block_on;

#[track_caller]
fn call(env: &TestEnv, call: &Call) -> Value {
    let client = env.cloud().client("cn-hangzhou");
    block_on(client.call::<Value>(call)).unwrap_or_else(|error| panic!("{}: {error}", call.action))
}

/// Somebody makes a network by hand; its id.
pub(crate) fn network(env: &TestEnv, name: &str) -> String {
    let made = Call::new(Product::Vpc, "CreateVpc")
        .with("RegionId", "cn-hangzhou")
        .with("VpcName", name)
        .with("CidrBlock", "192.168.0.0/16");
    call(env, &made)["VpcId"].as_str().expect("an id").to_owned()
}

fn vswitch(env: &TestEnv, vpc: &str, zone: &str, cidr: &str) -> String {
    let made = Call::new(Product::Vpc, "CreateVSwitch")
        .with("RegionId", "cn-hangzhou")
        .with("VpcId", vpc)
        .with("ZoneId", zone)
        .with("CidrBlock", cidr)
        .with("VSwitchName", "by hand");
    call(env, &made)["VSwitchId"].as_str().expect("an id").to_owned()
}

fn adopt(env: &TestEnv, bindings: &[&str]) -> crate::support::Run {
    env.run(&[&["--local", "adopt", "chatroom.yaml"], bindings].concat())
}

/// Address and id of what was bound.
fn bound(adopted: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    adopted["bound"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (text(&one["address"]), text(&one["id"])))
        .collect()
}

#[test]
fn what_is_there_is_bound_by_id_and_name_and_outlives_the_stack() {
    let env = TestEnv::with_control_plane();
    let vpc = network(&env, "chatroom");
    let a = vswitch(&env, &vpc, "cn-hangzhou-h", "192.168.0.0/24");
    let before = env.cloud().world();
    let given = format!("vswitch.a={a}");
    let adopted = env.run(&["--local", "adopt", "--json", "chatroom.yaml", &given]).expect_code(0).json();
    assert_eq!(bound(&adopted), [("vpc.main".to_owned(), vpc.clone()), ("vswitch.a".to_owned(), a.clone())]);
    let steps = adopted["plan"]["steps"].as_array().expect("a list");
    let action = |address: &str| {
        let step = steps.iter().find(|step| step["address"] == address).expect("a step");
        step["action"].clone()
    };
    assert_eq!(
        [action("vpc.main"), action("vswitch.a"), action("vswitch.b")],
        [json!("keep"), json!("keep"), json!("create")]
    );
    for kind in ["vpcs", "vswitches"] {
        assert_eq!(env.cloud().world()[kind], before[kind], "the cloud was changed");
    }

    env.local("apply").expect_code(0);
    env.run(&["--local", "plan", "--detailed-exitcode", "chatroom.yaml"])
        .expect_code(0)
        .expect_absent("Changed outside");
    assert_eq!(env.cloud().status()["resources_by_kind"]["vpc"], 1);
    env.local("destroy").expect_code(0).expect_in_order(&[
        "adopted, kept: vpc.main",
        "adopted, kept: vswitch.a",
        "0 resources left",
    ]);
    let world = env.cloud().world();
    let left = |kind: &str| world[kind].as_object().expect("by id").keys().cloned().collect::<Vec<String>>();
    assert_eq!((left("vpcs"), left("vswitches")), (vec![vpc], vec![a]));
}

#[test]
fn what_the_stack_lost_with_its_state_is_its_own_again() {
    let env = TestEnv::with_control_plane();
    env.local("apply").expect_code(0);
    std::fs::remove_dir_all(env.state()).expect("a state");
    adopt(&env, &[]).expect_code(0).expect_in_order(&[
        "bound: vpc.main",
        "by its tags",
        "No changes: 22 resources",
    ]);
    env.expect_destroyed_to_nothing();
}

#[test]
fn two_of_one_name_are_listed_and_neither_is_bound() {
    let env = TestEnv::with_control_plane();
    let ids = [network(&env, "chatroom"), network(&env, "chatroom")];
    let said = adopt(&env, &[])
        .expect_code(0)
        .expect_in_order(&["not bound: vpc.main could be", "0 resources bound"]);
    for id in ids {
        assert!(said.stdout.contains(&format!("    vpc.main={id}\n")), "{said:?}");
    }
}

#[test]
fn what_another_stack_has_is_refused() {
    let env = TestEnv::with_control_plane();
    env.local("apply").expect_code(0);
    let status = env.run(&["--local", "status", "--json", "chatroom.yaml"]).json();
    let resources = status["resources"].as_array().expect("a list");
    let instance = resources.iter().find(|one| one["address"] == "instance.ecs01").expect("it is there");
    let id = instance["id"].as_str().expect("an id");
    env.write_changed("other.yaml", &[("stack: chatroom", "stack: other"), ("host: \"@\"", "host: other")]);
    let other = |binding: &str| env.run(&["--local", "adopt", "other.yaml", binding]);
    other(&format!("instance.ecs01={id}"))
        .expect_code(1)
        .expect_in_order(&[&format!("error: {id} belongs to stack chatroom"), "help: "]);
    other("instance.ecs09=i-1")
        .expect_code(1)
        .expect_in_order(&["error: the topology has no instance.ecs09"]);
    other("instance.ecs01=i-none").expect_code(1).expect_in_order(&["error: there is no instance i-none"]);
    other("server.ecs01=x").expect_code(1).expect_in_order(&["error: server.ecs01 is not bound by an id"]);
    other("instance.ecs01").expect_code(64).expect_in_order(&["it is written like instance.ecs01=i-..."]);
    // Its name is that of a machine of ours, which is another stack's.
    env.run(&["--local", "adopt", "other.yaml"]).expect_code(0).expect_in_order(&[
        "not bound: instance.ecs01 could be",
        "of stack chatroom, which keeps it",
        "0 resources bound",
    ]);
    env.run(&["--local", "plan", "--detailed-exitcode", "chatroom.yaml"]).expect_code(0);
}

#[test]
fn what_was_adopted_is_changed_in_place_and_never_replaced() {
    let env = TestEnv::with_control_plane();
    env.local("apply").expect_code(0);
    // What the stack made becomes somebody else's.
    let status = env.run(&["--local", "status", "--json", "chatroom.yaml"]).json();
    let resources = status["resources"].as_array().expect("a list").clone();
    let id = |address: &str| {
        let found = resources.iter().find(|one| one["address"] == address).expect("it is there");
        found["id"].as_str().expect("an id").to_owned()
    };
    for (kind, address) in [("loadbalancer", "load_balancer.main"), ("servergroup", "server_group.main")] {
        let untag = Call::new(Product::Alb, "UnTagResources")
            .with("ResourceType", kind)
            .with_list("ResourceId", [id(address)])
            .with_list("TagKey", ["albatross:stack", "albatross:resource"]);
        call(&env, &untag);
    }
    std::fs::remove_dir_all(env.state()).expect("a state");
    adopt(&env, &[]).expect_code(0).expect_in_order(&[
        "bound: load_balancer.main",
        "by its name",
        "bound: server_group.main",
        "No changes: 22 resources",
    ]);
    env.write_changed("chatroom.yaml", &[("idle_timeout: 60s", "idle_timeout: 90s")]);
    env.local("apply").expect_code(0).expect_in_order(&["~ listener.main", "1 updated"]);
    env.write_changed("chatroom.yaml", &[("  address: internet", "  address: intranet")]);
    let before = env.cloud().world();
    env.local("apply").expect_code(1).expect_in_order(&[
        "error: ",
        " was adopted and is never replaced or deleted",
        "help: ",
    ]);
    assert_eq!(env.cloud().world()["load_balancers"], before["load_balancers"]);
    env.write("chatroom.yaml", crate::support::example());
    env.local("destroy")
        .expect_code(3)
        .expect_in_order(&["stands in the way", "adopted, kept: load_balancer.main"]);
    let world = env.cloud().world();
    for kind in ["load_balancers", "server_groups"] {
        assert_eq!(world[kind].as_object().expect("by id").len(), 1, "{kind}");
    }
}
