//! Another release on nodes that people use: who is away when, what becomes of one that is no good, the way back, and
//! the operator's own commands around it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::parts::lacks_redis;
use crate::support::{Run, TestEnv, program};

/// Longer than the timer of a host takes with the shortest deadline.
pub(crate) const TIMER: Duration = Duration::from_mins(2);

/// The same node as another release: what is behind the end of a program is not read.
pub(crate) fn write_another_node(env: &TestEnv, name: &str) {
    let mut binary = fs::read(program("chat-node")).expect("it is built");
    binary.extend(name.as_bytes());
    env.write(name, binary);
    fs::set_permissions(env.file(name), fs::Permissions::from_mode(0o755)).expect("its mode set");
}

/// A program of this machine that ends at once and is no node.
fn write_no_node(env: &TestEnv, name: &str) {
    fs::copy("/bin/false", env.file(name)).expect("a program of this machine");
}

pub(crate) fn deploy(env: &TestEnv, node: &str) -> Run {
    env.run(&["--local", "--chat-node", node, "deploy", "--yes", "chatroom.yaml"])
}

/// Which servers went and came, in the order of the calls since then: `-ecs01`, `+ecs01`.
fn comings_and_goings(env: &TestEnv, since: usize) -> Vec<String> {
    let world = env.cloud().world();
    let name = |id: &str| world["instances"][id]["name"].as_str().unwrap_or(id).to_owned();
    let log = env.cloud().call_log();
    let changes = log[since..].iter().filter_map(|call| {
        let sign = match call["operation"].as_str()?.split('.').nth(1)? {
            "RemoveServersFromServerGroup" => "-",
            "AddServersToServerGroup" => "+",
            _ => return None,
        };
        Some(format!("{sign}{}", name(call["parameters"]["Servers.1.ServerId"].as_str()?)))
    });
    changes.collect()
}

/// The root of a host's files.
fn root(env: &TestEnv, host: &str) -> PathBuf {
    let world = env.cloud().world();
    let instances = world["instances"].as_object().expect("instances");
    let (id, _) = instances.iter().find(|(_, one)| one["name"] == host).expect("the host");
    env.file(".albatross/local/data/hosts").join(id)
}

/// The release that a link of a host leads to.
fn leads_to(env: &TestEnv, host: &str, link: &str) -> Option<String> {
    let target = fs::read_link(root(env, host).join("opt/albatross").join(link)).ok()?;
    Some(target.file_name()?.to_str()?.to_owned())
}

fn releases(env: &TestEnv) -> Value {
    env.run(&["--local", "releases", "--json", "chatroom.yaml"]).expect_code(0).json()
}

/// The release of a host that stands so.
fn standing(releases: &Value, host: &str, word: &str) -> Option<String> {
    let hosts = releases["hosts"].as_array().expect("hosts");
    let host = hosts.iter().find(|one| one["host"] == host).expect("the host");
    let kept = host["releases"].as_array().expect("releases");
    let found = kept.iter().find(|one| one["standing"] == word)?;
    Some(found["release"].as_str().expect("a name").to_owned())
}

#[test]
fn a_node_is_out_of_the_group_while_its_release_is_changed_and_the_other_is_not() {
    if lacks_redis("a_node_is_out_of_the_group_while_its_release_is_changed_and_the_other_is_not") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let since = env.cloud().call_log().len();
    env.write_changed("chatroom.yaml", &[("  port: 5000\n\n", "  port: 5000\n  ping_timeout: 9s\n\n")]);
    env.local("deploy").expect_code(0).expect_in_order(&["release.ecs01", "leaves the group", "goes back"]);
    assert_eq!(comings_and_goings(&env, since), ["-ecs01", "+ecs01", "-ecs02", "+ecs02"]);
    env.expect_exactly_the_chatroom();
    // Nothing of what was laid aside stays, and no timer counts.
    assert!(!root(&env, "ecs01").join("opt/albatross/before").exists());
}

