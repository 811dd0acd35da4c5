//! What survives: a lost state folder, a torn journal, a killed command, a lost answer.

use std::collections::BTreeSet;

use rustix::process::Signal;
use serde_json::Value;

use crate::parts::lacks_redis;
use crate::support::TestEnv;
use crate::support::cloud::wait_for;

#[test]
fn a_lost_state_is_found_again_in_the_cloud() {
    if lacks_redis("a_lost_state_is_found_again_in_the_cloud") {
        return;
    }
    let env = TestEnv::with_chatroom();
    std::fs::remove_dir_all(env.state()).expect("a state folder");
    env.expect_exactly_the_chatroom();
    std::fs::remove_dir_all(env.file(".albatross").join(env.cloud().account_id())).ok();
    env.expect_destroyed_to_nothing();
}

#[test]
fn what_was_found_again_can_be_changed_and_remembered() {
    if lacks_redis("what_was_found_again_can_be_changed_and_remembered") {
        return;
    }
    let env = TestEnv::with_chatroom();
    std::fs::remove_dir_all(env.state()).expect("a state folder");
    let path = env.file("chatroom.yaml");
    let text = std::fs::read_to_string(&path).expect("a topology");
    std::fs::write(&path, text.replace("idle_timeout: 60s", "idle_timeout: 90s")).expect("writable");
    env.local("apply").expect_code(0).expect_in_order(&["~ listener.main", "1 updated"]);
    env.expect_exactly_the_chatroom();
    env.expect_destroyed_to_nothing();
}

#[test]
fn a_torn_last_line_is_dropped() {
    if lacks_redis("a_torn_last_line_is_dropped") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let path = env.state().join("journal");
    let journal = std::fs::read(&path).expect("a journal");
    std::fs::write(&path, &journal[..journal.len() - 20]).expect("writable");
    env.local("apply").expect_code(0).expect_in_order(&[
        "of the journal `",
        "/chatroom/journal` was torn while it was written",
        "bytes have been dropped: ",
    ]);
    env.expect_exactly_the_chatroom();
    env.expect_destroyed_to_nothing();
}

#[test]
fn damage_in_the_middle_is_an_error_with_a_way_out() {
    if lacks_redis("damage_in_the_middle_is_an_error_with_a_way_out") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let path = env.state().join("journal");
    let journal = std::fs::read_to_string(&path).expect("a journal");
    let mut lines: Vec<&str> = journal.lines().collect();
    lines[4] = "0123456789abcdef {}";
    std::fs::write(&path, lines.join("\n") + "\n").expect("writable");
    env.local("apply").expect_code(1).expect_in_order(&[
        "error: line 5 of the journal `",
        "` is damaged: its checksum does not match",
        "help: move `",
        "everything is found again by its tags",
    ]);
    std::fs::rename(&path, env.file("journal.away")).expect("movable");
    env.expect_exactly_the_chatroom();
}

/// Kills an apply when it says a line, then runs it again.
fn killed_at(line: &str) -> TestEnv {
    let env = TestEnv::with_cloud(&[]);
    env.kill_local_at(line, "apply");
    env.local("apply").expect_code(0);
    env
}

#[test]
fn killed_at_the_first_step_it_goes_on() {
    if lacks_redis("killed_at_the_first_step_it_goes_on") {
        return;
    }
    killed_at(".. vpc.main").expect_exactly_the_chatroom();
}

#[test]
fn killed_while_instances_are_made_it_goes_on() {
    if lacks_redis("killed_while_instances_are_made_it_goes_on") {
        return;
    }
    killed_at(".. instance.ecs01").expect_exactly_the_chatroom();
}

#[test]
fn killed_while_a_release_is_sent_it_goes_on() {
    if lacks_redis("killed_while_a_release_is_sent_it_goes_on") {
        return;
    }
    let env = killed_at("release.ecs01: ecs01: sending release");
    env.expect_exactly_the_chatroom();
    env.verify().expect_code(0);
    env.expect_destroyed_to_nothing();
}

#[test]
fn killed_again_and_again_it_still_arrives() {
    if lacks_redis("killed_again_and_again_it_still_arrives") {
        return;
    }
    let env = TestEnv::with_cloud(&[]);
    let moments = [
        ".. key_pair.main",
        ".. vswitch.b",
        ".. load_balancer.main",
        "ok host_key",
        "redis.ecs03: ecs03",
        ".. listener",
    ];
    for moment in moments {
        env.kill_local_at(moment, "apply");
    }
    env.local("apply").expect_code(0);
    env.expect_exactly_the_chatroom();
}

