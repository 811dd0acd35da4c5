//! `albatross outputs`: what scripts are told of a stack, and that hooks are told the same.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::TestEnv;

/// A stack without machines' insides; a hook has written down what it was told of it.
fn applied() -> TestEnv {
    let env = TestEnv::with_control_plane();
    let text = env.read("chatroom.yaml");
    env.write("chatroom.yaml", format!("{text}\nhooks:\n  after_apply: [[./note]]\n"));
    env.write("note", "#!/bin/sh\nenv | grep ^ALBATROSS_ > noted\n");
    fs::set_permissions(env.file("note"), fs::Permissions::from_mode(0o755)).expect("its mode set");
    env.local("apply").expect_code(0);
    env
}

/// The name of a hook's variable that has an output.
fn variable(name: &str) -> String {
    format!("ALBATROSS_{}", name.replace(['.', '-'], "_").to_uppercase())
}

#[test]
fn outputs_are_what_hooks_are_told() {
    let env = applied();
    let told = env.run(&["--local", "outputs", "chatroom.yaml", "--json"]).expect_code(0).json();
    let told = told["outputs"].as_object().expect("by name");
    let told = told.iter().map(|(name, value)| (variable(name), value.as_str().expect("a text").to_owned()));
    let told: BTreeMap<String, String> = told.collect();
    let noted = env.read("noted");
    let noted = noted.lines().filter_map(|line| line.split_once('='));
    let noted = noted.filter(|(name, _)| *name != "ALBATROSS_HOOK");
    let noted: BTreeMap<String, String> =
        noted.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert_eq!(told, noted);
    assert!(told.len() > 20, "{told:#?}");
}

#[test]
fn one_output_is_its_bare_value() {
    let env = applied();
    let one = |arguments: &[&str]| {
        env.run(&[&["--local", "outputs", "chatroom.yaml"], arguments].concat()).expect_code(0).stdout
    };
    assert_eq!(one(&["url"]), "http://example.com:5000/\n");
    let id = env.cloud().instance("ecs01")["id"].as_str().expect("an id").to_owned();
    assert_eq!(one(&["instance.ecs01.id"]), format!("{id}\n"));
    assert_eq!(one(&["instance.ecs01.id", "--json"]), format!("\"{id}\"\n"));
    let table = one(&[]);
    assert!(table.lines().any(|line| line.split_whitespace().eq(["instance.ecs01.id", &id])), "{table}");
    assert!(one(&["load_balancer.main.dns_name"]).trim_end().ends_with(".alb.aliyuncsslb.com"));
    env.run(&["--local", "outputs", "chatroom.yaml", "instance.esc01.id"]).expect_code(1).expect_in_order(&[
        "error: the stack has no output `instance.esc01.id`",
        "help: did you mean `instance.ecs01.id`? `albatross outputs chatroom.yaml` lists them",
    ]);
}

#[test]
fn what_is_not_made_yet_has_no_outputs() {
    let env = TestEnv::with_control_plane();
    let told = env.run(&["--local", "outputs", "chatroom.yaml"]).expect_code(0).stdout;
    assert_eq!(told, "stack   chatroom\nregion  cn-hangzhou\nurl     http://example.com:5000/\n");
}
