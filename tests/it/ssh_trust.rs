//! Who logs in with which key, as whom, and whose word on host keys counts.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use albatross::ssh::{Identity, KeyKind};

use crate::machines::{assist, instance};
use crate::parts::{lacks_redis, missing};
use crate::rollout::{deploy, write_another_node};
use crate::ssh::pin_another_key;
use crate::support::cloud::wait_for;
use crate::support::{ALBATROSS, Run, TestEnv};

/// Whether a test has to be skipped for want of Redis or of one of these programs.
fn lacks(test: &str, programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let absent = |name: &&&str| !std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    if let Some(name) = programs.iter().find(absent) {
        missing(test, &format!("{name} is not installed"));
        return true;
    }
    lacks_redis(test)
}

/// Writes the chatroom with these lines under `ssh`.
fn write_ssh(env: &TestEnv, lines: &str) {
    env.write_changed("chatroom.yaml", &[("ssh:\n", &format!("ssh:\n{lines}"))]);
}

fn log_in(env: &TestEnv, host: &str) -> Run {
    env.run(&["--local", "ssh", "chatroom.yaml", host, "--", "hostname"])
}

#[test]
fn the_key_of_a_second_operator_is_added_and_that_of_the_first_stays() {
    if lacks_redis("the_key_of_a_second_operator_is_added_and_that_of_the_first_stays") {
        return;
    }
    let mut env = TestEnv::with_chatroom();
    let (first, second) =
        (env.file("config").display().to_string(), env.file("second").display().to_string());
    env.set("XDG_CONFIG_HOME", &second);
    log_in(&env, "ecs01").expect_code(1).expect_in_order(&[
        "error: ecs01: the key SHA256:",
        " is not accepted for user `root`",
        "help: `albatross --local apply chatroom.yaml` puts your key there through the Cloud Assistant",
    ]);
    env.local("plan").expect_code(0).expect_in_order(&["unknown until apply: ecs01: the key SHA256:"]);
    env.local("apply")
        .expect_code(0)
        .expect_in_order(&["adding the key for root through the Cloud Assistant"]);
    env.expect_empty_plan();
    env.local("apply").expect_code(0).expect_absent("adding the key");
    for home in [&second, &first] {
        env.set("XDG_CONFIG_HOME", home);
        for host in ["ecs01", "ecs02", "ecs03"] {
            assert_eq!(log_in(&env, host).expect_code(0).stdout, format!("{host}\n"));
        }
    }
}

#[test]
fn a_user_with_sudo_does_all_that_root_does() {
    if lacks_redis("a_user_with_sudo_does_all_that_root_does") {
        return;
    }
    let env = TestEnv::with_cloud(&["--pace", "instant", "--hosts", "process"]);
    env.local("apply").expect_code(0);
    let cloud = env.cloud();
    let rule = "printf '%s\\n' 'deploy ALL=(ALL) NOPASSWD: ALL' >>/etc/sudoers.d/deploy";
    let make = |host: &str, script: &str| {
        assert_eq!(assist(&cloud, &instance(&cloud, host), script), (0, String::new()), "{host}: {script}");
    };
    for host in ["ecs01", "ecs02", "ecs03"] {
        make(host, "useradd --create-home deploy");
    }
    make("ecs01", rule);
    make("ecs03", rule);
    let change = |ping: &str| {
        let ping = format!("  port: 5000\n  ping_interval: {ping}\n\nload");
        let ssh = "ssh:\n  user: deploy\n  sudo: true\n";
        env.write_changed("chatroom.yaml", &[("ssh:\n", ssh), ("  port: 5000\n\nload", &ping)]);
    };
    change("9s");
    env.local("apply").expect_code(3).expect_in_order(&[
        "error: ecs02: sudo does not let `deploy` do anything as root",
        "deploy is not allowed to run sudo on ecs02.",
        "resource: release.ecs02",
        "help: give `deploy` a line in `/etc/sudoers.d` of ecs02",
    ]);
    assert_eq!(log_in(&env, "ecs02").expect_code(0).stdout, "ecs02\n", "where sudo has to be mended");
    make("ecs02", rule);
    env.local("apply").expect_code(0);
    env.expect_empty_plan();
    // Files of root are put there and read, and the user alone could do neither.
    change("8s");
    env.local("apply").expect_code(0).expect_in_order(&["ecs01: release ", "which is there", "is ready"]);
    env.expect_empty_plan();
    write_another_node(&env, "other-node");
    deploy(&env, "other-node").expect_code(0).expect_in_order(&["ecs01: sending release", "is ready"]);
    env.local("apply").expect_code(0);
    env.expect_empty_plan();
    assert_eq!(log_in(&env, "ecs03").expect_code(0).stdout, "ecs03\n");
    let denied = env.run(&["--local", "ssh", "chatroom.yaml", "ecs01", "--", "rm", "-rf", "/opt"]);
    denied.expect_code(1).expect_in_order(&["rm: Permission denied"]);
    env.run(&["--local", "logs", "chatroom.yaml", "ecs01"]).expect_code(0).expect_in_order(&["chat-node"]);
    // One of them is logged into in another way than the others.
    let own = "  ecs02: { vswitch: b, access: public, ssh: { user: root, sudo: false } }";
    let text = env.read("chatroom.yaml").replace("  ecs02: { vswitch: b, access: public }", own);
    env.write("chatroom.yaml", text);
    env.expect_empty_plan();
    env.run(&["--local", "ssh", "chatroom.yaml", "ecs02", "--", "rm", "-f", "/nothing"]).expect_code(0);
}

