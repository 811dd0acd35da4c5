//! `--json` and `--json-into`: what commands that change something tell programs, by the contract in `docs/events.md`.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;
use serde_json::Value;

use crate::docs::events::written;
use crate::parts::lacks_redis;
use crate::rollout::write_another_node;
use crate::support::{Run, TestEnv};

/// Types whose fields are those of the contract, by the contract; each line is one.
#[track_caller]
fn parsed(text: &str) -> Vec<Value> {
    let contract = written();
    let lines = text.lines().map(|line| {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}\n{text}"))
    });
    let lines: Vec<Value> = lines.collect();
    for line in &lines {
        let name = line["type"].as_str().expect("a type");
        let fields = line.as_object().expect("an object").keys();
        let fields: BTreeSet<&str> =
            fields.map(String::as_str).filter(|field| !["type", "at"].contains(field)).collect();
        let of_type = contract.iter().filter_map(|entry| entry.split_once('.'));
        let of_type = of_type.filter(|(known, field)| *known == name && !field.is_empty());
        assert_eq!(fields, of_type.map(|(_, field)| field).collect(), "{line}");
        let at = line["at"].as_str().expect("a time");
        assert!(at.parse::<jiff::Timestamp>().is_ok(), "{line}");
    }
    lines
}

fn of_type<'l>(lines: &'l [Value], name: &str) -> Vec<&'l Value> {
    lines.iter().filter(|line| line["type"] == name).collect()
}

fn addresses(lines: &[&Value]) -> BTreeSet<String> {
    lines.iter().map(|line| line["address"].as_str().expect("an address").to_owned()).collect()
}

/// It begins with the version, ends with how the command ended, and neither comes twice.
#[track_caller]
fn expect_whole(lines: &[Value], command: &str, run: &Run) {
    let (first, last) = (lines.first().expect("a line"), lines.last().expect("a line"));
    assert_eq!((&first["type"], &first["contract"]), (&"version".into(), &1.into()));
    assert_eq!((&first["command"], &first["program"]), (&command.into(), &env!("CARGO_PKG_VERSION").into()));
    assert_eq!((&last["type"], last["exit_code"].as_i64()), (&"end".into(), run.code.map(i64::from)));
    assert_eq!((of_type(lines, "version").len(), of_type(lines, "end").len()), (1, 1));
}

/// A stack without machines' insides.
fn env() -> TestEnv {
    TestEnv::with_control_plane()
}

/// The same, in which things take as long as in the real cloud.
fn slow() -> TestEnv {
    TestEnv::with_cloud(&["--hosts", "none", "--pace", "real"])
}

fn run(env: &TestEnv, verb: &str, options: &[&str]) -> Run {
    env.run(&[&["--local", verb, "--yes", "chatroom.yaml"], options].concat())
}

#[test]
fn the_events_of_an_apply_are_all_there_is_on_standard_output() {
    let env = env();
    let applied = run(&env, "apply", &["--json"]).expect_code(0);
    let lines = parsed(&applied.stdout);
    expect_whole(&lines, "apply", &applied);
    assert_eq!(applied.stderr, "", "standard error is for errors");
    let [plan] = of_type(&lines, "plan")[..] else { panic!("one plan") };
    let operations = plan["operations"].as_u64().expect("a number");
    assert_eq!(plan["changes"]["create"].as_u64(), Some(operations));
    let (started, finished) = (of_type(&lines, "started"), of_type(&lines, "finished"));
    assert_eq!(started.len() as u64, operations);
    assert_eq!(addresses(&started), addresses(&finished));
    assert!(started.iter().all(|line| line["expected_seconds"].is_number()), "{started:?}");
    let vpc = finished.iter().find(|line| line["address"] == "vpc.main").expect("the VPC");
    let [outputs] = of_type(&lines, "outputs")[..] else { panic!("the outputs once") };
    assert_eq!(outputs["outputs"]["vpc.main.id"], vpc["id"]);
    let [summary] = of_type(&lines, "summary")[..] else { panic!("one summary") };
    assert_eq!((summary["done"].as_u64(), summary["failed"].as_u64()), (Some(operations), Some(0)));
    assert_eq!(summary["critical_path"][0]["address"], "vpc.main");
    assert_eq!(summary["longest"].as_array().map(Vec::len), Some(3));
}