#[test]
fn a_destroy_that_was_killed_goes_on() {
    if lacks_redis("a_destroy_that_was_killed_goes_on") {
        return;
    }
    let env = TestEnv::with_chatroom();
    env.kill_local_at(".. listener.main", "destroy");
    env.expect_destroyed_to_nothing();
}

#[test]
fn an_interrupted_apply_goes_on_where_it_was() {
    if lacks_redis("an_interrupted_apply_goes_on_where_it_was") {
        return;
    }
    let env = TestEnv::with_cloud(&[]);
    let mut apply = env.start(&["--local", "apply", "--yes", "chatroom.yaml"]);
    apply.wait_for_line(".. instance.ecs01");
    apply.signal(Signal::INT);
    apply.finish().expect_code(130).expect_in_order(&[
        "stopping after what is under way; once more ends at once",
        "not begun; the same command goes on from here",
    ]);
    env.local("apply").expect_code(0);
    env.expect_exactly_the_chatroom();
}

/// Everything that makes something, and takes part in an apply.
const MAKING: [&str; 12] = [
    "Vpc.CreateVpc",
    "Vpc.CreateVSwitch",
    "Ecs.CreateSecurityGroup",
    "Ecs.AuthorizeSecurityGroup",
    "Ecs.ImportKeyPair",
    "Ecs.RunInstances",
    "Ecs.RunCommand",
    "Alb.CreateLoadBalancer",
    "Alb.CreateServerGroup",
    "Alb.AddServersToServerGroup",
    "Alb.CreateListener",
    "Alidns.AddDomainRecord",
];

/// Actions of which a call went wrong in this way, as the cloud's own log has them.
fn broken(env: &TestEnv, fault: &str) -> BTreeSet<String> {
    let log = env.read(".albatross/local/data/calls.ndjson");
    let calls = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("a call a line"));
    let calls = calls.filter(|call| call["fault"] == fault);
    calls.map(|call| call["operation"].as_str().expect("a name").to_owned()).collect()
}

/// Starts applies and kills each once the cloud has done something that nobody has heard of, until it was all of these.
fn kill_after_each(env: &TestEnv, actions: &[&str]) {
    env.cloud().withhold_answers(actions);
    let mut unheard = BTreeSet::new();
    while unheard.len() < actions.len() {
        let apply = env.start(&["--local", "apply", "--yes", "chatroom.yaml"]);
        unheard = wait_for("a call that is not answered", || {
            Some(broken(env, "slow_reply")).filter(|now| now.len() > unheard.len())
        });
        apply.kill();
    }
}

/// The hardest moment: the cloud has done it, and nobody has heard.
#[test]
fn killed_between_every_effect_and_its_answer_it_arrives() {
    if lacks_redis("killed_between_every_effect_and_its_answer_it_arrives") {
        return;
    }
    let env = TestEnv::with_cloud(&[]);
    kill_after_each(&env, &MAKING);
    env.local("apply").expect_code(0);
    env.expect_exactly_the_chatroom();
    env.expect_destroyed_to_nothing();
}

/// For two seconds the real cloud's lists do not show what was made: then only its token tells that it was.
#[test]
fn what_no_list_shows_yet_is_not_made_again() {
    let env = TestEnv::with_cloud(&["--hosts", "none", "--pace", "real"]);
    let network = ["Vpc.CreateVpc", "Vpc.CreateVSwitch", "Ecs.CreateSecurityGroup"];
    kill_after_each(&env, &network);
    env.kill_local_at(".. load_balancer.main", "apply");
    let kinds = env.cloud().status()["resources_by_kind"].clone();
    let made = ["vpc", "vswitch", "security_group"].map(|kind| kinds[kind].as_u64());
    assert_eq!(made, [Some(1), Some(2), Some(1)]);
}

/// Every making call goes wrong once; the apply neither fails nor makes anything twice.
fn applied_despite(fault: &str) {
    let env = TestEnv::with_cloud(&["--pace", "instant"]);
    env.cloud().fail_first(&MAKING, fault);
    env.local("apply").expect_code(0);
    env.expect_exactly_the_chatroom();
    assert_eq!(broken(&env, fault), BTreeSet::from(MAKING.map(str::to_owned)));
    env.expect_destroyed_to_nothing();
}

#[test]
fn lost_answers_double_nothing() {
    if lacks_redis("lost_answers_double_nothing") {
        return;
    }
    applied_despite("lost_reply");
}

#[test]
fn throttled_calls_are_made_again() {
    if lacks_redis("throttled_calls_are_made_again") {
        return;
    }
    applied_despite("throttle");
}

#[test]
fn calls_that_failed_in_the_cloud_are_made_again() {
    if lacks_redis("calls_that_failed_in_the_cloud_are_made_again") {
        return;
    }
    applied_despite("server_error");
}
