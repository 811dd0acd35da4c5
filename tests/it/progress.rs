//! What people see while a plan is made true: lines that change on a terminal, lines that stay elsewhere, where the time
//! went; and how much is said with `--quiet`, `--verbose` and `--color`.

use std::io::Read;
use std::process::{Command, Stdio};

use rustix::termios::{Winsize, tcsetwinsize};

use crate::docs::regex;
use crate::parts::lacks_redis;
use crate::support::{Run, TestEnv, terminal};

/// A stack without machines' insides.
fn env() -> TestEnv {
    TestEnv::with_cloud(&["--hosts", "none"])
}

fn apply(env: &TestEnv, options: &[&str]) -> Run {
    env.run(&[&["--local", "apply", "--yes", "chatroom.yaml"], options].concat()).expect_code(0)
}

/// Runs a command whose standard error is a terminal of so many columns; what the terminal was sent.
fn on_a_terminal(mut command: Command, columns: u16) -> String {
    let (mut terminal, far_end) = terminal::open();
    let size = Winsize { ws_row: 40, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal, size).expect("its size is set");
    command.stdout(Stdio::null()).stderr(Stdio::from(far_end));
    // The command keeps the far end open for as long as it is there.
    let mut child = command.spawn().expect("the program starts");
    drop(command);
    let mut sent = Vec::new();
    // It ends with an error: see there.
    let _ = terminal.read_to_end(&mut sent);
    child.wait().expect("it is ours");
    String::from_utf8(sent).expect("text")
}

/// What was written between one movement of the cursor and the next.
fn pieces(sent: &str) -> Vec<String> {
    let movement = regex(r"\x1b\[[0-9;?]*[A-Za-ln-z]|[\r\n]");
    let style = regex(r"\x1b\[[0-9;]*m");
    movement.split(sent).map(|piece| style.replace_all(piece, "").trim_end().to_owned()).collect()
}

/// The rows of a terminal that a piece fills: a line that changes is filled up with blanks, so that the next one begins
/// in the next row.
fn rows(piece: &str, columns: u16) -> Vec<String> {
    let letters: Vec<char> = piece.chars().collect();
    let rows = letters.chunks(columns.into());
    rows.map(|row| row.iter().collect::<String>().trim_end().to_owned()).collect()
}

/// An apply on a terminal with this locale: its rows.
fn shown(columns: u16, variables: &[(&str, &str)]) -> Vec<String> {
    let env = env();
    let mut command = env.command(&["--local", "apply", "--yes", "chatroom.yaml"]);
    command.env("TERM", "xterm-256color").envs(variables.iter().copied());
    let pieces = pieces(&on_a_terminal(command, columns));
    pieces.iter().flat_map(|piece| rows(piece, columns)).collect()
}

const LIVE: &str = r"^  [|/\\⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏-] +\d+ s of +\d+ s  ";

fn live(pieces: &[String]) -> Vec<&String> {
    let live = regex(LIVE);
    pieces.iter().filter(|piece| live.is_match(piece)).collect()
}

#[test]
fn each_thing_under_way_has_a_line_with_its_time_and_the_usual_one() {
    let shown = shown(100, &[("LANG", "en_US.UTF-8")]);
    for what in
        ["load_balancer.main: create", "vswitch.a: create", r"[a-z_]+\.[^ ]+: waiting for \w+, is \w+"]
    {
        let line = regex(&format!(r"^  [⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] +\d+ s of +\d+ s  {what}"));
        assert!(live(&shown).iter().any(|shown| line.is_match(shown)), "{what}: {shown:#?}");
    }
    let done = regex(r"^   ✓ vpc.main: done in \d+(\.\d)? m?s  vpc-");
    assert!(shown.iter().any(|piece| done.is_match(piece)), "{shown:#?}");
    assert!(shown.iter().any(|piece| piece.contains(" → ")), "the critical path: {shown:#?}");
}