#[test]
fn a_release_that_is_no_good_is_put_back_and_the_others_stay() {
    if lacks_redis("a_release_that_is_no_good_is_put_back_and_the_others_stay") {
        return;
    }
    let env = TestEnv::with_chatroom();
    write_no_node(&env, "no-node");
    let good = leads_to(&env, "ecs01", "current").expect("a release");
    let since = env.cloud().call_log().len();
    deploy(&env, "no-node").expect_code(6).expect_in_order(&[
        "not begun",
        "ecs01: release ",
        "did not become ready: the process ended with status 1",
        &format!("rolled back to {good}, which is ready"),
        "chat-node.service",
        "help: on ecs01: `journalctl -u chat-node.service",
    ]);
    assert_eq!(comings_and_goings(&env, since), ["-ecs01", "+ecs01"]);
    for host in ["ecs01", "ecs02"] {
        assert_eq!(leads_to(&env, host, "ready"), Some(good.clone()), "{host}");
    }
    env.expect_exactly_the_chatroom();
}

#[test]
fn without_auto_revert_a_release_that_is_no_good_stays_to_be_looked_at() {
    if lacks_redis("without_auto_revert_a_release_that_is_no_good_stays_to_be_looked_at") {
        return;
    }
    let env = TestEnv::with_chatroom();
    write_no_node(&env, "no-node");
    let good = leads_to(&env, "ecs01", "current").expect("a release");
    let off = "min_healthy_time: 0s, auto_revert: false";
    env.write_changed("chatroom.yaml", &[("min_healthy_time: 0s", off)]);
    let said = format!("it stays in force instead of {good}, since `auto_revert` is off");
    deploy(&env, "no-node").expect_code(3).expect_in_order(&[&said]);
    assert_ne!(leads_to(&env, "ecs01", "current"), Some(good.clone()));
    assert_eq!(leads_to(&env, "ecs02", "ready"), Some(good));
    env.local("deploy").expect_code(0);
    env.expect_exactly_the_chatroom();
}

