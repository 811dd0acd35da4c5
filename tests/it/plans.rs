//! Plans that are saved, applied later or refused, and plans of a part of a stack.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use albatross::base::ids::CloudId;
use albatross::cloud::Product;
use albatross::cloud::call::Call;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::parts::lacks_redis;
use crate::support::cloud::{ServedCloud, block_on, wait_for};
use crate::support::{Run, TestEnv};

const LONGER: (&str, &str) = ("idle_timeout: 60s", "idle_timeout: 90s");

/// The same with the chatroom's control plane up, and a saved plan to change the listener's timeout.
fn with_saved_plan() -> TestEnv {
    let env = TestEnv::with_control_plane();
    env.local("apply").expect_code(0);
    env.write_changed("chatroom.yaml", &[LONGER]);
    save(&env, &[]);
    env
}

/// Plans into `chat.plan`.
#[track_caller]
fn save(env: &TestEnv, options: &[&str]) -> Run {
    let arguments = [&["--local", "plan", "--out", "chat.plan"], options, &["chatroom.yaml"]].concat();
    env.run(&arguments).expect_code(0)
}

/// A verb with options, and `--yes` where it changes something.
fn local(env: &TestEnv, verb: &str, options: &[&str]) -> Run {
    let yes: &[&str] = if verb == "plan" { &[] } else { &["--yes"] };
    env.run(&[&["--local", verb], yes, options, &["chatroom.yaml"]].concat())
}

/// Every call that changed something, or tried to.
fn changes(env: &TestEnv) -> Vec<String> {
    let log = env.cloud().call_log();
    let changing = log.iter().filter(|call| call["effect"] == "change");
    changing.map(|call| call["operation"].as_str().expect("a name").to_owned()).collect()
}

/// A saved plan is refused with these words, and nothing changes.
#[track_caller]
fn refused(env: &TestEnv, arguments: &[&str], words: &[&str]) -> Run {
    let before = changes(env);
    let run = env.run(&[&["apply", "chat.plan"], arguments].concat()).expect_code(1).expect_in_order(words);
    assert_eq!(changes(env), before, "{run:?}");
    run
}

fn state(env: &TestEnv, address: &str) -> Option<Value> {
    let status = env.run(&["--local", "status", "--json", "chatroom.yaml"]).expect_code(0).json();
    status["resources"].as_array().expect("a list").iter().find(|one| one["address"] == address).cloned()
}

fn id(env: &TestEnv, address: &str) -> CloudId {
    let found = state(env, address).unwrap_or_else(|| panic!("no {address}"));
    CloudId::new(found["id"].as_str().expect("an id"))
}

/// Somebody sets the listener's timeout in the console.
fn change_listener_by_hand(env: &TestEnv, idle_timeout: u32) {
    let call = Call::new(Product::Alb, "UpdateListenerAttribute")
        .with("ListenerId", id(env, "listener.main"))
        .with("IdleTimeout", idle_timeout);
    let answer: Value = block_on(env.cloud().client("cn-hangzhou").call(&call)).expect("it is changed");
    assert!(answer.is_object());
    let idle = idle_timeout.to_string();
    let idle = idle.as_str();
    wait_for("the listener is changed", || {
        (state(env, "listener.main")?["fields"]["idle_timeout"].as_str() == Some(idle)).then_some(())
    });
}

/// Writes a saved plan anew, with a checksum that is right.
fn rewrite(env: &TestEnv, from: &str, to: &str) {
    let text = env.read("chat.plan");
    let (_, body) = text.split_once('\n').expect("a first line");
    assert!(body.contains(from), "no `{from}` in {body}");
    let body = body.replacen(from, to, 1);
    env.write("chat.plan", format!("albatross-plan 1 {}\n{body}", hex::encode(Sha256::digest(&body))));
}

