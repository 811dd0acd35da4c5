//! Hosts that stop answering in the middle of an apply, ways of several hops, and what units say.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::mpsc::channel;

use albatross::base::ids::CloudId;
use albatross::cloud::ecs;
use albatross::resource::ownership::HOST_KEY_TAG;
use albatross::ssh::{Identity, KeyKind};
use rustix::process::Signal;
use serde_json::Value;

use crate::parts::lacks_redis;
use crate::support::TestEnv;
use crate::support::cloud::{PATIENCE, block_on};
use crate::support::process::{Running, send};

/// The move that puts a release in force.
const FLIP: &str = "mv -fT /opt/albatross/.current.new /opt/albatross/current";
const APPLY: [&str; 4] = ["--local", "apply", "--yes", "chatroom.yaml"];

/// A chatroom whose nodes are about to get another release: held on ecs01, right before it is put in force.
fn held_in_the_middle() -> (TestEnv, Running, u64) {
    let env = TestEnv::with_chatroom();
    let cloud = env.cloud();
    let is_flip = |key: &String| key.contains(" ecs01 ") && key.ends_with(FLIP);
    let key =
        cloud.effects().into_iter().map(|(key, _)| key).find(is_flip).expect("a release was put in force");
    cloud.count_effects_anew();
    env.write_changed(
        "chatroom.yaml",
        &[("  port: 5000\n\nload", "  port: 5000\n  ping_interval: 9s\n\nload")],
    );
    let gate = cloud.gate_before(&key, 1);
    let apply = env.start(&APPLY);
    assert_eq!(cloud.gate_state(gate), "held");
    (env, apply, gate)
}

/// The same command again finishes what was begun.
#[track_caller]
fn goes_on(env: &TestEnv) {
    env.local("apply").expect_code(0);
    env.expect_empty_plan();
}

#[test]
fn ssh_that_is_cut_in_the_middle_of_an_upload_is_told_and_the_next_apply_goes_on() {
    if lacks_redis("ssh_that_is_cut_in_the_middle_of_an_upload_is_told_and_the_next_apply_goes_on") {
        return;
    }
    let env = TestEnv::with_cloud(&["--pace", "instant"]);
    env.write("cut.yaml", "- host: ecs01\n  fault: {ssh_cut: {after: 1000000}}\n");
    env.run(&["cloud", "fault", "add", "cut.yaml"]).expect_code(0);
    env.local("apply").expect_code(3).expect_in_order(&[
        "error: ecs01: the connection was lost during the upload of /opt/albatross/releases/",
        "/chat-node, after ",
        " s\n",
        "resource: release.ecs01",
        "help: a second `albatross --local apply chatroom.yaml` goes on from here",
    ]);
    env.run(&["cloud", "fault", "lift", "f1"]).expect_code(0);
    goes_on(&env);
}

#[test]
fn a_host_that_freezes_in_the_middle_is_given_up_at_the_deadline_and_the_next_apply_goes_on() {
    if lacks_redis("a_host_that_freezes_in_the_middle_is_given_up_at_the_deadline_and_the_next_apply_goes_on")
    {
        return;
    }
    let (env, apply, gate) = held_in_the_middle();
    env.run(&["cloud", "fault", "freeze", "ecs01"]).expect_code(0);
    env.cloud().open_gate(gate);
    apply.finish().expect_code(3).expect_in_order(&[
        "error: ecs01: `",
        " did not finish within 60 s",
        "resource: release.ecs01",
        "help: see whether the host answers at all",
    ]);
    env.run(&["cloud", "fault", "lift", "f1"]).expect_code(0);
    goes_on(&env);
}

#[test]
fn a_host_that_reboots_in_the_middle_is_told_and_the_next_apply_goes_on() {
    if lacks_redis("a_host_that_reboots_in_the_middle_is_told_and_the_next_apply_goes_on") {
        return;
    }
    let (env, apply, gate) = held_in_the_middle();
    env.run(&["cloud", "fault", "reboot", "ecs01"]).expect_code(0);
    apply.finish().expect_code(3).expect_in_order(&[
        "error: ecs01: the connection was lost during `",
        "`, after ",
        "resource: release.ecs01",
        "help: a second `albatross --local apply chatroom.yaml` goes on from here",
    ]);
    env.cloud().open_gate(gate);
    goes_on(&env);
}

