//! `albatross state`: what the journal knows is listed, shown and forgotten; what is forgotten stays and is found again.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::cloud::wait_for;
use crate::support::{Run, TestEnv};

fn state(env: &TestEnv, verb: &str, arguments: &[&str]) -> Run {
    env.run(&[&["--local", "state", verb, "chatroom.yaml"], arguments].concat())
}

/// Addresses and ids that the journal has.
fn listed(env: &TestEnv) -> BTreeSet<(String, String)> {
    let list = state(env, "list", &["--json"]).expect_code(0).json();
    let resources = list["resources"].as_array().expect("a list");
    let text = |one: &Value, name: &str| one[name].as_str().expect("a text").to_owned();
    resources.iter().map(|one| (text(one, "address"), text(one, "id"))).collect()
}

fn applied() -> TestEnv {
    let env = TestEnv::with_control_plane();
    env.local("apply").expect_code(0);
    env
}

#[test]
fn everything_that_was_made_is_listed_and_shown() {
    let env = applied();
    let status = env.run(&["--local", "status", "--json", "chatroom.yaml"]).expect_code(0).json();
    let there = status["resources"].as_array().expect("a list").iter();
    let there: BTreeSet<(String, String)> = there
        .map(|one| {
            let text = |name: &str| one[name].as_str().expect("a text").to_owned();
            (text("address"), text("id"))
        })
        .collect();
    assert_eq!(listed(&env), there);
    let id = env.cloud().instance("ecs01")["id"].as_str().expect("an id").to_owned();
    let list = state(&env, "list", &[]).expect_code(0).stdout;
    assert!(list.lines().any(|line| line.split_whitespace().eq(["instance.ecs01", &id, "ready"])), "{list}");
    assert!(list.contains(&format!("{} resources in the journal", there.len())), "{list}");
    state(&env, "show", &["instance.ecs01"]).expect_code(0).expect_in_order(&[
        "address ",
        "instance.ecs01",
        "id ",
        &id,
        "phase ",
        "ready",
        "output private_address",
        "192.168.0.",
        "field ",
    ]);
    let shown = state(&env, "show", &["instance.ecs01", "--json"]).expect_code(0).json();
    assert_eq!(
        (&shown["id"], &shown["phase"], &shown["generation"]),
        (&id.into(), &"ready".into(), &0.into())
    );
}

#[test]
fn what_is_forgotten_stays_and_the_next_plan_finds_it_by_its_tag() {
    let env = applied();
    let before = listed(&env);
    let calls = env.cloud().calls();
    let id = env.cloud().instance("ecs01")["id"].as_str().expect("an id").to_owned();
    state(&env, "rm", &["--yes", "instance.ecs01"]).expect_code(0).expect_in_order(&[
        &format!("Forgot instance.ecs01. It stays in the cloud as it is: {id}."),
        "The next plan finds it again by its tag",
        &format!("Should that be gone: `albatross adopt chatroom.yaml instance.ecs01={id}`."),
    ]);
    assert_eq!(env.cloud().calls(), calls, "the cloud is not asked");
    let left = listed(&env);
    assert_eq!(before.difference(&left).collect::<Vec<_>>(), [&("instance.ecs01".to_owned(), id)]);
    // What cannot be adopted by an id is not said to be.
    state(&env, "rm", &["--yes", "server.ecs01"])
        .expect_code(0)
        .expect_in_order(&["The next plan finds it again by what it is in"])
        .expect_absent("albatross adopt");
    state(&env, "rm", &["--yes", "record.main"])
        .expect_code(0)
        .expect_in_order(&["by its remark", "albatross adopt"]);
    env.run(&["--local", "plan", "--detailed-exitcode", "chatroom.yaml"]).expect_code(0);
    env.local("apply").expect_code(0);
    assert_eq!(listed(&env), before);
}