#[test]
fn a_saved_plan_does_what_was_shown_and_asks_nothing() {
    let env = with_saved_plan();
    let mode = fs::metadata(env.file("chat.plan")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Neither the topology nor the options are needed any more.
    fs::remove_file(env.file("chatroom.yaml")).expect("it goes");
    env.run(&["apply", "chat.plan"]).expect_code(0).expect_in_order(&[
        "~ listener.main",
        "idle_timeout: 60 -> 90",
        "Plan: 1 to update.",
        "Done: 1 updated.",
        "The chatroom is at http://example.com:5000/",
    ]);
    let before = changes(&env);
    env.run(&["apply", "chat.plan"])
        .expect_code(0)
        .expect_in_order(&["Already applied: nothing of `chat.plan`"]);
    assert_eq!(changes(&env), before);
    env.write_changed("chatroom.yaml", &[LONGER]);
    local(&env, "plan", &["--detailed-exitcode"]).expect_code(0);
}

#[test]
fn a_saved_plan_is_shown_again_without_a_cloud() {
    let env = TestEnv::with_control_plane();
    let planned = save(&env, &[]);
    let json = local(&env, "plan", &["--json"]).expect_code(0).json();
    let calls = env.cloud().call_log().len();
    let shown = env.run(&["plan", "--show", "chat.plan"]).expect_code(0);
    assert!(shown.stdout.ends_with(&planned.stdout), "{shown:?}");
    assert!(shown.stdout.contains("by albatross 0.1.0 from chatroom.yaml"), "{shown:?}");
    let again = env.run(&["plan", "--json", "--show", "chat.plan"]).expect_code(0).json();
    assert_eq!((&again["steps"], &again["summary"]), (&json["steps"], &json["summary"]));
    assert_eq!(again["saved"]["topology"]["path"], "chatroom.yaml");
    env.run(&["plan", "--detailed-exitcode", "--show", "chat.plan"]).expect_code(2);
    assert_eq!(env.cloud().call_log().len(), calls, "it asked the cloud");
}

#[test]
fn a_saved_plan_builds_everything_and_holds_no_secret() {
    if lacks_redis("a_saved_plan_builds_everything_and_holds_no_secret") {
        return;
    }
    let env = TestEnv::with_cloud(&["--pace", "instant"]);
    save(&env, &[]);
    env.run(&["apply", "chat.plan"]).expect_code(0).expect_in_order(&["Done: 25 created."]);
    env.expect_exactly_the_chatroom();

    env.write_changed(
        "chatroom.yaml",
        &[("  on: [ecs01, ecs02]", "  ping_interval: 7s\n  on: [ecs01, ecs02]")],
    );
    save(&env, &[]).expect_in_order(&["~ release.ecs01", "~ release.ecs02"]);
    let text = env.read("chat.plan");
    let key = env.read("config/albatross/id_ecdsa");
    let password = redis_password(&env);
    for secret in [env.cloud().access_key_secret(), key.lines().nth(1).expect("a key").to_owned(), password] {
        assert!(!text.contains(&secret), "a secret is in the plan");
    }
    let looks = |env: &TestEnv| env.cloud().calls()["Alb.GetListenerHealthStatus"].as_u64();
    let before = looks(&env).expect("the listener waited for its servers");
    env.run(&["apply", "chat.plan"]).expect_code(0).expect_in_order(&["Done: 2 updated."]);
    assert!(
        looks(&env) >= Some(before + 2),
        "a node that was restarted gets traffic again before the next one goes"
    );
    env.verify().expect_code(0);
    env.expect_destroyed_to_nothing();
}

/// The password in a node's environment file, somewhere under the folder of the cloud.
pub(crate) fn redis_password(env: &TestEnv) -> String {
    let mut open = vec![env.file(".albatross/local/data")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("readable").path()) {
            if entry.is_dir() && !entry.is_symlink() {
                open.push(entry);
            } else if entry.ends_with("etc/albatross/redis.password") {
                return fs::read_to_string(entry).expect("readable").trim().to_owned();
            }
        }
    }
    panic!("no host has a password")
}

#[test]
fn a_listener_that_was_changed_by_hand_makes_a_saved_plan_out_of_date() {
    let env = with_saved_plan();
    change_listener_by_hand(&env, 75);
    refused(
        &env,
        &[],
        &[
            "Since then this has changed",
            "listener.main",
            "idle_timeout: planned: 60 -> 90; now: 75 -> 90",
            "error: `chat.plan` is out of date",
            "nothing was changed",
            "help: plan again: `albatross --local plan --out chat.plan chatroom.yaml`",
        ],
    );
    save(&env, &[]);
    env.run(&["apply", "chat.plan"]).expect_code(0);
}

