//! FILE need not be given: it is `albatross.yaml` here or in the nearest folder above, and the state is beside it.

use std::fs;

use crate::support::{Run, TestEnv};

/// A folder whose topology has the name that is looked for, and one two below it.
fn named(env: TestEnv) -> TestEnv {
    fs::rename(env.file("chatroom.yaml"), env.file("albatross.yaml")).expect("movable");
    fs::create_dir_all(env.file("rooms/one")).expect("writable");
    env
}

fn run_in(env: &TestEnv, folder: &str, arguments: &[&str]) -> Run {
    let mut command = env.command(arguments);
    Run::from(command.current_dir(env.file(folder)).output().expect("the program starts"))
}

#[test]
fn without_file_it_is_the_topology_here_or_above() {
    let env = named(TestEnv::new());
    let here = run_in(&env, ".", &["validate"]).expect_code(0);
    assert!(here.stdout.starts_with("albatross.yaml is valid"), "{here:?}");
    assert_eq!(here.stderr, "");
    let below = run_in(&env, "rooms/one", &["validate"]).expect_code(0);
    assert!(below.stdout.starts_with("../../albatross.yaml is valid"), "{below:?}");
    assert_eq!(below.stderr, "the topology is ../../albatross.yaml\n");
    env.write("rooms/one/chatroom.yaml", "stack: [");
    run_in(&env, "rooms/one", &["validate", "chatroom.yaml"])
        .expect_code(65)
        .expect_in_order(&["chatroom.yaml"]);
}

#[test]
fn where_there_is_none_it_says_where_it_looked_and_what_to_do() {
    let env = TestEnv::new();
    fs::create_dir(env.file("albatross.yaml")).expect("writable");
    let here = env.folder().canonicalize().expect("a folder");
    let looked = format!("neither `{}` nor a folder above has `albatross.yaml`", here.display());
    for verb in [
        "adopt", "apply", "deploy", "destroy", "doctor", "logs", "plan", "releases", "rollback", "smoke",
        "status", "unlock", "validate", "verify",
    ] {
        env.run(&[verb]).expect_code(64).expect_in_order(&[
            "error: no topology was given, and ",
            &looked,
            "help: give FILE, as in `albatross plan chatroom.yaml`, or call",
        ]);
    }
}

#[test]
fn the_state_is_beside_a_topology_found_above_unless_it_is_named() {
    let env = named(TestEnv::new());
    let lock = "123/cn-hangzhou/chatroom/lock";
    let unlock = |arguments: &[&str]| run_in(&env, "rooms", &[arguments, &["unlock", "--force"]].concat());
    for folder in [".albatross", "rooms/.albatross"] {
        env.write(&format!("{folder}/{lock}"), "somebody's");
    }
    let there = |folder: &str| env.file(folder).join(lock).exists();
    unlock(&[]).expect_code(0).expect_in_order(&["Removed the lock"]);
    assert_eq!([".albatross", "rooms/.albatross"].map(there), [false, true]);
    unlock(&["--state-dir", ".albatross"]).expect_code(0).expect_in_order(&["Removed the lock"]);
    assert!(!there("rooms/.albatross"));
}

#[test]
fn a_command_below_works_on_the_stack_above_and_its_cloud() {
    let env = named(TestEnv::with_control_plane());
    run_in(&env, "rooms/one", &["--local", "apply", "--yes"]).expect_code(0);
    assert!(env.state().join("journal").exists());
    assert!(!env.file("rooms/one/.albatross").exists());
    run_in(&env, ".", &["--local", "plan", "--detailed-exitcode"]).expect_code(0);
}

#[test]
fn a_cloud_that_is_started_from_below_ends_by_the_command_that_is_told() {
    let env = named(TestEnv::new());
    let ends = "`albatross --state-dir ../.albatross cloud down` ends it";
    run_in(&env, "rooms", &["--local", "status"]).expect_code(0).expect_in_order(&[ends]);
    run_in(&env, "rooms", &["--state-dir", "../.albatross", "cloud", "down"])
        .expect_code(0)
        .expect_in_order(&["The local cloud has ended."]);
}

/// What a word meant while FILE had to be given it means now.
#[test]
fn what_stands_behind_file_is_never_taken_for_it() {
    let env = named(TestEnv::with_control_plane());
    for (verb, word) in [("rollback", "0123456789ab"), ("logs", "ecs01"), ("adopt", "instance.ecs01=i-1")] {
        let cannot = format!("cannot read the topology `{word}`");
        env.run(&["--local", verb, word]).expect_code(64).expect_in_order(&[&cannot]);
    }
    env.run(&["--local", "ssh", "ecs01"]).expect_code(64).expect_in_order(&["<HOST>"]);
}