/// Makes a key with ssh-keygen, and gives its private file.
fn keygen(env: &TestEnv, name: &str, kind: &str, passphrase: &str) -> PathBuf {
    let path = env.file(name);
    let made =
        Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", passphrase, "-f"]).arg(&path).status();
    assert!(made.expect("ssh-keygen is there").success());
    path
}

/// Runs a line of a shell in the environment of commands, without a terminal.
fn shell(env: &TestEnv, line: &str) -> Run {
    let plain = env.command(&[]);
    let mut command = Command::new("setsid");
    command.args(["--wait", "sh", "-c", line]).current_dir(env.folder()).env_clear().stdin(Stdio::null());
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Run::from(command.output().expect("a shell"))
}

#[test]
fn a_key_with_a_passphrase_is_asked_for_it_or_given_it() {
    let test = "a_key_with_a_passphrase_is_asked_for_it_or_given_it";
    if lacks(test, &["ssh-keygen", "setsid", "script"]) {
        return;
    }
    let env = TestEnv::with_cloud(&["--pace", "instant"]);
    keygen(&env, "key", "ed25519", "tulip");
    write_ssh(&env, "  key: key\n");
    env.write("right", "tulip\n");
    env.write("wrong", "rose\n");
    // Nobody is asked where nobody logs in.
    env.run(&["validate", "chatroom.yaml"]).expect_code(0);
    let apply = format!("{ALBATROSS} --local apply --yes chatroom.yaml");
    shell(&env, &apply).expect_code(1).expect_in_order(&[
        "is protected by a passphrase, and there is no terminal to ask for it",
        "help: give it with `--passphrase-fd 3 3<FILE`, or `ssh-add` the key and write `key: agent`",
    ]);
    shell(&env, &format!("{apply} --passphrase-fd 3 3<wrong"))
        .expect_code(1)
        .expect_in_order(&["the passphrase does not open the private key"]);
    assert_eq!(env.cloud().resources(), 0, "nothing was made");
    // The cloud takes no such key pair: this one is added on each machine.
    shell(&env, &format!("{apply} --passphrase-fd 3 3<right"))
        .expect_code(0)
        .expect_in_order(&["adding the key for root through the Cloud Assistant"]);
    let line = format!("{ALBATROSS} --local ssh chatroom.yaml ecs03 -- hostname");
    let plain = env.command(&[]);
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(env.folder());
    script.env_clear().envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut person = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("`script` starts");
    let (mut keys, mut screen) =
        (person.stdin.take().expect("a pipe"), person.stdout.take().expect("a pipe"));
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("Passphrase of ") {
        let mut piece = [0; 256];
        let count = screen.read(&mut piece).expect("readable");
        assert!(count > 0, "nobody was asked: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&piece[..count]);
    }
    keys.write_all(b"tulop\x7f\x7fip\r").expect("somebody reads");
    screen.read_to_end(&mut seen).expect("readable");
    let seen = String::from_utf8_lossy(&seen).into_owned();
    assert_eq!(person.wait().expect("it ends").code(), Some(0), "{seen}");
    assert!(seen.contains("ecs03") && !seen.contains("tul"), "{seen}");
}

/// A real ssh-agent, ended with the test.
struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    fn start(env: &TestEnv) -> Self {
        let socket = env.file("agent.sock");
        let child = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn();
        let agent = Self { child: child.expect("ssh-agent is there"), socket };
        wait_for("the agent listens", || UnixStream::connect(&agent.socket).ok());
        agent
    }

    fn add(&self, key: &Path) {
        let added = Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.socket).status();
        assert!(added.expect("ssh-add is there").success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn fingerprint(key: &Path) -> String {
    let public = fs::read_to_string(key.with_extension("pub")).expect("its public half");
    public.parse::<albatross::ssh::HostKey>().expect("a key").fingerprint()
}

#[test]
fn a_key_that_only_an_agent_has_logs_in() {
    let test = "a_key_that_only_an_agent_has_logs_in";
    if lacks(test, &["ssh-agent", "ssh-add", "ssh-keygen"]) {
        return;
    }
    let mut env = TestEnv::with_cloud(&["--pace", "instant"]);
    write_ssh(&env, "  key: agent\n");
    env.local("apply").expect_code(1).expect_in_order(&["SSH_AUTH_SOCK is not set", "help: start one with"]);
    let agent = Agent::start(&env);
    env.set("SSH_AUTH_SOCK", agent.socket.to_str().expect("plain letters"));
    env.local("apply").expect_code(1).expect_in_order(&["the SSH agent has no key that can be used"]);
    assert_eq!(env.cloud().resources(), 0, "nothing was made");
    // These hosts turn signatures with SHA-1 away.
    let rsa = keygen(&env, "rsa", "rsa", "");
    agent.add(&rsa);
    fs::remove_file(&rsa).expect("ours");
    env.local("apply").expect_code(0).expect_absent("adding the key");
    assert_eq!(log_in(&env, "ecs03").expect_code(0).stdout, "ecs03\n");

    let other = keygen(&env, "ed25519", "ed25519", "");
    agent.add(&other);
    log_in(&env, "ecs01").expect_code(1).expect_in_order(&[
        &format!("{}, {}", fingerprint(&rsa), fingerprint(&other)),
        "it is not said which is meant",
        "help: `ssh-add -l` lists what it has; write `key: { agent: SHA256:... }`",
    ]);
    write_ssh(&env, &format!("  key: {{ agent: \"{}\" }}\n", fingerprint(&other)));
    env.local("apply").expect_code(0).expect_in_order(&["adding the key for root"]);
    assert_eq!(log_in(&env, "ecs02").expect_code(0).stdout, "ecs02\n");
}

/// Finds a folder by its name.
fn find(below: &Path, name: &str) -> Option<PathBuf> {
    let folders = fs::read_dir(below).ok()?.flatten().filter(|entry| entry.path().is_dir());
    for entry in folders {
        if entry.file_name() == name {
            return Some(entry.path());
        }
        if let Some(found) = find(&entry.path(), name) {
            return Some(found);
        }
    }
    None
}

/// The line of the key that a process host has.
fn host_key(env: &TestEnv, host: &str) -> String {
    let id = instance(&env.cloud(), host).to_string();
    let root = find(env.folder(), &id).expect("the folder of a host");
    let line = fs::read_to_string(root.join("etc/ssh/ssh_host_ed25519_key.pub")).expect("its key");
    line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

fn address(env: &TestEnv, host: &str, which: &str) -> String {
    env.cloud().instance(host)[which].as_str().expect("an address").to_owned()
}

#[test]
fn known_hosts_decides_and_the_cloud_is_not_asked() {
    let test = "known_hosts_decides_and_the_cloud_is_not_asked";
    if lacks(test, &["ssh-keygen"]) {
        return;
    }
    let env = TestEnv::with_cloud(&["--pace", "instant", "--hosts", "process"]);
    write_ssh(&env, "  host_keys: known_hosts\n");
    env.local("apply").expect_code(3).expect_in_order(&[
        ": its host key is not known, and a key is never trusted on first use",
        "help: compare what `ssh-keyscan -p ",
    ]);
    assert!(env.cloud().calls().get("Ecs.RunCommand").is_none(), "{}", env.cloud().calls());
    let lines = |of_second: &str| {
        format!(
            "{} {}\n{} {of_second}\necs03 {}\n",
            address(&env, "ecs01", "public_address"),
            host_key(&env, "ecs01"),
            address(&env, "ecs02", "public_address"),
            host_key(&env, "ecs03"),
        )
    };
    env.write(".ssh/known_hosts", lines(&host_key(&env, "ecs02")));
    let hashed =
        Command::new("ssh-keygen").arg("-q").arg("-H").arg("-f").arg(env.file(".ssh/known_hosts")).output();
    assert!(hashed.expect("ssh-keygen").status.success());
    assert!(env.read(".ssh/known_hosts").starts_with("|1|"));
    env.local("apply").expect_code(0);
    env.expect_empty_plan();
    assert!(env.cloud().calls().get("Ecs.RunCommand").is_none(), "{}", env.cloud().calls());

    let (_, other) = Identity::generate(KeyKind::Ed25519, "another").expect("a key");
    env.write(".ssh/known_hosts", lines(&other));
    assert_eq!(log_in(&env, "ecs01").expect_code(0).stdout, "ecs01\n");
    log_in(&env, "ecs02").expect_code(1).expect_in_order(&[
        "error: ecs02: the host key has changed: expected SHA256:",
        "found SHA256:",
        "was reinstalled or replaced, the address belongs to another machine now, or somebody is between us",
        "help: go on only when the cloud itself shows the new fingerprint",
        "`ssh-keygen -R ADDRESS`",
    ]);
    let revoked = format!("@revoked * {}\n{}", host_key(&env, "ecs02"), lines(&host_key(&env, "ecs02")));
    env.write(".ssh/known_hosts", revoked);
    log_in(&env, "ecs02")
        .expect_code(1)
        .expect_in_order(&["error: ecs02: the host key SHA256:", "is revoked in `known_hosts`"]);
    env.write(".ssh/known_hosts", format!("@cert-authority * {other}\n"));
    log_in(&env, "ecs02")
        .expect_code(1)
        .expect_in_order(&["`known_hosts` has a @cert-authority for it, and certificates are not supported"]);

    // Back to the word of the cloud: what the operator knew is no pin of it.
    write_ssh(&env, "");
    env.local("apply").expect_code(0).expect_in_order(&["+ host_key.ecs01"]);
    env.expect_empty_plan();
    assert!(env.cloud().calls().get("Ecs.RunCommand").is_some());
}

#[test]
fn keys_that_are_pinned_in_the_topology_decide() {
    if lacks_redis("keys_that_are_pinned_in_the_topology_decide") {
        return;
    }
    let env = TestEnv::with_cloud(&["--pace", "instant", "--hosts", "process"]);
    env.local("apply").expect_code(0);
    let pins = |third: &str| {
        let id = instance(&env.cloud(), "ecs02");
        let (first, second) = (host_key(&env, "ecs01"), host_key(&env, "ecs02"));
        format!(
            "  host_keys:\n    pinned:\n      ecs01: {first}\n      {id}: {second}\n      ecs03: {third}\n"
        )
    };
    write_ssh(&env, &pins(&host_key(&env, "ecs03")));
    env.expect_empty_plan();
    // What the cloud says does not count any more.
    pin_another_key(&env, "ecs01");
    for host in ["ecs01", "ecs02", "ecs03"] {
        assert_eq!(log_in(&env, host).expect_code(0).stdout, format!("{host}\n"));
    }
    write_ssh(&env, &pins(&host_key(&env, "ecs01")));
    assert_eq!(log_in(&env, "ecs01").expect_code(0).stdout, "ecs01\n");
    log_in(&env, "ecs03").expect_code(1).expect_in_order(&[
        "error: ecs03: the host key has changed: expected SHA256:",
        "help: ",
        "then write the new one under `ssh.host_keys.pinned`",
    ]);
}

#[test]
fn a_password_for_sudo_that_is_not_where_the_topology_says_stops_before_anything_begins() {
    let mut env = TestEnv::with_cloud(&["--pace", "instant"]);
    write_ssh(&env, "  user: deploy\n  sudo: { password: { env: SUDO_SECRET } }\n");
    env.local("plan")
        .expect_code(1)
        .expect_in_order(&["the variable SUDO_SECRET is not set", "help: set SUDO_SECRET"]);
    env.set("SUDO_SECRET", "tulip");
    env.local("plan").expect_code(0);
    write_ssh(&env, "  user: deploy\n  sudo: { password: { file: secret } }\n");
    env.write("secret", "tulip\n");
    fs::set_permissions(env.file("secret"), fs::Permissions::from_mode(0o644)).expect("ours");
    env.local("plan")
        .expect_code(1)
        .expect_in_order(&["can be read by others: its mode is 644", "chmod 600"]);
    fs::set_permissions(env.file("secret"), fs::Permissions::from_mode(0o600)).expect("ours");
    env.local("plan").expect_code(0);
}