#[test]
fn another_apply_in_between_makes_a_saved_plan_out_of_date() {
    let env = with_saved_plan();
    env.write_changed(
        "other.yaml",
        &[("host: \"@\"", "ttl: 900\n  host: \"@\""), ("idle_timeout: 60s", "idle_timeout: 120s")],
    );
    env.run(&["--local", "apply", "--yes", "other.yaml"]).expect_code(0);
    refused(
        &env,
        &[],
        &[
            "listener.main",
            "idle_timeout: planned: 60 -> 90; now: 120 -> 90",
            "record.main",
            "action: planned: keep; now: update",
            "ttl: planned: 600; now: 900 -> 600",
        ],
    );
    // One that did just the same leaves nothing to do.
    env.local("apply").expect_code(0);
    env.run(&["apply", "chat.plan"]).expect_code(0).expect_in_order(&["Already applied"]);
}

#[test]
fn another_binary_of_the_node_makes_a_saved_plan_out_of_date() {
    let env = with_saved_plan();
    let mut binary = fs::read(crate::support::program("chat-node")).expect("it is built");
    binary.push(0);
    env.write("other-node", binary);
    refused(&env, &["--chat-node", "other-node"], &["chat-node", "sha256: planned: ", "; now: "]);
    env.run(&["apply", "chat.plan"]).expect_code(0);
}

#[test]
fn another_version_of_the_program_refuses_a_saved_plan() {
    let env = with_saved_plan();
    rewrite(&env, "\"program\": \"0.1.0\"", "\"program\": \"0.0.9\"");
    refused(&env, &[], &["albatross", "version: planned: 0.0.9; now: 0.1.0", "out of date"]);
}

#[test]
fn a_state_that_was_made_anew_refuses_a_saved_plan() {
    let env = with_saved_plan();
    fs::remove_dir_all(env.state()).expect("it goes");
    refused(&env, &[], &["journal", "lineage: planned: ", "; now: ", "out of date"]);
}

#[test]
fn a_file_that_was_edited_is_refused() {
    let env = with_saved_plan();
    let whole = env.read("chat.plan");
    let damaged: &[&str] = &[
        "error: the saved plan `chat.plan` cannot be used",
        "caused by: it is damaged, or was changed by hand: its checksum is wrong",
        "help: plan again",
    ];
    env.write("chat.plan", whole.replacen("idle_timeout: 90s", "idle_timeout: 9s", 1));
    refused(&env, &[], damaged);
    env.write("chat.plan", &whole[..whole.len() - 20]);
    refused(&env, &[], damaged);
    env.run(&["plan", "--show", "chat.plan"]).expect_code(1).expect_in_order(damaged);
    env.write("chat.plan", whole.replacen(" 1 ", " 2 ", 1));
    refused(
        &env,
        &[],
        &["caused by: it is of format 2, and this program reads format 1", "help: use the version"],
    );
    env.write("chat.plan", &whole);
    rewrite(&env, "\"steps\": [", "\"stops\": [");
    refused(&env, &[], &["caused by: it cannot be read", "missing field `steps`", "help: plan again"]);
    env.write("chat.plan", whole);
    env.run(&["apply", "chat.plan"]).expect_code(0);
}

#[test]
fn a_plan_for_another_cloud_is_refused() {
    let mut env = with_saved_plan();
    let other = ServedCloud::start(&[]);
    env.set("ALIBABA_CLOUD_ACCESS_KEY_ID", &other.access_key_id());
    env.set("ALIBABA_CLOUD_ACCESS_KEY_SECRET", &other.access_key_secret());
    let endpoint = other.endpoint();
    refused(
        &env,
        &["--endpoint", &endpoint],
        &["error: the plan is for account ", &format!("at {endpoint}"), "help: use the account and endpoint"],
    );
    assert_eq!(other.resources(), 0);
}

