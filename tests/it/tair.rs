//! A managed Redis in place of the third machine: made, found again, changed, put right, lost and gone.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use albatross::cloud::Product;
use albatross::cloud::call::Call;
use serde_json::Value;

use crate::chatroom::CHECKS;
use crate::parts::lacks_redis;
use crate::replace::planned;
use crate::support::TestEnv;
use crate::support::cloud::block_on;

/// The example, as a stack called like that of the other tests.
pub(crate) fn example() -> String {
    include_str!("../../examples/chatroom-tair.yaml").replace("stack: chatroom-tair", "stack: chatroom")
}

/// A chatroom with a Tair instance, up.
pub(crate) fn with_tair() -> TestEnv {
    let env = TestEnv::with_cloud(&["--pace", "instant"]);
    env.write("chatroom.yaml", example());
    env.local("apply").expect_code(0);
    env
}

#[track_caller]
fn expect_nothing_to_do(env: &TestEnv) {
    let plan = env.run(&["--local", "plan", "--detailed-exitcode", "chatroom.yaml"]).expect_code(0);
    assert!(plan.stdout.contains("No changes: "), "{plan:?}");
}

/// Somebody else calls the product.
#[track_caller]
fn call(env: &TestEnv, call: &Call) -> Value {
    let client = env.cloud().client("cn-hangzhou");
    block_on(client.call::<Value>(call)).unwrap_or_else(|error| panic!("{}: {error}", call.action))
}

fn redis(action: &str) -> Call {
    Call::new(Product::RKvstore, action)
}

/// The instance as the cloud has it.
fn instance(env: &TestEnv) -> Value {
    let all = env.cloud().world()["redis_instances"].clone();
    let all = all.as_object().expect("instances by id");
    assert_eq!(all.len(), 1, "{all:?}");
    all.values().next().expect("one").clone()
}

fn id(env: &TestEnv) -> String {
    instance(env)["id"].as_str().expect("an id").to_owned()
}

/// The environment file of a node on the outer machine.
pub(crate) fn environment(env: &TestEnv, name: &str) -> PathBuf {
    let status = env.run(&["--local", "status", "--json", "chatroom.yaml"]).expect_code(0).json();
    let address = format!("instance.{name}");
    let resources = status["resources"].as_array().expect("a list");
    let found = resources.iter().find(|one| one["address"] == address.as_str()).expect("the machine");
    let id = found["id"].as_str().expect("an id");
    env.file(".albatross/local/data/hosts").join(id).join("etc/albatross/chat-node.env")
}

pub(crate) fn password(env: &TestEnv, name: &str) -> String {
    let text = std::fs::read_to_string(environment(env, name)).expect("the environment");
    let (_, login) = text.split_once("redis://chat_node:").expect("a login with a user");
    login.split_once('@').expect("an address").0.to_owned()
}

#[test]
fn smoke_proves_the_chatroom_with_tair_in_place_of_the_third_machine() {
    if lacks_redis("smoke_proves_the_chatroom_with_tair_in_place_of_the_third_machine") {
        return;
    }
    let env = TestEnv::new();
    env.write("tair.yaml", include_str!("../../examples/chatroom-tair.yaml"));
    let smoke = env
        .run(&["smoke", "--quick", "tair.yaml", "--hosts", "process", "--json", "out.json"])
        .expect_code(0);
    smoke.expect_in_order(&[
        "+ redis_instance.main",
        "+ redis_account.main",
        "No changes: ",
        "13 checks passed, 0 failed, 4 skipped",
        "0 resources left",
    ]);
    let report: Value = serde_json::from_str(&env.read("out.json")).expect("JSON");
    let checks = report["checks"].as_array().expect("a list").iter();
    assert_eq!(checks.map(|check| &check["id"]).collect::<Vec<_>>(), CHECKS);
}