#[test]
fn a_narrow_terminal_cuts_lines_and_wraps_none() {
    let beginning = regex("^  [⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] ");
    for columns in [40, 12] {
        let env = env();
        let mut command = env.command(&["--local", "apply", "--yes", "chatroom.yaml"]);
        command.env("TERM", "xterm-256color").env("LC_ALL", "C.UTF-8");
        let pieces = pieces(&on_a_terminal(command, columns));
        let lines = pieces.iter().filter(|piece| beginning.is_match(piece));
        let rows: Vec<String> = lines.flat_map(|piece| rows(piece, columns)).collect();
        assert!(rows.len() > 10, "{pieces:#?}");
        assert!(rows.iter().all(|row| beginning.is_match(row)), "each row is a line: {rows:#?}");
        let longest = rows.iter().map(|row| row.chars().count()).max();
        assert_eq!(longest, Some(usize::from(columns)), "the width is used");
    }
}

#[test]
fn a_locale_without_utf_8_has_ascii_and_the_first_variable_that_says_anything_counts() {
    for variables in
        [&[][..], &[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")], &[("LC_CTYPE", "C"), ("LANG", "C.UTF-8")]]
    {
        let shown = shown(100, variables);
        assert!(shown.iter().all(|piece| piece.is_ascii()), "{variables:?}: {shown:#?}");
        assert!(!live(&shown).is_empty(), "{shown:#?}");
        assert!(shown.iter().any(|piece| piece.starts_with("  ok vpc.main: done in ")), "{shown:#?}");
    }
}

/// It cannot go back to the beginning of a line.
#[test]
fn a_dumb_terminal_has_lines_that_stay_in_ascii_and_without_a_sequence() {
    let env = env();
    let mut command = env.command(&["--local", "apply", "--yes", "chatroom.yaml"]);
    command.env("TERM", "dumb").env("LANG", "en_US.UTF-8");
    let sent = on_a_terminal(command, 100);
    assert!(sent.is_ascii() && !sent.contains('\x1b'), "{sent}");
    assert!(sent.contains(" s  ok vpc.main: done in "), "{sent}");
}

#[test]
fn without_a_terminal_each_line_begins_with_the_time_since_the_beginning() {
    let applied = apply(&env(), &[]);
    let line = regex(r"^ {0,5}\d+\.\d s  (\.\.|ok|  ) [a-z_]+\.[^ ]+: ");
    let (lines, _) = applied.stderr.split_once("\n\n").expect("the times come behind a line");
    // The first one says that this cloud has no machines.
    assert!(lines.lines().skip(1).all(|one| line.is_match(one)), "{lines}");
    let times =
        lines.lines().skip(1).filter_map(|one| one.trim_start().split(' ').next()?.parse::<f64>().ok());
    let times: Vec<f64> = times.collect();
    assert!(times.is_sorted() && times.first() < times.last(), "{times:?}");
}

#[test]
fn at_the_end_it_says_where_the_time_went_where_there_was_more_than_a_little_to_do() {
    let env = env();
    let applied = apply(&env, &[]);
    let block = applied.stderr.split("\n\n").last().expect("the last block");
    let shape = regex(
        r"^Where the time went: [\d.]+ s in all, \d+ (second|minute)s? expected\n  longest        load_balancer\.main [\d.]+ s, (?s).*\n  critical path  vpc\.main .*\n$",
    );
    assert!(shape.is_match(block), "{block}");
    assert!(block.lines().count() <= 8 && block.lines().all(|line| line.len() <= 80), "{block}");
    env.write_changed("chatroom.yaml", &[("idle_timeout: 60s", "idle_timeout: 50s")]);
    apply(&env, &[]).expect_absent("Where the time went");
}

#[test]
fn quiet_leaves_the_last_line_and_errors() {
    let env = env();
    let quiet = |verb: &str| env.run(&["--local", verb, "--yes", "-q", "chatroom.yaml"]);
    let said = |run: Run| {
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
        run.stdout
    };
    assert_eq!(said(quiet("apply")), "Done: 22 created.\n");
    assert_eq!(said(quiet("apply")), "No changes: 22 resources as the topology says.\n");
    assert_eq!(said(quiet("destroy")), "0 resources left\n");
    env.cloud().refuse_first("Vpc.CreateVpc", 400, "QuotaExceeded.Vpc");
    let refused = quiet("apply").expect_code(3);
    assert_eq!(refused.stdout, "");
    refused.expect_in_order(&[" done, 1 failed", "error: ", "help: "]).expect_absent(" ok ");
    let asked = env.run(&["--local", "apply", "--quiet", "chatroom.yaml"]).expect_code(64);
    asked.expect_in_order(&["nobody can be asked", "--quiet"]);
}

#[test]
fn a_quiet_proof_is_its_last_line() {
    if lacks_redis("a_quiet_proof_is_its_last_line") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let proved = env.run(&["--local", "verify", "--quick", "--quiet", "chatroom.yaml"]).expect_code(0);
    let counts = regex(r"^\d+ checks passed, 0 failed, \d+ skipped in [\d.]+ m?s\n$");
    assert!(counts.is_match(&proved.stdout) && proved.stderr.is_empty(), "{proved:?}");
    let smoked = env.run(&["smoke", "--quick", "--quiet", "chatroom.yaml"]).expect_code(0);
    assert!(regex(r"^smoke took [\d.]+ s\n$").is_match(&smoked.stdout), "{smoked:?}");
    assert_eq!(smoked.stderr, "");
}

#[test]
fn verbose_tells_each_call_with_its_id_and_time_and_no_secret() {
    let env = env();
    let before = env.cloud().call_log().len();
    let applied = apply(&env, &["--verbose"]);
    let line = regex(
        r"(?m)^\d{4}-\d\d-\d\dT\S+Z +INFO [a-z-]+:(\w+) status=200 request_id=[0-9A-F-]{36} took=\d+\.\dms$",
    );
    let told: Vec<String> = line.captures_iter(&applied.stderr).map(|found| found[1].to_owned()).collect();
    let log = env.cloud().call_log();
    let sent = log[before..].iter().filter_map(|call| call["operation"].as_str()?.split('.').nth(1));
    let sorted = |mut actions: Vec<String>| {
        actions.sort();
        actions
    };
    assert_eq!(sorted(told), sorted(sent.map(str::to_owned).collect()), "{}", applied.stderr);
    for secret in [env.cloud().access_key_secret(), env.cloud().access_key_id(), "Signature".to_owned()] {
        assert!(!applied.stderr.contains(&secret), "`{secret}` in\n{}", applied.stderr);
    }
    apply(&env, &[]).expect_absent("INFO");
    env.run(&["--local", "plan", "-q", "-v", "chatroom.yaml"]).expect_code(64);
}

#[test]
fn colours_follow_the_option_then_the_variables() {
    let mut env = TestEnv::new();
    let has_colors = |env: &TestEnv, options: &[&str]| {
        let run = env.run(&[&["cloud", "status"], options].concat()).expect_code(1);
        run.stderr.contains('\x1b')
    };
    assert!(!has_colors(&env, &[]), "a pipe is no terminal");
    assert!(has_colors(&env, &["--color", "always"]));
    env.set("CLICOLOR_FORCE", "1");
    assert!(has_colors(&env, &[]));
    assert!(!has_colors(&env, &["--color=never"]));
    env.set("NO_COLOR", "1");
    assert!(!has_colors(&env, &["--color=auto"]), "NO_COLOR goes before CLICOLOR_FORCE");
    assert!(has_colors(&env, &["--color=always"]), "who types the option means it");
}

#[test]
fn a_terminal_has_colours_unless_a_variable_says_no() {
    let env = TestEnv::new();
    let colored = |variables: &[(&str, &str)]| {
        let mut failing = env.command(&["cloud", "status"]);
        failing.env("TERM", "xterm").envs(variables.iter().copied());
        on_a_terminal(failing, 100).contains('\x1b')
    };
    assert!(colored(&[]));
    assert!(!colored(&[("NO_COLOR", "1")]));
    assert!(!colored(&[("CLICOLOR", "0")]));
}
