//! What one sees of a local cloud's hosts and does to them: faults, logs, and logging in along the verified way.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use albatross::base::ids::CloudId;
use albatross::cloud::ecs;
use albatross::resource::ownership::HOST_KEY_TAG;
use albatross::ssh::{Identity, KeyKind};
use serde_json::{Value, json};

use crate::parts::lacks_redis;
use crate::support::TestEnv;
use crate::support::cloud::{PATIENCE, block_on, wait_for};

/// How a load balancer finds the server of a host.
fn health(env: &TestEnv, host: &str) -> Value {
    let region = env.cloud().region();
    let id = region["hosts"].as_array().expect("a list").iter().find(|one| one["name"] == host);
    let id = id.expect("the host is there")["id"].clone();
    let servers = region["balancers"][0]["servers"].as_array().expect("a list").clone();
    servers.into_iter().find(|one| one["host"] == id).expect("it is a server")["health"].clone()
}

fn is_ill(health: &Value) -> bool {
    health.get("unhealthy").is_some()
}

#[test]
fn faults_begin_are_listed_and_are_lifted() {
    if lacks_redis("faults_begin_are_listed_and_are_lifted") {
        return;
    }
    let env = TestEnv::with_chatroom();
    env.run(&["cloud", "fault", "list"]).expect_code(0).expect_in_order(&["Nothing is wrong on purpose."]);
    env.run(&["cloud", "fault", "node-kill", "ecs01", "--for", "10m"])
        .expect_code(0)
        .expect_in_order(&["f1   node-kill ecs01, in force, 600 s left", "albatross cloud fault lift f1"]);
    wait_for("its server is found ill", || is_ill(&health(&env, "ecs01")).then_some(()));
    assert_eq!(health(&env, "ecs02"), "healthy");
    env.run(&["cloud", "fault", "ssh-slow", "192.168.0.1", "--rate", "2KiB", "--in", "1h"])
        .expect_code(0)
        .expect_in_order(&["f2   ssh-slow 192.168.0.1 2048, begins in 3600 s"]);
    let listed = env.run(&["cloud", "fault", "list", "--json"]).expect_code(0).json();
    assert_eq!(listed.as_array().map(Vec::len), Some(2), "{listed}");
    env.run(&["cloud", "fault", "lift", "f1", "f2"])
        .expect_code(0)
        .expect_in_order(&["f1 is lifted.", "f2 is lifted."]);
    wait_for("it is found well", || (health(&env, "ecs01") == "healthy").then_some(()));
    env.run(&["cloud", "fault", "lift", "f1"]).expect_code(1).expect_in_order(&["no fault is called f1"]);
    env.verify().expect_code(0);
}

#[test]
fn a_fault_of_nobody_and_one_that_cannot_be_had_are_one_clear_error() {
    let env = TestEnv::with_cloud(&["--pace", "instant", "--hosts", "process"]);
    env.run(&["cloud", "fault", "freeze", "ecs01"])
        .expect_code(64)
        .expect_in_order(&["the local cloud has no host `ecs01`", "help: there is no host yet"]);
    env.write("lossy.yaml", "- host: ecs01\n  fault: {network_loss: {}}\n");
    env.run(&["cloud", "fault", "add", "lossy.yaml"])
        .expect_code(1)
        .expect_in_order(&["network_loss cannot be had here: process hosts have no packets of their own"]);
    env.write("wrong.yaml", "- host: ecs01\n  fault: {ssh_slow: {rate: 1}}\n");
    env.run(&["cloud", "fault", "add", "wrong.yaml"])
        .expect_code(1)
        .expect_in_order(&["2:10: `rate` of an ssh_slow is 16 to 1073741824 bytes a second, not 1"]);
    env.write("good.yaml", "- name: example.com\n  fault: {dns_stale: {}}\n  for: 1h\n");
    env.run(&["cloud", "fault", "add", "good.yaml"])
        .expect_code(0)
        .expect_in_order(&["dns-stale example.com, in force, 3600 s left"]);
    env.run(&["cloud", "fault", "freeze", "ecs01", "--for", "soon"])
        .expect_code(64)
        .expect_in_order(&["invalid value 'soon' for '--for <TIME>'", "write 250ms, 10s, 2m or 1h"]);
}