#[test]
fn nothing_to_do_has_a_plan_and_the_outputs() {
    let env = env();
    run(&env, "apply", &[]).expect_code(0);
    let again = run(&env, "apply", &["--json"]).expect_code(0);
    let lines = parsed(&again.stdout);
    let types: Vec<&str> = lines.iter().filter_map(|line| line["type"].as_str()).collect();
    assert_eq!(types, ["version", "notice", "plan", "outputs", "end"], "{lines:#?}");
    let destroyed = run(&env, "destroy", &["--json"]).expect_code(0);
    let lines = parsed(&destroyed.stdout);
    expect_whole(&lines, "destroy", &destroyed);
    let [remaining] = of_type(&lines, "remaining")[..] else { panic!("what is left, once") };
    assert_eq!(remaining["left"], serde_json::json!([]));
}

#[test]
fn a_file_of_events_stands_beside_what_people_are_shown() {
    let env = env();
    env.write("events.jsonl", "{\"type\":\"version\",\"contract\":1}\n".repeat(1000));
    fs::set_permissions(env.file("events.jsonl"), fs::Permissions::from_mode(0o644)).expect("its mode set");
    let applied = run(&env, "apply", &["--json-into", "events.jsonl"]).expect_code(0);
    assert!(applied.stdout.contains("Done: ") && applied.stderr.contains("ok vpc.main: done"), "{applied:?}");
    let lines = parsed(&env.read("events.jsonl"));
    expect_whole(&lines, "apply", &applied);
    let mode = fs::metadata(env.file("events.jsonl")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_that_is_something_else_is_refused_before_anything_is_done() {
    let env = env();
    let topology = env.read("chatroom.yaml");
    run(&env, "apply", &["--json-into", "chatroom.yaml"]).expect_code(64).expect_in_order(&[
        "cannot write events into `chatroom.yaml`",
        "is no file of events",
        "help: ",
    ]);
    assert_eq!(env.read("chatroom.yaml"), topology);
    assert_eq!(env.cloud().resources(), 0);
}

#[test]
fn errors_have_their_code_and_the_last_line_the_exit_code() {
    let env = env();
    env.cloud().refuse_first("Vpc.CreateVpc", 400, "QuotaExceeded.Vpc");
    let failed = run(&env, "apply", &["--json"]).expect_code(3);
    let lines = parsed(&failed.stdout);
    expect_whole(&lines, "apply", &failed);
    assert_eq!(addresses(&of_type(&lines, "failed")), BTreeSet::from(["vpc.main".to_owned()]));
    let [error] = of_type(&lines, "error")[..] else { panic!("one error: {lines:#?}") };
    assert_eq!((&error["code"], &error["resource"]), (&"QuotaExceeded.Vpc".into(), &"vpc.main".into()));
    assert!(error["request_id"].is_string() && error["hint"].is_string(), "{error}");
    assert!(failed.stderr.contains("error: "), "people see errors as well: {}", failed.stderr);
}

#[test]
fn what_is_wrong_with_a_topology_is_an_error_with_its_place() {
    let env = TestEnv::new();
    env.write_changed("chatroom.yaml", &[("idle_timeout: 60s", "idle_timeout: 5s")]);
    let refused = run(&env, "deploy", &["--json"]).expect_code(65);
    let lines = parsed(&refused.stdout);
    expect_whole(&lines, "deploy", &refused);
    let [error] = of_type(&lines, "error")[..] else { panic!("one error: {lines:#?}") };
    assert_eq!((&error["code"], &error["file"]), (&"ping-interval".into(), &"chatroom.yaml".into()));
    assert!(error["line"].is_u64() && error["column"].is_u64(), "{error}");
}

#[test]
fn with_events_nobody_is_asked() {
    let env = env();
    let refused = env.run(&["--local", "apply", "--json", "chatroom.yaml"]).expect_code(64);
    expect_whole(&parsed(&refused.stdout), "apply", &refused);
    refused.expect_in_order(&["nobody can be asked", "add --yes"]);
}

/// A hook that is silent for longer than anybody may be, and says something on both streams.
#[test]
fn what_a_hook_prints_is_told_line_by_line_and_its_silence_has_a_heartbeat() {
    let env = env();
    let text = env.read("chatroom.yaml");
    env.write("chatroom.yaml", format!("{text}\nhooks:\n  before_apply: [[./wait]]\n"));
    env.write("wait", "#!/bin/sh\necho to stdout\necho to stderr >&2\nsleep 10.5\nprintf 'the end'\n");
    fs::set_permissions(env.file("wait"), fs::Permissions::from_mode(0o755)).expect("its mode set");
    let applied = run(&env, "apply", &["--json"]).expect_code(0);
    let lines = parsed(&applied.stdout);
    let [hook] = of_type(&lines, "hook")[..] else { panic!("one hook") };
    assert_eq!((&hook["moment"], &hook["command"][0]), (&"before_apply".into(), &"./wait".into()));
    let printed: BTreeSet<(&str, &str)> = of_type(&lines, "hook_output")
        .iter()
        .filter_map(|line| Some((line["stream"].as_str()?, line["text"].as_str()?)))
        .collect();
    assert_eq!(
        printed,
        BTreeSet::from([("stdout", "to stdout"), ("stderr", "to stderr"), ("stdout", "the end")])
    );
    assert!(!of_type(&lines, "heartbeat").is_empty(), "{lines:#?}");
    let times = lines.iter().filter_map(|line| line["at"].as_str()?.parse::<jiff::Timestamp>().ok());
    let times: Vec<jiff::Timestamp> = times.collect();
    let gaps = times.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs_f64());
    assert!(gaps.fold(0.0, f64::max) <= 10.0, "{times:?}");
}

#[test]
fn another_release_and_the_way_back_have_events_too() {
    if lacks_redis("another_release_and_the_way_back_have_events_too") {
        return;
    }
    let env = TestEnv::with_chatroom();
    write_another_node(&env, "other-node");
    let deployed = run(&env, "deploy", &["--chat-node", "other-node", "--json"]).expect_code(0);
    let back = run(&env, "rollback", &["--json"]).expect_code(0);
    for (command, run) in [("deploy", deployed), ("rollback", back)] {
        let lines = parsed(&run.stdout);
        expect_whole(&lines, command, &run);
        let changed = addresses(&of_type(&lines, "finished"));
        assert_eq!(changed, ["release.ecs01", "release.ecs02"].map(str::to_owned).into(), "{command}");
        assert!(of_type(&lines, "started").iter().all(|line| line["action"] == "update"), "{lines:#?}");
        let told = of_type(&lines, "noted");
        assert!(told.iter().any(|line| line["text"] == "its server leaves the group"), "{told:#?}");
    }
}

/// What is done and what is left adds up.
#[test]
fn an_interrupted_command_says_what_it_left_and_ends_its_stream() {
    let env = slow();
    let mut apply = env.start(&["--local", "apply", "--yes", "--json-into", "events.jsonl", "chatroom.yaml"]);
    apply.wait_for_line("load_balancer.main: waiting for Active");
    apply.signal(Signal::INT);
    let stopped = apply.finish().expect_code(130);
    let lines = parsed(&env.read("events.jsonl"));
    expect_whole(&lines, "apply", &stopped);
    assert!(addresses(&of_type(&lines, "left")).contains("load_balancer.main"), "{lines:#?}");
    let started = addresses(&of_type(&lines, "started"));
    let ended = ["finished", "failed", "left"].map(|name| addresses(&of_type(&lines, name)));
    assert_eq!(started, ended.into_iter().flatten().collect(), "what begins ends");
}

#[test]
fn a_killed_command_ends_without_a_word_and_the_next_one_tells_what_it_went_on_with() {
    let env = slow();
    let apply = ["--local", "apply", "--yes", "--json-into", "events.jsonl", "chatroom.yaml"];
    for line in ["vpc.main: waiting for Available", "going on from an earlier command"] {
        env.kill_at(line, &apply);
        let lines = parsed(&env.read("events.jsonl"));
        assert_eq!(lines[0]["type"], "version");
        assert!(of_type(&lines, "end").is_empty(), "{lines:#?}");
    }
    let lines = parsed(&env.read("events.jsonl"));
    let [recovered] = of_type(&lines, "recovered")[..] else { panic!("what was recovered: {lines:#?}") };
    assert_eq!(recovered["settled"], 1);
}

#[test]
fn a_command_line_that_is_wrong_has_no_events() {
    let env = TestEnv::new();
    let refused = run(&env, "apply", &["--json", "--no-such-option"]).expect_code(64);
    assert_eq!(refused.stdout, "");
}
