//! `albatross init`: topologies to begin with, by options and in conversation at a terminal.

use std::io::Write;
use std::process::Stdio;

use crate::support::{Run, TestEnv, terminal};

#[test]
fn each_template_becomes_a_topology_that_is_valid() {
    for template in ["chatroom", "https", "tair", "minimal"] {
        let env = TestEnv::new();
        let place = ["--zones", "cn-hongkong-b,cn-hongkong-c", "--region", "cn-hongkong"];
        let values = ["--stack", "talk", "--allow-from", "198.51.100.7/32", "--domain", "example.org"];
        env.run(&[&["init", "--template", template], &place[..], &values].concat())
            .expect_code(0)
            .expect_in_order(&["Wrote albatross.yaml: stack talk in cn-hongkong", "Next:", "albatross smoke"])
            .expect_absent("before it becomes real");
        env.run(&["validate"]).expect_code(0).expect_in_order(&["albatross.yaml is valid: stack talk"]);
    }
}

#[test]
fn what_is_nobody_s_is_named_and_what_is_there_stays() {
    let env = TestEnv::new();
    env.run(&["init", "--template", "chatroom", "rooms/chat.yaml"]).expect_code(0).expect_in_order(&[
        "Wrote rooms/chat.yaml: stack chatroom",
        "change `ssh.allow_from`, which is 203.0.113.0/24, before it becomes real",
        "change `dns.domain`, which is example.com, before it becomes real",
        "albatross doctor rooms/chat.yaml",
    ]);
    env.write("rooms/chat.yaml", "mine");
    env.run(&["init", "--template", "chatroom", "rooms/chat.yaml"])
        .expect_code(1)
        .expect_in_order(&["`rooms/chat.yaml` is there already, and was left as it is", "help: add --force"]);
    assert_eq!(env.read("rooms/chat.yaml"), "mine");
    env.run(&["init", "--template", "minimal", "--force", "rooms/chat.yaml"]).expect_code(0);
    env.run(&["validate", "rooms/chat.yaml"]).expect_code(0);
}

#[test]
fn bad_values_write_nothing() {
    let env = TestEnv::new();
    env.run(&["init", "--template", "chatroom", "--domain", "no domain"])
        .expect_code(64)
        .expect_in_order(&["no topology comes of this: `no domain` is not a domain", "help: "]);
    let one_zone = ["--region", "cn-hongkong", "--zones", "cn-hongkong-b"];
    env.run(&[&["init", "--template", "chatroom"], &one_zone[..]].concat())
        .expect_code(64)
        .expect_in_order(&["two zones are needed", "help: give --zones anew"]);
    env.run(&["init", "--template", "chatroom", "--ci", "github"]).expect_code(64);
    env.run(&["init"]).expect_code(64).expect_in_order(&["nobody can be asked", "albatross init --template"]);
    assert!(!env.file("albatross.yaml").exists());
}

#[test]
fn at_a_terminal_it_asks_until_the_answers_are_good() {
    let env = TestEnv::new();
    let (mut keyboard, far_end) = terminal::open();
    let mut command = env.command(&["init"]);
    command.stdin(Stdio::from(far_end)).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the program starts");
    // It waits there until it is asked for.
    keyboard.write_all(b"4\ntalk\n\n\nhere\n198.51.100.7/32\nexample.org\n").expect("typed");
    let done = Run::from(child.wait_with_output().expect("it ends")).expect_code(0);
    assert_eq!(done.stderr.matches("Addresses that you log in from").count(), 2, "{done:?}");
    assert!(done.stdout.contains("Wrote albatross.yaml: stack talk in cn-hangzhou"), "{done:?}");
    env.run(&["validate"]).expect_code(0);
}