#[test]
fn a_classic_instance_does_as_well() {
    if lacks_redis("a_classic_instance_does_as_well") {
        return;
    }
    let env = TestEnv::new();
    let text =
        example().replace("  tair: ", "  classic: ").replace("tair.rdb.1g", "redis.master.small.default");
    env.write("classic.yaml", text.replace("engine: \"7.0\"", "engine: \"5.0\""));
    let smoke = env.run(&["smoke", "--quick", "classic.yaml"]).expect_code(0);
    smoke.expect_in_order(&["classic redis.master.small.default", "13 checks passed", "0 resources left"]);
}

#[test]
fn it_is_found_again_without_state_and_no_secret_is_written_down() {
    if lacks_redis("it_is_found_again_without_state_and_no_secret_is_written_down") {
        return;
    }
    let env = with_tair();
    expect_nothing_to_do(&env);
    let found = instance(&env);
    assert_eq!((&found["charge_type"], &found["series"]), (&"PostPaid".into(), &"tair_rdb".into()));
    let allowed = found["allow_lists"]["default"]["entries"].as_array().expect("a list").clone();
    assert_eq!(allowed, ["192.168.0.0/24", "192.168.1.0/24"], "the nodes' vSwitches and nobody else");
    let secret = password(&env, "ecs01");
    assert_eq!(secret, password(&env, "ecs02"));
    let mode = std::fs::metadata(environment(&env, "ecs01")).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let state = env.state();
    let journal = std::fs::read_to_string(state.join("journal")).expect("the journal");
    assert!(journal.contains("CreateAccount") && !journal.contains(&secret));
    let kept = std::fs::read_dir(state.join("secrets")).into_iter().flatten().count();
    assert_eq!(kept, 0, "the outcome of the call is known");
    let told = env.run(&["--local", "status", "--json", "chatroom.yaml"]).expect_code(0);
    assert!(!told.stdout.contains(&secret));

    std::fs::remove_dir_all(&state).expect("removable");
    expect_nothing_to_do(&env);
    env.expect_destroyed_to_nothing();
}

#[test]
fn what_others_change_of_it_is_shown_and_brought_back() {
    if lacks_redis("what_others_change_of_it_is_shown_and_brought_back") {
        return;
    }
    let env = with_tair();
    let id = id(&env);
    call(&env, &redis("ModifySecurityIps").with("InstanceId", &id).with("SecurityIps", "0.0.0.0/0"));
    let config = r#"{"maxmemory-policy":"allkeys-lru"}"#;
    call(&env, &redis("ModifyInstanceConfig").with("InstanceId", &id).with("Config", config));
    let rename = redis("ModifyInstanceAttribute").with("InstanceId", &id).with("InstanceName", "mine");
    call(&env, &rename);
    // A list of somebody else's own stays.
    let own = redis("ModifySecurityIps").with("InstanceId", &id).with("SecurityIps", "10.9.9.9");
    call(&env, &own.with("SecurityIpGroupName", "office"));

    let plan = env.local("plan").expect_code(0);
    plan.expect_in_order(&[
        "~ redis_instance.main",
        "allow_list: 192.168.0.0/24,192.168.1.0/24 -> 0.0.0.0/0",
        "eviction: noeviction -> allkeys-lru",
        "name: chatroom-redis-instance-main -> mine",
    ]);
    let apply = env.local("apply").expect_code(0);
    apply.expect_in_order(&["1 updated"]);
    let found = instance(&env);
    assert_eq!(
        (&found["eviction"], &found["name"]),
        (&"noeviction".into(), &"chatroom-redis-instance-main".into())
    );
    let lists = found["allow_lists"].as_object().expect("lists");
    assert_eq!(
        lists.keys().collect::<BTreeSet<_>>(),
        BTreeSet::from([&"default".to_owned(), &"office".to_owned()])
    );
    expect_nothing_to_do(&env);
}