#[test]
fn a_host_puts_the_release_before_back_when_nobody_confirms_the_other_one() {
    if lacks_redis("a_host_puts_the_release_before_back_when_nobody_confirms_the_other_one") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let short = "min_healthy_time: 1s, healthy_deadline: 2s";
    env.write_changed("chatroom.yaml", &[("min_healthy_time: 0s", short)]);
    write_another_node(&env, "other-node");
    let before = leads_to(&env, "ecs01", "current").expect("a release");
    let command = env.start(&["--local", "--chat-node", "other-node", "deploy", "--yes", "chatroom.yaml"]);
    // Behind the flip, and before the second that the release must be ready is over.
    let begun = Instant::now();
    while leads_to(&env, "ecs01", "current").as_ref() == Some(&before) {
        assert!(begun.elapsed() < TIMER, "nothing is put in force");
        std::thread::sleep(Duration::from_millis(5));
    }
    command.kill();
    assert_eq!(leads_to(&env, "ecs01", "ready"), None, "it was confirmed before the command died");
    let begun = Instant::now();
    while leads_to(&env, "ecs01", "ready").as_ref() != Some(&before) {
        assert!(begun.elapsed() < TIMER, "the release before did not come back");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(leads_to(&env, "ecs01", "current"), Some(before.clone()));
    let kept = env.run(&["--local", "releases", "chatroom.yaml"]).expect_code(0);
    kept.expect_in_order(&["ecs01", "in force", &before, "never ready"]);
    // Its server is still out of the group; the same command goes on.
    deploy(&env, "other-node").expect_code(0);
    assert_ne!(leads_to(&env, "ecs01", "ready"), Some(before));
    assert_eq!(env.cloud().status()["resources_by_kind"]["server"], 2);
}

#[test]
fn a_rollout_that_was_killed_is_gone_on_with() {
    if lacks_redis("a_rollout_that_was_killed_is_gone_on_with") {
        return;
    }
    for line in ["its server leaves the group", "ecs01: starting release", "its server goes back into"] {
        let env = TestEnv::with_chatroom();
        env.write_changed("chatroom.yaml", &[("  port: 5000\n\n", "  port: 5000\n  ping_timeout: 9s\n\n")]);
        env.kill_local_at(line, "deploy");
        let since = env.cloud().call_log().len();
        env.local("deploy").expect_code(0);
        env.expect_exactly_the_chatroom();
        // The node that is out of the group is done before the other one goes.
        let order = comings_and_goings(&env, since);
        assert_eq!(order[order.len() - 2..], ["-ecs02", "+ecs02"], "{line}: {order:?}");
        assert!(!root(&env, "ecs01").join("opt/albatross/before").exists(), "{line}");
    }
}

#[test]
fn releases_are_listed_and_the_one_before_comes_back() {
    if lacks_redis("releases_are_listed_and_the_one_before_comes_back") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let first = leads_to(&env, "ecs01", "current").expect("a release");
    write_another_node(&env, "second-node");
    deploy(&env, "second-node").expect_code(0);
    let kept = releases(&env);
    let second = standing(&kept, "ecs01", "in_force").expect("a release");
    assert_eq!(standing(&kept, "ecs01", "before"), Some(first.clone()));
    assert_eq!(standing(&kept, "ecs02", "in_force"), Some(second.clone()), "one name on all hosts");

    let since = env.cloud().call_log().len();
    let back = env.run(&["--local", "rollback", "--yes", "chatroom.yaml"]).expect_code(0);
    back.expect_in_order(&[&format!("release: {second} -> {first}"), "Done: 2 updated"]);
    assert_eq!(comings_and_goings(&env, since), ["-ecs01", "+ecs01", "-ecs02", "+ecs02"]);
    let kept = releases(&env);
    for host in ["ecs01", "ecs02"] {
        assert_eq!(standing(&kept, host, "in_force"), Some(first.clone()), "{host}");
        assert_eq!(standing(&kept, host, "before"), Some(second.clone()), "{host}");
    }
    // The topology's own release is another one, and nobody else has changed anything.
    let plan = env.run(&["--local", "--chat-node", "second-node", "plan", "chatroom.yaml"]).expect_code(0);
    plan.expect_in_order(&[&format!("release: {first} -> {second}"), "2 to update"])
        .expect_absent("Changed outside");

    env.run(&["--local", "rollback", "--yes", "chatroom.yaml", &second]).expect_code(0);
    assert_eq!(standing(&releases(&env), "ecs02", "in_force"), Some(second));
    let unknown = env.run(&["--local", "rollback", "--yes", "chatroom.yaml", "0123456789ab"]).expect_code(1);
    unknown.expect_in_order(&[
        "ecs01 does not keep release 0123456789ab",
        "help: `albatross --local releases chatroom.yaml`",
    ]);
    env.run(&["--local", "rollback", "--yes", "chatroom.yaml", "latest"]).expect_code(64);
}

#[test]
fn the_only_node_is_changed_with_a_gap_and_the_plan_says_so() {
    if lacks_redis("the_only_node_is_changed_with_a_gap_and_the_plan_says_so") {
        return;
    }
    let env = TestEnv::with_cloud(&["--pace", "instant"]);
    let alone = ("on: [ecs01, ecs02]", "on: [ecs01]");
    env.write_changed("chatroom.yaml", &[alone]);
    env.local("apply").expect_code(0);
    let other = ("  port: 5000\n\n", "  port: 5000\n  ping_timeout: 9s\n\n");
    env.write_changed("chatroom.yaml", &[alone, other]);
    let note = "note: release.ecs01 is on the only node: clients wait while it is restarted";
    env.local("plan").expect_code(0).expect_in_order(&[note]);
    let since = env.cloud().call_log().len();
    env.local("deploy").expect_code(0);
    assert_eq!(comings_and_goings(&env, since), [] as [&str; 0]);
    env.local("plan").expect_code(0).expect_in_order(&["No changes"]);
}

/// A cloud without machines, and the chatroom with these hooks.
fn with_hooks(hooks: &str) -> TestEnv {
    let env = TestEnv::with_control_plane();
    let text = env.read("chatroom.yaml");
    env.write("chatroom.yaml", format!("{text}\nhooks:\n{hooks}"));
    env
}

/// A small program of the test, which writes down what it was given.
fn write_script(env: &TestEnv, name: &str, lines: &str) {
    env.write(name, format!("#!/bin/sh\n{lines}\n"));
    fs::set_permissions(env.file(name), fs::Permissions::from_mode(0o755)).expect("its mode set");
}

#[test]
fn hooks_run_around_a_command_and_know_the_stack() {
    let env = with_hooks(
        "  before_apply: [[./note, \"a b\"]]\n  after_apply: [[./note], [./note, two]]\n  after_destroy: [[./note]]\n",
    );
    write_script(
        &env,
        "note",
        "echo \"$ALBATROSS_HOOK [$1] $ALBATROSS_STACK $ALBATROSS_URL ${ALBATROSS_VPC_MAIN_ID:-none}\" >> noted\necho heard",
    );
    let applied = env.local("apply").expect_code(0);
    assert!(applied.stderr.contains("before_apply 1: ./note 'a b'\nheard\n"), "{}", applied.stderr);
    assert!(!applied.stdout.contains("heard"), "results are what goes to standard output");
    let noted = env.read("noted");
    let lines: Vec<&str> = noted.lines().collect();
    assert_eq!(lines[0], "before_apply [a b] chatroom http://example.com:5000/ none");
    assert!(lines[1].starts_with("after_apply [] chatroom http://example.com:5000/ vpc-"), "{}", lines[1]);
    assert!(lines[2].starts_with("after_apply [two] "), "{}", lines[2]);
    // Nothing is to be done, so there is nothing to do something around.
    env.local("apply").expect_code(0);
    assert_eq!(env.read("noted"), noted);
    env.local("destroy").expect_code(0);
    assert!(env.read("noted").lines().last().is_some_and(|line| line.starts_with("after_destroy [] ")));
}

#[test]
fn a_hook_that_fails_stops_before_the_change_and_is_named() {
    let env = with_hooks("  before_apply: [[./good], [./bad, x], [./good]]\n  after_apply: [[./bad]]\n");
    write_script(&env, "good", "echo good >> noted");
    write_script(&env, "bad", "exit 7");
    env.local("apply").expect_code(1).expect_in_order(&[
        "error: command 2 of `before_apply`, `./bad x`, ended with status 7; nothing was changed",
        "help: mend it, or add --skip-hooks",
    ]);
    assert_eq!(env.read("noted"), "good\n", "the ones behind it are not run");
    assert_eq!(env.cloud().resources(), 0);
    env.run(&["--local", "apply", "--yes", "--skip-hooks", "chatroom.yaml"]).expect_code(0);
    // What comes behind the change fails when all else was done.
    env.write("chatroom.yaml", env.read("chatroom.yaml").replace("[./bad, x]", "[./good]"));
    env.write("chatroom.yaml", env.read("chatroom.yaml").replace("idle_timeout: 60s", "idle_timeout: 50s"));
    env.local("apply")
        .expect_code(3)
        .expect_in_order(&["`after_apply`, `./bad`, ended with status 7; all else"]);
    env.local("plan").expect_code(0).expect_in_order(&["No changes"]);
    fs::remove_file(env.file("good")).expect("it is there");
    env.write("chatroom.yaml", env.read("chatroom.yaml").replace("idle_timeout: 50s", "idle_timeout: 40s"));
    env.local("apply").expect_code(1).expect_in_order(&["`./good`, cannot be started: "]);
}

#[test]
fn a_hook_that_takes_too_long_is_ended_with_all_it_started() {
    let env = with_hooks("  before_apply: [[./slow]]\n  timeout: 1s\n");
    write_script(&env, "slow", "sleep 600 &\necho $! > child\nwait");
    env.local("apply")
        .expect_code(1)
        .expect_in_order(&["`./slow`, was not done after 1s; nothing was changed"]);
    let child = env.read("child");
    let status = PathBuf::from(format!("/proc/{}/stat", child.trim()));
    let begun = Instant::now();
    // One that has ended may wait for somebody to ask how.
    while fs::read_to_string(&status).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(begun.elapsed() < TIMER, "what the hook started goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
}
