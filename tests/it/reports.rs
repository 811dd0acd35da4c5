//! Reports for others than who typed the command: GitHub's annotations and summary, a page, and rounds that go on.

use rustix::process::Signal;

use crate::chatroom::CHECKS;
use crate::parts::lacks_redis;
use crate::support::TestEnv;
use crate::support::cloud::wait_for;

/// Stops Redis as `cloud fault` does, and has it started again.
fn with_redis_stopped(env: &TestEnv, act: impl FnOnce()) {
    env.run(&["cloud", "fault", "redis-stop", "ecs03"]).expect_code(0);
    act();
    env.run(&["cloud", "fault", "lift", "--all"]).expect_code(0);
}

#[test]
fn github_is_told_what_failed_and_gets_a_summary() {
    if lacks_redis("github_is_told_what_failed_and_gets_a_summary") {
        return;
    }
    let mut env = TestEnv::with_chatroom();
    env.write("summary.md", "# Before\n");
    let summary = env.file("summary.md").display().to_string();
    env.set("GITHUB_STEP_SUMMARY", &summary);
    let verify = [
        "--local",
        "verify",
        "--quick",
        "--github",
        "--html",
        "out.html",
        "--json",
        "out.json",
        "chatroom.yaml",
    ];
    env.run(&verify).expect_code(0).expect_absent("::error");
    let written = env.read("summary.md");
    assert!(written.starts_with("# Before\n## The chatroom is proven to work\n"), "{written}");
    assert!(written.contains("| ✅ passed | `redis.path` |"), "{written}");
    let page = env.read("out.html");
    for part in
        ["http://example.com:5000/ works", "Redis on ecs03", "ecs02", "half within", "latency histogram"]
    {
        assert!(page.contains(part), "no {part} in {page}");
    }
    with_redis_stopped(&env, || {
        let told = env.run(&verify).expect_code(4);
        let errors: Vec<&str> = told.stdout.lines().filter(|line| line.starts_with("::")).collect();
        // Which check is the first to notice depends on how soon the load balancer does.
        let told_of: Vec<String> = failed_by_itself(&env)
            .iter()
            .map(|name| format!("::error title=albatross%3A {name}::"))
            .collect();
        assert!(!told_of.is_empty());
        assert_eq!(errors.len(), told_of.len(), "{errors:?}");
        assert!(
            errors.iter().zip(&told_of).all(|(error, title)| error.starts_with(title)),
            "{errors:?} of {told_of:?}"
        );
        let written = env.read("summary.md");
        assert!(written.contains("## The chatroom is not proven to work"), "{written}");
        assert!(env.read("out.html").contains("http://example.com:5000/ is not proven to work"));
    });
}

#[test]
fn a_summary_that_cannot_be_written_is_an_error() {
    if lacks_redis("a_summary_that_cannot_be_written_is_an_error") {
        return;
    }
    let mut env = TestEnv::with_chatroom();
    let path = env.file("nowhere/summary.md").display().to_string();
    env.set("GITHUB_STEP_SUMMARY", &path);
    env.run(&["--local", "verify", "--quick", "--github", "chatroom.yaml"])
        .expect_code(1)
        .expect_in_order(&["nowhere/summary.md", "help: choose another file"]);
}

/// The checks that failed and were reached, as the report in JSON has them.
fn failed_by_itself(env: &TestEnv) -> Vec<String> {
    let report: serde_json::Value = serde_json::from_str(&env.read("out.json")).expect("JSON");
    let checks = report["checks"].as_array().expect("checks");
    checks
        .iter()
        .filter(|check| {
            let sentence = check["sentence"].as_str().expect("a sentence");
            check["status"] == "failed" && !sentence.starts_with("not reached")
        })
        .map(|check| check["id"].as_str().expect("an id").to_owned())
        .collect()
}

/// What it came to in the last round that was written.
fn last_round(env: &TestEnv) -> Option<bool> {
    let text = std::fs::read_to_string(env.file("out.json")).ok()?;
    serde_json::from_str::<serde_json::Value>(&text).ok()?["passed"].as_bool()
}