#[test]
fn a_password_that_no_node_has_any_more_is_replaced_by_another() {
    if lacks_redis("a_password_that_no_node_has_any_more_is_replaced_by_another") {
        return;
    }
    let env = with_tair();
    let lost = password(&env, "ecs01");
    for name in ["ecs01", "ecs02"] {
        let file = environment(&env, name);
        let text = std::fs::read_to_string(&file).expect("the environment");
        std::fs::write(&file, text.replace(&lost, "Nonsense1")).expect("writable");
    }
    let plan = env.local("plan").expect_code(0);
    plan.expect_in_order(&["~ redis_account.main", "password: lost -> on the nodes", "~ release.ecs01"]);
    env.local("apply").expect_code(0);
    let fresh = password(&env, "ecs01");
    assert!(fresh != lost && fresh == password(&env, "ecs02") && fresh.len() == 32, "another password");
    expect_nothing_to_do(&env);
    env.verify().expect_code(0);
}

/// One node has it: nothing is lost, and the other gets it from there.
#[test]
fn a_node_without_it_gets_the_password_of_the_other() {
    if lacks_redis("a_node_without_it_gets_the_password_of_the_other") {
        return;
    }
    let env = with_tair();
    let kept = password(&env, "ecs01");
    let file = environment(&env, "ecs02");
    let text = std::fs::read_to_string(&file).expect("the environment");
    std::fs::write(&file, text.replace(&kept, "Nonsense1")).expect("writable");
    assert_eq!(planned(&env).into_keys().collect::<Vec<_>>(), ["release.ecs02"]);
    env.local("apply").expect_code(0);
    assert_eq!(password(&env, "ecs02"), kept);
    expect_nothing_to_do(&env);
}

#[test]
fn a_command_that_was_killed_behind_the_account_is_gone_on_with() {
    if lacks_redis("a_command_that_was_killed_behind_the_account_is_gone_on_with") {
        return;
    }
    let env = TestEnv::with_cloud(&["--pace", "instant"]);
    env.write("chatroom.yaml", example());
    env.kill_local_at("ok redis_account.main", "apply");
    env.local("apply").expect_code(0);
    expect_nothing_to_do(&env);
    assert_eq!(instance(&env)["accounts"].as_object().expect("accounts").len(), 1);
    env.verify().expect_code(0);
}

/// The answers get lost, and the calls are made once all the same.
#[test]
fn lost_answers_make_nothing_twice() {
    if lacks_redis("lost_answers_make_nothing_twice") {
        return;
    }
    let env = TestEnv::with_cloud(&["--pace", "instant"]);
    env.write("chatroom.yaml", example());
    let calls = ["R-kvstore.CreateTairInstance", "R-kvstore.CreateAccount", "R-kvstore.ModifySecurityIps"];
    env.cloud().fail_first(&calls, "lost_reply");
    env.local("apply").expect_code(0);
    assert_eq!(instance(&env)["accounts"].as_object().expect("accounts").len(), 1);
    expect_nothing_to_do(&env);
    env.expect_destroyed_to_nothing();
}

/// The nodes move to the new one, one after another; then the old one goes.
#[test]
fn another_version_is_another_instance_and_the_nodes_move_to_it() {
    if lacks_redis("another_version_is_another_instance_and_the_nodes_move_to_it") {
        return;
    }
    let env = with_tair();
    let old = id(&env);
    env.write("chatroom.yaml", example().replace("engine: \"7.0\"", "engine: \"6.0\""));
    let plan = env.local("plan").expect_code(0);
    plan.expect_in_order(&[
        "+/- redis_instance.main",
        "engine: 7.0 -> 6.0  # forces replacement: a managed Redis is made with its version",
    ]);
    env.local("apply").expect_code(0);
    assert_ne!(id(&env), old);
    expect_nothing_to_do(&env);
    env.verify().expect_code(0);
    env.expect_destroyed_to_nothing();
}

#[test]
fn a_protected_one_is_neither_deleted_nor_replaced() {
    if lacks_redis("a_protected_one_is_neither_deleted_nor_replaced") {
        return;
    }
    let env = with_tair();
    let protected = example().replace("    vswitch: a ", "    protect: true\n    vswitch: a ");
    env.write("chatroom.yaml", protected.replace("engine: \"7.0\"", "engine: \"6.0\""));
    let refused = env.local("apply");
    assert_ne!(refused.code, Some(0));
    refused.expect_in_order(&["redis_instance.main", "redis.tair.protect"]);
}
