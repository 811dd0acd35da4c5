//! What a second operator takes over that stands in no bucket: passwords that are on the hosts, a certificate that is on
//! the first one's machine, and plans that the first one has saved.

use std::fs;

use albatross::base::certificate::self_signed;
use serde_json::Value;

use crate::https;
use crate::parts::lacks_redis;
use crate::plans::redis_password;
use crate::support::TestEnv;
use crate::tair;
use crate::teams::{SHARED, Team};

/// A node more, and a setting that every node is told.
const GROWTH: [(&str, &str); 2] = [
    (
        "  ecs02: { vswitch: b, access: public }",
        "  ecs02: { vswitch: b, access: public }\n  ecs04: { vswitch: b, access: public }",
    ),
    ("on: [ecs01, ecs02]", "on: [ecs01, ecs02, ecs04]\n  ping_interval: 8s"),
];
const LONGER: (&str, &str) = ("idle_timeout: 60s", "idle_timeout: 90s");

/// Both of them, and a stack with machines that the first one has made of a topology.
fn with_machines(topology: Option<String>) -> Team {
    let team = Team::on_hosts("process", &["--pace", "instant"]);
    if let Some(text) = topology {
        write_on_both(&team, &text.replacen(SHARED.0, SHARED.1, 1));
    }
    team.ada.local("apply").expect_code(0);
    team
}

fn write_on_both(team: &Team, text: &str) {
    for env in [&team.ada, &team.ben] {
        env.write("chatroom.yaml", text);
    }
}

/// The second one has a key of their own, a node more and another setting.
#[track_caller]
fn grow(team: &Team) {
    let text = GROWTH.iter().fold(team.ben.read("chatroom.yaml"), |text, (from, to)| {
        assert!(text.contains(from), "the topology has no `{from}`");
        text.replacen(from, to, 1)
    });
    write_on_both(team, &text);
    team.ben.local("plan").expect_code(0).expect_in_order(&["unknown until apply: ecs01: the key SHA256:"]);
    team.ben
        .local("apply")
        .expect_code(0)
        .expect_in_order(&["adding the key for root through the Cloud Assistant"]);
    expect_nothing_to_do(team);
}

/// Nothing is left to do for either of them.
#[track_caller]
fn expect_nothing_to_do(team: &Team) {
    for env in [&team.ben, &team.ada] {
        let plan = env.run(&["--local", "plan", "--detailed-exitcode", "chatroom.yaml"]).expect_code(0);
        plan.expect_in_order(&["No changes: "]);
    }
}

/// How often an action was called and done.
fn count(team: &Team, action: &str) -> usize {
    team.ada
        .cloud()
        .call_log()
        .iter()
        .filter(|call| call["operation"] == action && call["status"] == 200)
        .count()
}

/// The password is in no file of the second one.
#[track_caller]
fn expect_nowhere_at_home(env: &TestEnv, password: &str) {
    https::expect_nowhere(&env.file(".albatross"), password);
    https::expect_nowhere(&env.file("config"), password);
}

#[test]
fn the_password_of_redis_that_the_first_drew_is_read_on_its_host_and_told_to_another_node() {
    if lacks_redis("the_password_of_redis_that_the_first_drew_is_read_on_its_host_and_told_to_another_node") {
        return;
    }
    let team = with_machines(None);
    let drawn = redis_password(&team.ada);
    grow(&team);
    assert_eq!(redis_password(&team.ada), drawn);
    for node in ["ecs01", "ecs02", "ecs04"] {
        let environment = fs::read_to_string(tair::environment(&team.ada, node)).expect("it is there");
        assert!(environment.contains(&format!("redis://:{drawn}@")), "{node} has another password");
    }
    expect_nowhere_at_home(&team.ben, &drawn);
    team.ben.verify().expect_code(0);
}

#[test]
fn the_password_of_a_managed_redis_that_the_first_drew_is_read_on_a_node_and_told_to_another() {
    if lacks_redis(
        "the_password_of_a_managed_redis_that_the_first_drew_is_read_on_a_node_and_told_to_another",
    ) {
        return;
    }
    let team = with_machines(Some(tair::example()));
    let drawn = tair::password(&team.ada, "ecs01");
    grow(&team);
    for node in ["ecs01", "ecs02", "ecs04"] {
        assert_eq!(tair::password(&team.ada, node), drawn, "{node}");
    }
    let calls =
        ["CreateAccount", "ResetAccountPassword"].map(|action| count(&team, &format!("R-kvstore.{action}")));
    assert_eq!(calls, [1, 0], "no other password was drawn");
    expect_nowhere_at_home(&team.ben, &drawn);
    team.ben.verify().expect_code(0);
}

#[test]
fn a_certificate_that_only_the_first_has_is_asked_for_by_name_and_made_once() {
    let team = Team::new(&["--pace", "instant"]);
    https::write_secure(&team.ada, &[SHARED, (https::MADE, https::BROUGHT)]);
    https::bring(&team.ada, &self_signed("example.com").expect("a name"));
    team.ada.local("apply").expect_code(0);
    team.ben.write("chatroom.yaml", team.ada.read("chatroom.yaml"));
    for verb in ["plan", "apply", "destroy"] {
        team.ben.local(verb).expect_code(65).expect_in_order(&[
            "error[certificate-missing]: `chain.pem` cannot be read",
            "help: put chain and key there, or write where they are",
        ]);
    }
    for name in ["chain.pem", "key.pem"] {
        // With its mode.
        fs::copy(team.ada.file(name), team.ben.file(name)).expect("copied");
    }
    expect_nothing_to_do(&team);
    assert_eq!(count(&team, "cas.UploadUserCertificate"), 1);
    team.ben.local("destroy").expect_code(0).expect_in_order(&["0 resources left"]);
}