#[test]
fn a_watch_goes_on_and_ends_as_its_last_round_did() {
    if lacks_redis("a_watch_goes_on_and_ends_as_its_last_round_did") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let watch = ["--local", "verify", "--quick", "--watch=1", "--json", "out.json", "chatroom.yaml"];
    let watching = env.start(&watch);
    wait_for("a round that passes", || (last_round(&env) == Some(true)).then_some(()));
    with_redis_stopped(&env, || {
        wait_for("a round that fails", || (last_round(&env) == Some(false)).then_some(()));
        watching.signal(Signal::INT);
        let said = watching.finish().expect_code(4).expect_in_order(&[
            "Watching http://example.com:5000/ until Ctrl-C",
            "Z passed dns.cname: ",
            "Z passed message.a_to_b: ",
            "Z round 1: 13 checks passed, 0 failed, 4 skipped",
            "Z FAILED message.a_to_b: expected `a-",
        ]);
        // What has not changed is not said again.
        assert_eq!(said.stdout.matches("Z passed dns.cname: ").count(), 1, "{}", said.stdout);
    });
    std::fs::remove_file(env.file("out.json")).expect("it was written");
    let watching = env.start(&watch);
    wait_for("a round that passes", || (last_round(&env) == Some(true)).then_some(()));
    watching.signal(Signal::INT);
    watching.finish().expect_code(0);
}

#[test]
fn a_watch_refuses_what_makes_no_sense() {
    let env = TestEnv::new();
    for (option, said) in [("--watch=0", "0 is not in 1..=86400"), ("--watch=soon", "invalid digit")] {
        env.run(&["verify", option, "chatroom.yaml"]).expect_code(64).expect_in_order(&[said]);
    }
    env.run(&["verify", "--watch", "--github", "chatroom.yaml"])
        .expect_code(64)
        .expect_in_order(&["cannot be used with '--github'"]);
}

/// On a terminal, even one of forty columns, each check keeps its line.
#[test]
fn a_watch_on_a_terminal_keeps_one_line_a_check() {
    if lacks_redis("a_watch_on_a_terminal_keeps_one_line_a_check") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let terminal = r#"
import fcntl, json, os, pty, signal, struct, sys, termios, time
columns, result, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
child, screen = pty.fork()
if child == 0:
    os.execv(command[0], command)
fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
said, deadline, rounds = b"", time.monotonic() + 60, 0
while time.monotonic() < deadline:
    try:
        said += os.read(screen, 65536)
    except OSError:
        break
    if rounds == 0 and b"round 2" in said:
        rounds = 2
        os.write(screen, b"\x03")
_, status = os.waitpid(child, 0)
with open(result, "w") as file:
    json.dump({"said": said.decode(errors="replace"), "status": os.waitstatus_to_exitcode(status)}, file)
"#;
    env.write("terminal.py", terminal);
    let watch = env.command(&["--local", "verify", "--quick", "--watch=1", "chatroom.yaml"]);
    let mut python = std::process::Command::new("python3");
    python
        .arg(env.file("terminal.py"))
        .args(["40", "said.json"])
        .arg(watch.get_program())
        .args(watch.get_args());
    python.current_dir(env.folder()).env_clear().env("TERM", "xterm");
    let kept = watch.get_envs().filter_map(|(name, value)| Some((name, value?)));
    python.envs(kept);
    let ended = python.output().expect("python3 starts");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let seen: serde_json::Value = serde_json::from_str(&env.read("said.json")).expect("JSON");
    assert_eq!(seen["status"], 0, "{seen}");
    let said = seen["said"].as_str().expect("a text");
    let last = said.rsplit("round 2").next().expect("the last screen");
    let plain = regex::Regex::new("\u{1b}\\[[0-9;?]*[A-Za-z]").expect("a pattern").replace_all(last, "");
    let plain = plain.replace("^C", "");
    // Each line fills the terminal, so that the next begins without a line's end.
    let cells: Vec<char> = format!("round 2{plain}").chars().filter(|cell| !"\r\n".contains(*cell)).collect();
    let lines: Vec<String> = cells.chunks(40).map(|line| line.iter().collect()).collect();
    assert_eq!(lines.len(), 1 + CHECKS.len(), "{lines:#?}");
    let time = regex::Regex::new(r" \d\d:\d\d:").expect("a pattern");
    for (line, check) in lines[1..].iter().zip(CHECKS) {
        let is_said =
            line.starts_with(&format!("passed  {check} ")) || line.starts_with(&format!("skipped {check} "));
        assert!(is_said && time.is_match(line), "{lines:#?}");
    }
}
