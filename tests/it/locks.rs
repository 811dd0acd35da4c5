//! One command at a time: who comes second, what becomes of a holder that is killed or stopped, and how to stop one.

use std::fs::File;
use std::io::Read;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::cloud::wait_for;
use crate::support::process::{self, Running};
use crate::support::{Run, TestEnv, terminal};

/// How long a lock is believed whose holder shows no sign of life.
const LEASE: Duration = Duration::from_secs(30);
const APPLY: [&str; 4] = ["--local", "apply", "--yes", "chatroom.yaml"];

/// A cloud without machines in which load balancers take as long as real ones.
fn slow() -> TestEnv {
    TestEnv::with_cloud(&["--pace", "real", "--hosts", "none"])
}

/// A command that is at work and will be for a while.
fn at_work(env: &TestEnv) -> Running {
    let mut first = env.start(&APPLY);
    first.wait_for_line("vpc.main: waiting for Available");
    first
}

fn waiting(env: &TestEnv, seconds: &str) -> Running {
    env.start(&["--local", "apply", "--yes", "--lock-wait", seconds, "chatroom.yaml"])
}

fn lock(env: &TestEnv) -> Value {
    serde_json::from_slice(&std::fs::read(env.state().join("lock")).expect("a lock")).expect("JSON")
}

/// Writes a lock of another machine that was renewed so long ago.
fn lock_from_elsewhere(env: &TestEnv, age: Duration) {
    let renewed = jiff::Timestamp::now() - age;
    let holder = json!({
        "id": "0f", "holder": "ada", "host": "build-7", "command": "albatross apply chatroom.yaml",
        "process": {"id": 4711, "started": 99, "boot": "elsewhere", "namespace": "pid:[1]"},
        "since": renewed, "lease": 30, "heartbeat": 5, "renewed": renewed,
    });
    std::fs::create_dir_all(env.state()).expect("writable");
    std::fs::write(env.state().join("lock"), holder.to_string()).expect("writable");
}

fn number_of(env: &TestEnv, kind: &str) -> Option<u64> {
    env.cloud().status()["resources_by_kind"][kind].as_u64()
}

#[test]
fn a_second_command_is_told_who_is_at_work() {
    let env = slow();
    let first = at_work(&env);
    let holder = format!("process {}, since ", first.id());
    for verb in ["apply", "destroy", "deploy"] {
        env.local(verb).expect_code(5).expect_in_order(&[
            "error: the stack is locked by ",
            " on ",
            &holder,
            "Z, for ",
            " s: ",
            "--local apply --yes chatroom.yaml",
            "help: wait until",
            "--lock-wait",
        ]);
    }
    env.local("plan").expect_code(0);
    env.local("status").expect_code(0);
}

#[test]
fn the_lock_of_a_killed_command_is_free_at_once() {
    let env = slow();
    let first = at_work(&env);
    first.kill();
    let begun = Instant::now();
    let mut second = env.start(&APPLY);
    second.wait_for_line("going on from an earlier command");
    assert!(begun.elapsed() < LEASE / 3, "{:?}", begun.elapsed());
    assert_eq!(lock(&env)["process"]["id"], second.id());
}

#[test]
fn whoever_waits_comes_in_when_the_first_one_ends() {
    let env = TestEnv::with_cloud(&["--pace", "brisk", "--hosts", "none"]);
    let mut first = env.start(&APPLY);
    first.wait_for_line(".. vpc.main");
    let mut second = waiting(&env, "60");
    second.wait_for_line("waiting 60 s at most for ");
    first.finish().expect_code(0);
    let second = second.finish().expect_code(0);
    assert!(second.stdout.contains("No changes"), "{second:?}");
}

#[test]
fn of_twenty_at_once_one_goes_in() {
    let env = slow();
    let mut all: Vec<Running> = (0..20).map(|_| env.start(&APPLY)).collect();
    let mut refused = 0;
    while all.len() > 1 {
        let ended = wait_for("all but one to end", || {
            all.iter_mut().position(crate::support::process::Running::has_ended)
        });
        all.remove(ended).finish().expect_code(5);
        refused += 1;
    }
    assert_eq!(refused, 19);
    let last = all.remove(0);
    assert_eq!(lock(&env)["process"]["id"], last.id());
    wait_for("the one that is in to make something", || number_of(&env, "vpc").filter(|made| *made > 0));
    assert_eq!(number_of(&env, "vpc"), Some(1));
}