#[test]
fn a_saved_plan_is_no_topology_and_a_topology_no_saved_plan() {
    let env = with_saved_plan();
    for verb in ["deploy", "destroy", "validate", "plan", "verify"] {
        env.run(&["--local", verb, "chat.plan"]).expect_code(64).expect_in_order(&[
            "error: `chat.plan` is a saved plan, not a topology",
            "help: `albatross plan --show chat.plan` shows it, `albatross apply chat.plan` carries it out",
        ]);
    }
    env.run(&["plan", "--show", "chatroom.yaml"])
        .expect_code(64)
        .expect_in_order(&["error: `chatroom.yaml` is no saved plan", "help: "]);
    env.run(&["apply", "--target", "vpc.main", "chat.plan"])
        .expect_code(64)
        .expect_in_order(&["error: a saved plan says by itself which resources are meant", "help: "]);
    let topology = env.read("chatroom.yaml");
    env.run(&["--local", "plan", "--out", "chatroom.yaml", "chatroom.yaml"])
        .expect_code(64)
        .expect_in_order(&["error: `chatroom.yaml` is there already and is no saved plan", "help: "]);
    assert_eq!(env.read("chatroom.yaml"), topology);
}

#[test]
fn a_saved_removal_removes_what_was_shown() {
    let env = TestEnv::with_control_plane();
    env.local("apply").expect_code(0);
    save(&env, &["--destroy", "--exclude", "vswitch.a"]).expect_in_order(&[
        "- record.main",
        "Left out, so the result may be partial:",
        "- vswitch.a",
        "- vpc.main",
        "Plan: 20 to delete, 2 left out.",
    ]);
    local(&env, "plan", &["--destroy"]).expect_code(0).expect_in_order(&["Plan: 22 to delete."]);
    env.run(&["apply", "chat.plan"])
        .expect_code(0)
        .expect_in_order(&["Done: 20 deleted, 2 left out.", "2 resources kept, 0 left beside them"]);
    env.run(&["apply", "chat.plan"]).expect_code(0).expect_in_order(&["Already applied"]);
    wait_for("all but network and vSwitch is gone", || (env.cloud().resources() == 2).then_some(()));
    env.expect_destroyed_to_nothing();
}

#[test]
fn a_saved_plan_that_was_killed_goes_on() {
    let env = TestEnv::with_cloud(&["--hosts", "none"]);
    save(&env, &[]);
    for line in [".. vswitch.a", ".. load_balancer.main", ".. server.ecs01"] {
        env.kill_at(line, &["apply", "chat.plan"]);
    }
    env.run(&["apply", "chat.plan"]).expect_code(0).expect_in_order(&["Done: "]);
    local(&env, "plan", &["--detailed-exitcode"]).expect_code(0);
    env.run(&["apply", "chat.plan"]).expect_code(0).expect_in_order(&["Already applied"]);
    let kinds = env.cloud().status()["resources_by_kind"].clone();
    let made = ["vpc", "vswitch", "instance", "load_balancer"].map(|kind| kinds[kind].as_u64());
    assert_eq!(made, [Some(1), Some(2), Some(3), Some(1)]);
}

#[test]
fn what_others_do_meanwhile_ends_a_saved_plan_that_was_killed() {
    let env = TestEnv::with_cloud(&["--hosts", "none"]);
    save(&env, &[]);
    env.kill_at(".. load_balancer.main", &["apply", "chat.plan"]);
    // Another command with other wishes: what is there now is not the plan's doing any more.
    env.write_changed("other.yaml", &[("host: \"@\"", "ttl: 900\n  host: \"@\"")]);
    env.run(&["--local", "apply", "--yes", "other.yaml"]).expect_code(0);
    refused(&env, &[], &["vpc.main", "action: planned: create; now: keep", "out of date"]);
}