/// Saves a plan of the first one, and hands it to the second.
#[track_caller]
fn hand_over(team: &Team, options: &[&str]) -> String {
    let arguments = [&["--local", "plan", "--out", "chat.plan"], options, &["chatroom.yaml"]].concat();
    team.ada.run(&arguments).expect_code(0);
    let plan = team.ada.read("chat.plan");
    team.ben.write("chat.plan", &plan);
    plan
}

fn changes(team: &Team) -> Vec<Value> {
    let is_change = |call: &Value| {
        let is_of_bucket = call["operation"].as_str().is_some_and(|name| name.starts_with("Oss."));
        call["effect"] == "change" && !is_of_bucket
    };
    team.ada.cloud().call_log().into_iter().filter(is_change).collect()
}

#[test]
fn a_plan_that_one_has_saved_another_carries_out() {
    let team = Team::new(&["--pace", "instant"]);
    // From nothing: there is no journal yet, here or there.
    hand_over(&team, &[]);
    // The key pair would be made of the first one's key, which the second one has not got.
    team.ben.run(&["apply", "chat.plan"]).expect_code(1).expect_in_order(&[
        "key_pair.main",
        "wanted public_key: planned: ecdsa-sha2-nistp256 ",
        "error: `chat.plan` is out of date: 1 value differs from when",
        "nothing was changed",
    ]);
    team.ada.run(&["apply", "chat.plan"]).expect_code(0);
    team.ben.run(&["apply", "chat.plan"]).expect_code(0).expect_in_order(&["Already applied"]);
    // A change of what both know.
    team.ada.write_changed("chatroom.yaml", &[SHARED, LONGER]);
    hand_over(&team, &[]);
    let before = changes(&team).len();
    team.ben.run(&["apply", "chat.plan"]).expect_code(0).expect_in_order(&["Done: 1 updated."]);
    assert_eq!(changes(&team).len(), before + 1);
    team.ben.write("chatroom.yaml", team.ada.read("chatroom.yaml"));
    expect_nothing_to_do(&team);
    team.agree();
    hand_over(&team, &["--destroy"]);
    team.ben.run(&["apply", "chat.plan"]).expect_code(0).expect_in_order(&["0 resources left"]);
}

#[test]
fn a_plan_of_another_is_refused_when_something_has_changed_since() {
    let team = Team::with_stack();
    team.ada.write_changed("chatroom.yaml", &[SHARED, LONGER]);
    hand_over(&team, &[]);
    team.ben.write_changed("chatroom.yaml", &[SHARED, ("idle_timeout: 60s", "idle_timeout: 45s")]);
    team.ben.local("apply").expect_code(0);
    let before = changes(&team);
    for env in [&team.ada, &team.ben] {
        env.run(&["apply", "chat.plan"]).expect_code(1).expect_in_order(&[
            "listener.main",
            "idle_timeout: planned: 60 -> 90; now: 45 -> 90",
            "error: `chat.plan` is out of date",
            "nothing was changed",
            "help: plan again: `albatross --local plan --out chat.plan chatroom.yaml`",
        ]);
    }
    assert_eq!(changes(&team), before);
}

/// The topology in the plan says where the state is, so that nobody works beside the others by mistake.
#[test]
fn a_plan_of_another_is_carried_out_in_the_bucket_that_it_was_made_with() {
    let team = Team::with_stack();
    team.ada.write_changed("chatroom.yaml", &[SHARED, LONGER]);
    hand_over(&team, &[]);
    // The second one's own topology is not shared, and no matter.
    team.ben.write_changed("chatroom.yaml", &[]);
    let applied = team.ben.run(&["apply", "chat.plan"]).expect_code(0);
    drop(applied.expect_in_order(&["took ", " of others from oss://team-state/albatross/"]));
    team.ben.write("chatroom.yaml", team.ada.read("chatroom.yaml"));
    expect_nothing_to_do(&team);
}

/// A plan is made with all that its maker could see; what they could not, whoever carries it out has to look at again.
#[test]
fn a_plan_for_machines_is_carried_out_by_one_who_was_let_in() {
    if lacks_redis("a_plan_for_machines_is_carried_out_by_one_who_was_let_in") {
        return;
    }
    let team = with_machines(None);
    let faster = ("  on: [ecs01, ecs02]", "  ping_interval: 8s\n  on: [ecs01, ecs02]");
    team.ada.write_changed("chatroom.yaml", &[SHARED, faster]);
    hand_over(&team, &[]);
    // Whose key no machine takes sees nothing of what is on them, so that nobody can say that it is as it was.
    let before = changes(&team);
    team.ben.run(&["apply", "chat.plan"]).expect_code(1).expect_in_order(&[
        "release.ecs01",
        "error: `chat.plan` is out of date",
        "nothing was changed",
        "help: plan again: `albatross --local plan --out chat.plan chatroom.yaml`",
    ]);
    assert_eq!(changes(&team), before);
    // An apply of what there is lets them in.
    team.ben.local("apply").expect_code(0).expect_in_order(&["adding the key for root"]);
    team.ben.run(&["apply", "chat.plan"]).expect_code(0).expect_in_order(&["Done: 2 updated."]);
    team.ben.write("chatroom.yaml", team.ada.read("chatroom.yaml"));
    expect_nothing_to_do(&team);
}