/// Stopped for longer than its lease it is overtaken; when it goes on it writes nothing and ends.
#[test]
fn a_stopped_command_is_overtaken_and_then_leaves_the_stack_alone() {
    let env = slow();
    let first = at_work(&env);
    first.signal(Signal::STOP);
    let begun = Instant::now();
    let mut second = waiting(&env, "60");
    second.wait_for_line("waiting 60 s at most for ");
    second.wait_for_line("load_balancer.main: create");
    // The last heartbeat may have been seen for as long as it took to begin.
    assert!(begun.elapsed() >= LEASE, "{:?}", begun.elapsed());
    first.signal(Signal::CONT);
    let overtaken = format!("it is held by {} on ", lock(&env)["holder"].as_str().expect("a name"));
    first.finish().expect_code(5).expect_in_order(&[
        "the lock of this stack was taken away from this command: ",
        &overtaken,
        "from now on nothing is journalled",
        "stopping after what is under way",
    ]);
    second.signal(Signal::INT);
    second.finish().expect_code(130);
    assert_eq!(["vpc", "load_balancer"].map(|kind| number_of(&env, kind)), [Some(1), Some(1)]);
    // Two writers would have left a gap in it, or a number twice.
    env.local("plan").expect_code(0);
}

#[test]
fn a_lock_in_a_folder_from_elsewhere_is_judged_by_how_it_moves() {
    let env = TestEnv::with_cloud(&["--pace", "instant", "--hosts", "none"]);
    lock_from_elsewhere(&env, Duration::ZERO);
    env.local("apply").expect_code(5).expect_in_order(&["locked by ada on build-7, process 4711, since "]);
    lock_from_elsewhere(&env, Duration::from_hours(3));
    let begun = Instant::now();
    env.local("apply").expect_code(0).expect_in_order(&["finding out whether that command still runs"]);
    assert!(begun.elapsed() >= LEASE, "{:?}", begun.elapsed());
}

#[test]
fn a_lock_that_cannot_be_read_is_taken_over_after_a_lease() {
    let env = TestEnv::with_cloud(&["--pace", "instant", "--hosts", "none"]);
    std::fs::create_dir_all(env.state()).expect("writable");
    std::fs::write(env.state().join("lock"), "\0\u{fffd} not a lock {").expect("writable");
    let begun = Instant::now();
    env.local("apply").expect_code(0).expect_in_order(&["somebody whose entry cannot be read"]);
    assert!(begun.elapsed() >= LEASE, "{:?}", begun.elapsed());
}

#[test]
fn unlock_needs_no_id_and_refuses_while_the_holder_lives() {
    let env = slow();
    let unlock = |more: &[&str]| env.run(&[&["unlock"], more, &["chatroom.yaml"]].concat());
    unlock(&[]).expect_code(0).expect_in_order(&["The stack chatroom in cn-hangzhou is not locked."]);
    let first = at_work(&env);
    unlock(&[]).expect_code(5).expect_in_order(&[
        "error: the stack is locked by ",
        "help: that command is at work",
        "--force",
    ]);
    unlock(&["--force"])
        .expect_code(0)
        .expect_in_order(&["Removed the lock of ", "finds out within ten seconds"]);
    let forced = Instant::now();
    first.finish().expect_code(5).expect_in_order(&["taken away from this command: nobody holds it now"]);
    assert!(forced.elapsed() < LEASE, "{:?}", forced.elapsed());
    let second = at_work_again(&env);
    second.kill();
    unlock(&[]).expect_code(0).expect_in_order(&["Removed the lock of ", "That command is gone"]);
    unlock(&[]).expect_code(0).expect_in_order(&["is not locked"]);
}

fn at_work_again(env: &TestEnv) -> Running {
    let mut second = env.start(&APPLY);
    second.wait_for_line(".. load_balancer.main");
    second
}