/// Pins another key for a host than it has.
pub(crate) fn pin_another_key(env: &TestEnv, host: &str) {
    let (_, other) = Identity::generate(KeyKind::Ed25519, "another").expect("a key");
    let client = env.cloud().client("cn-hangzhou");
    let id = CloudId::new(env.cloud().instance(host)["id"].as_str().expect("an id"));
    let call = ecs::tag_instance(client.region(), &id, &[(HOST_KEY_TAG, other.trim())]);
    let _: Value = block_on(client.call(&call)).expect("the tag is set");
}

#[test]
fn a_way_of_three_hops_is_walked_and_a_wrong_key_stops_at_its_hop() {
    if lacks_redis("a_way_of_three_hops_is_walked_and_a_wrong_key_stops_at_its_hop") {
        return;
    }
    let env = TestEnv::with_cloud(&["--pace", "instant", "--hosts", "process"]);
    let chain = "  ecs02: { vswitch: b, via: ecs01 }\n  ecs03: { vswitch: a, via: ecs04 }\n  ecs04: { vswitch: a, via: ecs02 }";
    let changes =
        [("  ecs02: { vswitch: b, access: public }\n", ""), ("  ecs03: { vswitch: a, via: ecs01 }", chain)];
    env.write_changed("chatroom.yaml", &changes);
    env.local("apply").expect_code(0);
    let login = |host: &str| env.run(&["--local", "ssh", "chatroom.yaml", host, "--", "hostname"]);
    assert_eq!(login("ecs03").expect_code(0).stdout, "ecs03\n");
    env.run(&["--local", "logs", "chatroom.yaml", "ecs03", "--lines", "1"]).expect_code(0);
    // The hop in the middle: those before it are still reached, nothing behind it is.
    pin_another_key(&env, "ecs02");
    assert_eq!(login("ecs01").expect_code(0).stdout, "ecs01\n");
    for behind in ["ecs02", "ecs04", "ecs03"] {
        let refused = login(behind).expect_code(1);
        assert_eq!(refused.stdout, "");
        refused
            .expect_in_order(&["error: ecs02: the host key has changed: expected SHA256:", "found SHA256:"]);
    }
}

#[test]
fn logs_show_what_the_units_of_one_or_all_hosts_said() {
    if lacks_redis("logs_show_what_the_units_of_one_or_all_hosts_said") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let all = env.run(&["--local", "logs", "chatroom.yaml"]).expect_code(0);
    for line in all.stdout.lines() {
        assert!(["ecs01 | ", "ecs02 | ", "ecs03 | "].iter().any(|host| line.starts_with(host)), "{line}");
    }
    all.expect_in_order(&["ecs01 | ", "chat-node", "ecs02 | ", "chat-node", "ecs03 | ", "albatross-redis"]);
    let one = env.run(&["--local", "logs", "chatroom.yaml", "ecs03", "--lines", "2"]).expect_code(0);
    assert_eq!(one.stdout.lines().count(), 2, "{one:?}");
    assert!(!one.stdout.contains(" | "), "{one:?}");
    env.run(&["--local", "logs", "chatroom.yaml", "ecs07"])
        .expect_code(64)
        .expect_in_order(&["the topology has no host `ecs07`", "help: name one of ecs01, ecs02, ecs03"]);
}

#[test]
fn logs_follow_all_hosts_until_ctrl_c() {
    if lacks_redis("logs_follow_all_hosts_until_ctrl_c") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let mut command = env.command(&["--local", "logs", "chatroom.yaml", "--follow", "--lines", "1"]);
    let mut follows = command.stdout(Stdio::piped()).spawn().expect("the program starts");
    let (sender, lines) = channel();
    let output = BufReader::new(follows.stdout.take().expect("a pipe"));
    std::thread::spawn(move || {
        // Nobody listens any more once the test is over.
        let _ = output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line));
    });
    let hear = |parts: [&str; 2]| {
        while let Ok(line) = lines.recv_timeout(PATIENCE) {
            if parts.iter().all(|part| line.contains(part)) {
                return;
            }
        }
        panic!("nobody said {parts:?}");
    };
    hear(["ecs02 | ", ""]);
    env.run(&["cloud", "fault", "node-kill", "ecs02"]).expect_code(0);
    hear(["ecs02 | ", "code=killed, status=9/KILL"]);
    send(follows.id(), Signal::INT);
    assert_eq!(follows.wait().expect("it is ours").code(), Some(130));
}