#[test]
fn what_was_adopted_and_is_forgotten_is_said_to_need_adopting() {
    let env = TestEnv::with_control_plane();
    let id = crate::adopt::network(&env, "chatroom");
    env.run(&["--local", "adopt", "chatroom.yaml"]).expect_code(0);
    state(&env, "list", &[]).expect_code(0).expect_in_order(&["vpc.main", "ready (adopted)"]);
    state(&env, "rm", &["--yes", "vpc.main"]).expect_code(0).expect_in_order(&[
        "It was adopted",
        &format!("To take it over again: `albatross adopt chatroom.yaml vpc.main={id}`."),
    ]);
    env.local("plan").expect_code(0).expect_in_order(&["+ vpc.main"]);
    env.run(&["--local", "adopt", "chatroom.yaml", &format!("vpc.main={id}")]).expect_code(0);
    state(&env, "list", &[]).expect_code(0).expect_in_order(&["vpc.main", &id, "ready (adopted)"]);
}

#[test]
fn nothing_is_forgotten_without_being_asked_for_or_known() {
    let env = applied();
    let journal = || std::fs::read(env.state().join("journal")).expect("a journal");
    let before = journal();
    state(&env, "rm", &["instance.ecs01"])
        .expect_code(64)
        .expect_in_order(&["nobody can be asked", "help: add --yes"]);
    for verb in ["rm", "show"] {
        state(&env, verb, &["instance.ecs10"]).expect_code(1).expect_in_order(&[
            "error: the journal knows no `instance.ecs10`",
            "help: did you mean `instance.ecs01`? `albatross state list chatroom.yaml` lists what it knows",
        ]);
        state(&env, verb, &["ecs01"]).expect_code(64).expect_in_order(&["`ecs01` is not a resource address"]);
    }
    assert_eq!(journal(), before);
}

/// What the call makes would be lost.
#[test]
fn what_a_call_is_under_way_for_is_not_forgotten() {
    let env = TestEnv::with_control_plane();
    env.cloud().withhold_answers(&["Vpc.CreateVpc"]);
    let apply = env.start(&["--local", "apply", "--yes", "chatroom.yaml"]);
    wait_for("a VPC that nobody has heard of", || {
        env.cloud().status()["resources_by_kind"]["vpc"].as_u64().filter(|made| *made > 0)
    });
    apply.kill();
    state(&env, "list", &[]).expect_code(0).expect_in_order(&["vpc.main", "intended (a call is under way)"]);
    state(&env, "show", &["vpc.main"]).expect_code(0).expect_in_order(&["under way since", "Vpc CreateVpc"]);
    state(&env, "rm", &["--yes", "vpc.main"]).expect_code(1).expect_in_order(&[
        "error: a call for vpc.main is under way",
        "help: run `albatross apply chatroom.yaml`",
    ]);
    env.local("apply").expect_code(0);
    state(&env, "rm", &["--yes", "vpc.main"]).expect_code(0);
    env.cloud().withhold_answers(&["Alidns.DeleteDomainRecord"]);
    let destroy = env.start(&["--local", "destroy", "--yes", "chatroom.yaml"]);
    wait_for("a record that is gone, which nobody has heard of", || {
        (env.cloud().status()["resources_by_kind"]["dns_record"] == 0).then_some(())
    });
    destroy.kill();
    state(&env, "list", &[]).expect_code(0).expect_in_order(&["record.main", "ready (a call is under way)"]);
    state(&env, "rm", &["--yes", "record.main"])
        .expect_code(1)
        .expect_in_order(&["error: a call for record.main is under way"]);
}

#[test]
fn while_a_command_is_at_work_nothing_is_forgotten_and_all_is_shown() {
    let env = TestEnv::with_cloud(&["--hosts", "none", "--pace", "real"]);
    let mut apply = env.start(&["--local", "apply", "--yes", "chatroom.yaml"]);
    apply.wait_for_line("ok vpc.main");
    state(&env, "rm", &["--yes", "vpc.main"]).expect_code(5).expect_in_order(&["the stack is locked by"]);
    state(&env, "list", &[]).expect_code(0).expect_in_order(&["vpc.main"]);
    apply.kill();
}

#[test]
fn without_a_local_cloud_there_is_no_state_of_it() {
    let env = TestEnv::new();
    state(&env, "list", &[]).expect_code(1).expect_in_order(&["no local cloud runs", "albatross cloud up"]);
}