#[test]
fn logs_have_what_units_said_and_follow_them() {
    if lacks_redis("logs_have_what_units_said_and_follow_them") {
        return;
    }
    let env = TestEnv::with_chatroom();
    env.run(&["cloud", "logs", "ecs01"])
        .expect_code(0)
        .expect_in_order(&["Started OpenSSH server.", "Started chat-node.service"]);
    let mut following = env.command(&["cloud", "logs", "ecs01", "--follow"]);
    let mut following = following.stdout(Stdio::piped()).spawn().expect("the program starts");
    let lines = lines_of(following.stdout.take().expect("a pipe"));
    hear(&lines, "Started chat-node.service");
    env.run(&["cloud", "fault", "node-kill", "ecs01"]).expect_code(0);
    hear(&lines, "Main process exited, code=killed, status=9/KILL");
    following.kill().expect("it still follows");
    following.wait().expect("it is ours");
    env.run(&["cloud", "logs", "ecs09"])
        .expect_code(1)
        .expect_in_order(&["the local cloud has no host `ecs09`; it has ecs01, ecs02, ecs03"]);
}

/// The lines of a program's output, as they come.
fn lines_of(output: ChildStdout) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        // Nobody listens any more once the test is over.
        let _ = BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line));
    });
    lines
}

/// Waits for a line that has this part.
#[track_caller]
fn hear(lines: &Receiver<String>, part: &str) {
    while let Ok(line) = lines.recv_timeout(PATIENCE) {
        if line.contains(part) {
            return;
        }
    }
    panic!("nobody said `{part}`");
}

/// Runs `albatross --local ssh chatroom.yaml HOST -- COMMAND` with this input.
fn ssh(env: &TestEnv, arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut command: Command = env.command(&[&["--local", "ssh", "chatroom.yaml"], arguments].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_command_on_a_host_keeps_its_arguments_its_streams_and_its_status() {
    if lacks_redis("a_command_on_a_host_keeps_its_arguments_its_streams_and_its_status") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let (code, out, errors) = ssh(&env, &["ecs01", "--", "hostname"], "");
    assert_eq!((code, out.as_str()), (Some(0), "ecs01\n"), "{errors}");
    // One that is reached through another.
    let (code, out, errors) = ssh(&env, &["ecs03", "--", "echo", "it's", "a  b", "$HOME"], "");
    assert_eq!((code, out.as_str()), (Some(0), "it's a  b $HOME\n"), "{errors}");
    let (code, out, _) = ssh(&env, &["ecs02", "--", "cat"], "typed\n");
    assert_eq!((code, out.as_str()), (Some(0), "typed\n"));
    let (code, out, errors) = ssh(&env, &["ecs01", "--", "systemctl", "is-active", "nothing"], "");
    assert_eq!((code, out.as_str()), (Some(4), "inactive\n"), "{errors}");
    let (code, _, errors) = ssh(&env, &["ecs01", "--", "ls", "/nowhere"], "");
    assert!(code == Some(2) && errors.contains("No such file"), "{code:?} {errors}");
    let (code, _, errors) = ssh(&env, &["ecs07", "--", "true"], "");
    assert!(code == Some(64) && errors.contains("the topology has no host `ecs07`"), "{code:?} {errors}");
    // What is cut on the way is no status of the program.
    env.run(&["cloud", "fault", "ssh-cut", "ecs01", "--after", "0"]).expect_code(0);
    let (code, _, errors) = ssh(&env, &["ecs03", "--", "true"], "");
    assert!(code == Some(1) && errors.contains("ecs01"), "{code:?} {errors}");
}

#[test]
fn a_host_whose_key_is_another_one_is_refused_with_both_fingerprints() {
    if lacks_redis("a_host_whose_key_is_another_one_is_refused_with_both_fingerprints") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let host = env.cloud().instance("ecs01");
    let (_, other) = Identity::generate(KeyKind::Ed25519, "another").expect("a key");
    let client = env.cloud().client("cn-hangzhou");
    let id = CloudId::new(host["id"].as_str().expect("an id"));
    let call = ecs::tag_instance(client.region(), &id, &[(HOST_KEY_TAG, other.trim())]);
    let _: Value = block_on(client.call(&call)).expect("the tag is set");
    // The host itself, and one behind it: no hop is trusted.
    for asked in ["ecs01", "ecs03"] {
        let (code, out, errors) = ssh(&env, &[asked, "--", "hostname"], "");
        assert_eq!((code, out.as_str()), (Some(1), ""), "{errors}");
        assert!(errors.contains("ecs01: the host key has changed: expected SHA256:"), "{errors}");
        assert_eq!(errors.matches("SHA256:").count(), 2, "{errors}");
    }
}

#[test]
fn a_shell_that_a_host_does_not_have_is_refused_by_name() {
    if lacks_redis("a_shell_that_a_host_does_not_have_is_refused_by_name") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let (code, _, errors) = ssh(&env, &["ecs01"], "");
    assert_eq!(code, Some(127), "{errors}");
    assert!(errors.contains("an interactive shell is not understood"), "{errors}");
    assert_eq!(json!(env.cloud().faults()), json!([]));
}