/// A load balancer takes a minute: what is under way is the cloud's, and the next command waits for it.
#[test]
fn the_first_interrupt_does_not_wait_for_what_the_next_command_can_wait_for() {
    for signal in [Signal::INT, Signal::TERM] {
        let env = slow();
        let mut first = env.start(&APPLY);
        first.wait_for_line("load_balancer.main: waiting for Active");
        let begun = Instant::now();
        first.signal(signal);
        let first = first.finish().expect_code(130).expect_in_order(&[
            "stopping after what is under way; once more ends at once",
            "-- load_balancer.main: left after ",
            "under way in the cloud",
            "the same command goes on from here:",
            "albatross --local apply --yes chatroom.yaml",
        ]);
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?} {first:?}", begun.elapsed());
        assert!(!env.state().join("lock").exists());
        let mut second = env.start(&APPLY);
        second.wait_for_line("load_balancer.main: waiting for Active");
        assert_eq!(number_of(&env, "load_balancer"), Some(1));
    }
}

#[test]
fn the_second_interrupt_ends_at_once() {
    let env = slow();
    let mut first = at_work(&env);
    env.cloud().withhold_answers(&["Alb.CreateLoadBalancer"]);
    first.wait_for_line(".. load_balancer.main");
    first.signal(Signal::INT);
    first.wait_for_line("once more ends at once");
    let begun = Instant::now();
    first.signal(Signal::INT);
    first.finish().expect_code(130);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
fn an_interrupt_while_the_lock_is_waited_for_ends_at_once() {
    let env = slow();
    let _first = at_work(&env);
    let mut second = waiting(&env, "600");
    second.wait_for_line("waiting 600 s at most for ");
    second.signal(Signal::INT);
    second.finish().expect_code(130).expect_in_order(&["Stopped; nothing new was begun."]);
}

/// By itself it would wait for three minutes.
#[test]
fn an_interrupt_while_a_machine_boots_leaves_it_to_the_next_command() {
    let env = TestEnv::with_cloud(&["--pace", "instant"]);
    env.cloud().break_host("ecs03", "refuse_ssh");
    let mut apply = env.start(&["--local", "apply", "--yes", "chatroom.yaml"]);
    apply.wait_for_line(".. redis.ecs03: create");
    apply.signal(Signal::INT);
    let ended = apply.finish().expect_code(130);
    assert!(ended.stderr.contains("-- redis.ecs03: left after "), "{}", ended.stderr);
    assert!(ended.stderr.contains("waits for an SSH login"), "{}", ended.stderr);
}

#[test]
fn an_interrupt_while_a_question_is_asked_changes_nothing() {
    for signal in [Signal::INT, Signal::TERM] {
        let env = slow();
        let (_terminal, mut child) = on_a_terminal(&env, &["--local", "apply", "chatroom.yaml"]);
        let mut said = read_until(&mut child, "Apply these changes? [y/N] ");
        process::send(child.id(), signal);
        let mut rest = String::new();
        child.stdout.take().expect("a pipe").read_to_string(&mut rest).expect("text");
        said += &rest;
        assert_eq!(child.wait().expect("it is ours").code(), Some(130), "{said}");
        assert!(said.ends_with("Nothing was changed.\n"), "{said}");
        assert_eq!(env.cloud().resources(), 0);
    }
}

/// A command whose standard input is a terminal, on which nobody types.
fn on_a_terminal(env: &TestEnv, arguments: &[&str]) -> (File, Child) {
    let (terminal, far_end) = terminal::open();
    let mut command = env.command(arguments);
    command.stdin(Stdio::from(far_end)).stdout(Stdio::piped()).stderr(Stdio::null());
    (terminal, command.spawn().expect("the program starts"))
}

fn read_until(child: &mut Child, end: &str) -> String {
    let mut said = Vec::new();
    let output = child.stdout.as_mut().expect("a pipe");
    let mut byte = [0];
    while !said.ends_with(end.as_bytes()) {
        assert_eq!(output.read(&mut byte).expect("readable"), 1, "{}", String::from_utf8_lossy(&said));
        said.push(byte[0]);
    }
    String::from_utf8(said).expect("text")
}

#[test]
fn the_command_that_goes_on_is_quoted_as_it_was_typed() {
    let env = slow();
    std::fs::rename(env.file("chatroom.yaml"), env.file("my chat's.yaml")).expect("movable");
    let mut apply = env.start(&["apply", "--local", "--yes", "--boot-limit=99", "my chat's.yaml"]);
    apply.wait_for_line("load_balancer.main: waiting for Active");
    apply.signal(Signal::INT);
    let said: Run = apply.finish().expect_code(130);
    let line = said.stderr.lines().last().expect("a command");
    assert!(line.ends_with(r"albatross apply --local --yes --boot-limit=99 'my chat'\''s.yaml'"), "{line}");
}