#[test]
fn a_target_is_made_with_what_it_needs_and_the_rest_is_counted() {
    let env = TestEnv::with_control_plane();
    let whole = local(&env, "plan", &["--json"]).expect_code(0).json();
    local(&env, "plan", &["--target", "instance.ecs01"]).expect_code(0).expect_in_order(&[
        "+ vpc.main",
        "+ instance.ecs01",
        "Left out, so the result may be partial:",
        "+ vswitch.b",
        "+ record.main",
        "Plan: 5 to create, 17 left out.",
    ]);
    let json = local(&env, "plan", &["--target", "instance.ecs01", "--json"]).expect_code(0).json();
    assert_eq!((&json["summary"]["create"], &json["summary"]["left_out"]), (&5.into(), &17.into()));
    assert_eq!(json["left_out"].as_array().map(Vec::len), Some(17));
    local(&env, "apply", &["--target", "instance.ecs01"])
        .expect_code(0)
        .expect_in_order(&["Done: 5 created, 17 left out."]);
    let kinds = env.cloud().status()["resources_by_kind"].clone();
    let made = ["vpc", "vswitch", "instance", "load_balancer"].map(|kind| kinds[kind].as_u64().unwrap_or(0));
    assert_eq!(made, [1, 1, 1, 0]);

    local(
        &env,
        "apply",
        &["--target", "instance.*", "--target", "server_group.main", "--exclude", "instance.ecs03"],
    )
    .expect_code(0)
    .expect_in_order(&["+ instance.ecs02", "+ server_group.main"])
    .expect_absent(".. instance.ecs03");
    local(&env, "apply", &["--exclude", "record.main"]).expect_code(0).expect_in_order(&[
        "Left out, so the result may be partial:",
        "+ record.main",
        "1 left out.",
    ]);
    env.local("apply").expect_code(0).expect_in_order(&["Plan: 1 to create.", "Done: 1 created."]);
    local(&env, "plan", &["--detailed-exitcode"]).expect_code(0);
    assert_eq!(state(&env, "record.main").is_some(), whole["summary"]["create"] == 22);
}

#[test]
fn a_machine_is_removed_with_what_stands_on_it_and_the_rest_serves_on() {
    let env = TestEnv::with_control_plane();
    env.local("apply").expect_code(0);
    local(&env, "destroy", &["--target", "instance.ecs02"]).expect_code(0).expect_in_order(&[
        "- server.ecs02",
        "- instance.ecs02",
        "Plan: 3 to delete, 19 left out.",
        "19 resources kept, 0 left beside them",
    ]);
    assert!(state(&env, "listener.main").is_some() && state(&env, "instance.ecs02").is_none());
    // The plan makes what is missing, and nothing else is touched.
    let listener = id(&env, "listener.main");
    env.local("apply").expect_code(0);
    assert_eq!(id(&env, "listener.main"), listener);
    local(&env, "destroy", &["--exclude", "vswitch.*"])
        .expect_code(0)
        .expect_in_order(&["3 resources kept, 0 left beside them"]);
    assert!(state(&env, "vswitch.b").is_some() && state(&env, "vpc.main").is_some());
    env.expect_destroyed_to_nothing();
}

/// Of the two lists with the load balancer, the one of the network still shows it for two calls after it has gone.
#[test]
fn a_list_that_lags_does_not_make_what_was_removed_an_obstacle() {
    let env = TestEnv::with_control_plane();
    env.local("apply").expect_code(0);
    let cloud = env.cloud();
    let as_it_was = json!({"stale_read": {"milliseconds": 30_000}});
    // The cloud remembers from here on how it was.
    cloud.break_calls([("Alb.ListLoadBalancers", 100)].into_iter(), &as_it_was);
    local(&env, "destroy", &["--target", "load_balancer.main"]).expect_code(0);
    cloud.break_calls([("Alb.ListLoadBalancers", 2), ("Alb.ListLoadBalancers", 4)].into_iter(), &as_it_was);
    local(&env, "destroy", &[])
        .expect_code(0)
        .expect_absent("not ours")
        .expect_in_order(&["0 resources left"]);
}

