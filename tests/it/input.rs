//! Bad input: one clear message each, at once, with its place in the file.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use snapbox::{assert_data_eq, str};

use crate::support::{Run, TestEnv, example};

/// What a person calls at once, on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Every command that reads a topology refuses it in the same way.
#[track_caller]
fn refused(env: &TestEnv, file: &str, code: i32) -> Run {
    let begun = Instant::now();
    let run = env.run(&["validate", file]).expect_code(code);
    assert!(begun.elapsed() < AT_ONCE, "it took {:?}", begun.elapsed());
    let planned = env.run(&["plan", file]);
    assert_eq!((planned.code, &planned.stderr), (run.code, &run.stderr));
    assert_eq!(run.stdout, "");
    run
}

/// Where something stands in a text, as `file:line:column`.
fn place(file: &str, text: &str, part: &str) -> String {
    let before = &text[..text.find(part).expect("it stands there")];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    format!("{file}:{}:{}", before.matches('\n').count() + 1, before.len() - line_start + 1)
}

#[test]
fn a_huge_file() {
    let env = TestEnv::new();
    env.write("huge.yaml", "# filler\n".repeat(10 * 1024 * 1024 / 9));
    assert_data_eq!(
        refused(&env, "huge.yaml", 65).stderr,
        str![[r#"
error[file-too-large]: the file is too large for a topology
 |
 = note: huge.yaml: it has more than 1024 KiB
 = help: check that this is the file you meant

huge.yaml: 1 error

"#]]
    );
}

#[test]
fn an_alias_bomb() {
    let env = TestEnv::new();
    let levels = (1..10)
        .map(|level| format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", ")));
    env.write("bomb.yaml", format!("a0: &a0 [x]\n{}", levels.collect::<String>()));
    assert_data_eq!(
        refused(&env, "bomb.yaml", 65).stderr,
        str![[r#"
error[syntax]: the topology cannot be read
 --> bomb.yaml:5:15
  |
5 | a4: &a4 [*a3, *a3, *a3, *a3, *a3, *a3, *a3, *a3, *a3, *a3]
  |               ^^^ its aliases stand for more than 10000 values
  |
  = help: write the values out, or use fewer aliases

bomb.yaml: 1 error

"#]]
    );
}

#[test]
fn bytes_that_are_no_text() {
    let env = TestEnv::new();
    env.write("bytes.yaml", b"stack: chatroom\nregion: \xff\xfe\n");
    assert_data_eq!(
        refused(&env, "bytes.yaml", 65).stderr,
        str![[r#"
error[not-utf-8]: the file is not UTF-8 text
 |
 = note: bytes.yaml: line 2 has a byte that is not UTF-8
 = help: save it as UTF-8

bytes.yaml: 1 error

"#]]
    );
}

#[test]
fn a_file_that_is_not_there() {
    let env = TestEnv::new();
    assert_data_eq!(
        refused(&env, "missing.yaml", 64).stderr,
        str![[r#"
error: cannot read the topology `missing.yaml`
  caused by: No such file or directory (os error 2)
help: give the path of a topology, such as examples/chatroom.yaml

"#]]
    );
}

#[test]
fn a_folder() {
    let env = TestEnv::new();
    std::fs::create_dir(env.file("folder")).expect("writable");
    assert_data_eq!(
        refused(&env, "folder", 64).stderr,
        str![[r#"
error: cannot read the topology `folder`
  caused by: Is a directory (os error 21)
help: give the path of a topology, such as examples/chatroom.yaml

"#]]
    );
}

/// A topology that names a key.
fn with_key(env: &TestEnv, key: &str) -> String {
    let text = example().replace("\nssh:\n", &format!("\nssh:\n  key: {key}\n"));
    env.write("keyed.yaml", &text);
    place("keyed.yaml", &text, key)
}

#[test]
fn a_key_that_is_not_there() {
    let env = TestEnv::new();
    let place = with_key(&env, "keys/mine");
    refused(&env, "keyed.yaml", 65).expect_in_order(&[
        "error[key-missing]: the key `keys/mine` cannot be read",
        &place,
        "key: keys/mine",
        "No such file or directory",
        "help: write the path of a private key, or leave `key` out",
    ]);
}

#[test]
fn a_key_that_is_none() {
    let env = TestEnv::new();
    let place = with_key(&env, "keys/mine");
    env.write("keys/mine", "not a key\n");
    set_mode(&env, "keys/mine", 0o600);
    refused(&env, "keyed.yaml", 65).expect_in_order(&[
        "error[not-a-key]: `keys/mine` is not a key that can be used",
        &place,
        "help: write the path of a private key in OpenSSH form",
    ]);
}

#[test]
fn a_key_that_others_can_read() {
    let env = TestEnv::new();
    let place = with_key(&env, "keys/mine");
    env.write("keys/mine", "whatever\n");
    set_mode(&env, "keys/mine", 0o644);
    refused(&env, "keyed.yaml", 65).expect_in_order(&[
        "error[key-open]: the key `keys/mine` can be read by others",
        &place,
        "its mode is 644",
        "help: run `chmod 600 keys/mine`",
    ]);
}

fn set_mode(env: &TestEnv, name: &str, mode: u32) {
    std::fs::set_permissions(env.file(name), std::fs::Permissions::from_mode(mode)).expect("ours");
}

#[test]
fn https_without_a_certificate() {
    let env = TestEnv::new();
    let text = example().replace("protocol: http\n", "protocol: https\n");
    env.write("https.yaml", &text);
    refused(&env, "https.yaml", 65).expect_in_order(&[
        "error[",
        &place("https.yaml", &text, "https\n"),
        "certificate",
        "help:",
    ]);
}

#[test]
fn several_errors_are_shown_together() {
    let env = TestEnv::new();
    env.write_changed(
        "wrong.yaml",
        &[
            ("cidr: 192.168.1.0/24", "cidr: 192.168.0.128/25"),
            ("zone: cn-hangzhou-h", "zone: cn-beijing-h"),
            ("via: ecs01", "via: ecs09"),
            ("  on: ecs03 ", "  on: ecs3 "),
            ("idle_timeout:", "idel_timeout:"),
        ],
    );
    assert_data_eq!(
        refused(&env, "wrong.yaml", 65).stderr,
        str![[r#"
error[zone-outside-region]: zone `cn-beijing-h` is not in region `cn-hangzhou`
 --> wrong.yaml:9:16
  |
9 |     a: { zone: cn-beijing-h, cidr: 192.168.0.0/24 }  # an ALB needs two zones
  |                ^^^^^^^^^^^^ the zones of `cn-hangzhou` begin with its name
  |
  = help: write for example `cn-hangzhou-h`, or change `region`

error[cidr-overlap]: vSwitches `a` and `b` overlap
  --> wrong.yaml:10:37
   |
10 |     b: { zone: cn-hangzhou-i, cidr: 192.168.0.128/25 }
   |                                     ^^^^^^^^^^^^^^^^ 192.168.0.128/25 and 192.168.0.0/24 share addresses
   |
   = help: give each vSwitch a range of its own

error[unknown-instance]: no instance is called `ecs09`
  --> wrong.yaml:18:29
   |
18 |   ecs03: { vswitch: a, via: ecs09 }                   # no public address
   |                             ^^^^^ there is `ecs01`, `ecs02` or `ecs03`
   |
   = help: did you mean `ecs02`?

error[unknown-instance]: no instance is called `ecs3`
  --> wrong.yaml:21:7
   |
21 |   on: ecs3                                           # carries messages between the nodes
   |       ^^^^ there is `ecs01`, `ecs02` or `ecs03`
   |
   = help: did you mean `ecs03`?

error[unknown-field]: unknown field `idel_timeout`
  --> wrong.yaml:33:5
   |
33 |     idel_timeout: 60s                                 # a silent connection is cut after this
   |     ^^^^^^^^^^^^ `load_balancer.listener` has no such field
   |
   = help: did you mean `idle_timeout`?

wrong.yaml: 5 errors

"#]]
    );
}

#[test]
fn a_key_that_is_written_twice() {
    let env = TestEnv::new();
    let text = format!("{}\nstack: again\n", example());
    env.write("twice.yaml", &text);
    refused(&env, "twice.yaml", 65).expect_in_order(&[
        "error",
        &place("twice.yaml", &text, "stack: again"),
        "stack",
    ]);
}

#[test]
fn a_value_of_the_wrong_type() {
    let env = TestEnv::new();
    let text = example().replace("port: 5000\n\nload", "port: five thousand\n\nload");
    env.write("type.yaml", &text);
    refused(&env, "type.yaml", 65).expect_in_order(&[
        "error",
        &place("type.yaml", &text, "five thousand"),
        "five thousand",
    ]);
}