#[test]
fn an_address_that_no_resource_has_is_refused_with_the_nearest() {
    let env = TestEnv::with_control_plane();
    for verb in ["plan", "apply", "destroy", "deploy"] {
        local(&env, verb, &["--target", "instance.ecs1"]).expect_code(64).expect_in_order(&[
            "error: no resource of this stack is `instance.ecs1`",
            "help: did you mean `instance.ecs01`?",
        ]);
    }
    local(&env, "plan", &["--exclude", "instances.ecs01"])
        .expect_code(64)
        .expect_in_order(&["there is no kind `instances`; did you mean `instance`?"]);
    local(&env, "plan", &["--exclude", "ecs01"])
        .expect_code(64)
        .expect_in_order(&["an address has a kind and a name, as in `instance.ecs01`"]);
    // It is in the topology, and gone: there is nothing to do.
    local(&env, "destroy", &["--target", "instance.ecs01"]).expect_code(0);
    assert_eq!(changes(&env), Vec::<String>::new());
}

#[test]
fn a_selection_is_a_part_of_the_saved_plan() {
    let env = TestEnv::with_control_plane();
    save(&env, &["--target", "key_pair.main", "--target", "vswitch.*"]);
    let again = "--target key_pair.main --target 'vswitch.*' --out chat.plan chatroom.yaml";
    env.run(&["--local", "apply", "--yes", "--target", "key_pair.main", "chatroom.yaml"]).expect_code(0);
    refused(&env, &[], &["key_pair.main", "action: planned: create; now: keep", again]);
    save(&env, &["--target", "vswitch.*"]);
    env.run(&["apply", "chat.plan"]).expect_code(0).expect_in_order(&["Done: 3 created, 18 left out."]);
}

#[test]
fn what_an_earlier_command_began_is_found_whatever_is_selected() {
    let env = TestEnv::with_control_plane();
    env.cloud().withhold_answers(&["Vpc.CreateVpc"]);
    let apply = env.start(&["--local", "apply", "--yes", "chatroom.yaml"]);
    wait_for("the network is made and nobody has heard", || {
        changes(&env).contains(&"Vpc.CreateVpc".to_owned()).then_some(())
    });
    apply.kill();
    local(&env, "apply", &["--target", "vswitch.a"])
        .expect_code(0)
        .expect_in_order(&["Done: 1 created"])
        .expect_in_order(&["going on from an earlier command: 1 step"]);
    env.local("apply").expect_code(0).expect_absent("+ vpc.main");
    assert_eq!(env.cloud().status()["resources_by_kind"]["vpc"], 1);
}

#[test]
fn one_node_is_deployed_at_a_time_when_it_is_asked_for() {
    if lacks_redis("one_node_is_deployed_at_a_time_when_it_is_asked_for") {
        return;
    }
    let env = TestEnv::with_chatroom();
    env.write_changed(
        "chatroom.yaml",
        &[("  on: [ecs01, ecs02]", "  ping_interval: 7s\n  on: [ecs01, ecs02]"), LONGER],
    );
    local(&env, "deploy", &[])
        .expect_code(1)
        .expect_in_order(&["1 resource other than releases would change"]);
    local(&env, "deploy", &["--target", "release.ecs01"]).expect_code(0).expect_in_order(&[
        "~ release.ecs01",
        "~ release.ecs02",
        "~ listener.main",
        "Done: 1 updated, 2 left out.",
    ]);
    local(&env, "plan", &["--detailed-exitcode", "--target", "release.ecs01"]).expect_code(0);
    local(&env, "apply", &[]).expect_code(0).expect_in_order(&["Done: 2 updated."]);
    env.verify().expect_code(0);
}

#[test]
fn a_machine_that_was_removed_alone_comes_back_with_its_node() {
    if lacks_redis("a_machine_that_was_removed_alone_comes_back_with_its_node") {
        return;
    }
    let env = TestEnv::with_chatroom();
    local(&env, "destroy", &["--target", "instance.ecs02"])
        .expect_code(0)
        .expect_in_order(&["Plan: 3 to delete, 19 left out."]);
    local(&env, "apply", &[]).expect_code(0).expect_in_order(&[
        "+ instance.ecs02",
        "+ release.ecs02",
        "Done: ",
    ]);
    env.expect_exactly_the_chatroom();
    env.verify().expect_code(0);
}
