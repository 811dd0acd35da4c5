//! A folder of its own for each test, in which the built program runs with nothing of the machine's environment.
//!
//! [`TestEnv`] is the folder, the environment and the local cloud that ends with it; [`Run`] is what a command did;
//! [`process::Running`] is one that is still at work.

#[path = "../../support/cargo.rs"]
mod cargo;
pub(crate) mod cloud;
pub(crate) mod key_service;
pub(crate) mod people;
pub(crate) mod played;
pub(crate) mod process;
pub(crate) mod terminal;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use regex::Regex;
use serde_json::Value;

use self::cargo::cargo_build;
use self::cloud::LocalCloud;
use self::process::Running;

/// The program under test.
pub(crate) const ALBATROSS: &str = env!("CARGO_BIN_EXE_albatross");

/// What an applied chatroom is to the cloud: disks of instances and the parts an ALB makes by itself included.
pub(crate) const CHATROOM_RESOURCES: [(&str, u64); 15] = [
    ("disk", 3),
    ("dns_record", 1),
    ("eip", 2),
    ("instance", 3),
    ("key_pair", 1),
    ("listener", 1),
    ("load_balancer", 1),
    ("managed_security_group", 1),
    ("network_interface", 2),
    ("security_group", 1),
    ("security_group_rule", 5),
    ("server", 2),
    ("server_group", 1),
    ("vpc", 1),
    ("vswitch", 2),
];

/// The folder of the three programs. The two that `albatross` starts are built first, once, in the profile of this
/// test, so that no test runs a stale one.
pub(crate) fn programs() -> &'static Path {
    static BUILT: OnceLock<Result<(), String>> = OnceLock::new();
    if let Err(error) = BUILT.get_or_init(build) {
        panic!("the programs could not be built:\n{error}");
    }
    Path::new(ALBATROSS).parent().expect("a program is in a folder")
}

fn build() -> Result<(), String> {
    let folder = Path::new(ALBATROSS).parent().and_then(Path::file_name).expect("a folder of a profile");
    let profile = if folder == "debug" { "dev" } else { folder.to_str().expect("a profile's name") };
    // The whole workspace with its tests, as `cargo test` builds it: less would be built anew with other features of the
    // same dependencies.
    let built = cargo_build(&["--test", "it", "--profile", profile]).output().expect("cargo runs");
    if built.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&built.stderr).into_owned()) }
}

/// A program that goes with the one under test, built.
pub(crate) fn program(name: &str) -> PathBuf {
    programs().join(name)
}

/// A folder, an environment, and perhaps a local cloud.
pub(crate) struct TestEnv {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
    path: String,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Run {
    /// Its exit code; none when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A second stack that has nothing of its own but its nodes: VPC and vSwitches, group and load balancer are there.
pub(crate) fn guest((vpc, a, b): (&str, &str, &str), group: &str, balancer: &str) -> String {
    format!(
        "stack: guest
region: cn-hangzhou
network:
  vpc: {{ id: {vpc} }}
  vswitches:
    a: {{ zone: cn-hangzhou-h, cidr: 192.168.0.0/24, id: {a} }}
    b: {{ zone: cn-hangzhou-i, cidr: 192.168.1.0/24, id: {b} }}
  security_group: {{ id: {group} }}
ssh:
  allow_from: [198.51.100.0/24]
node:
  port: 5001
load_balancer:
  id: {balancer}
  listener: {{ port: 5001 }}
dns:
  domain: example.com
  host: guest
"
    )
}

impl TestEnv {
    /// A fresh folder with the chatroom's topology in it.
    pub(crate) fn new() -> Self {
        programs();
        let folder = tempfile::Builder::new().prefix("albatross-it-").tempdir().expect("a temporary folder");
        let path = std::env::var("PATH").expect("a search path");
        let env = Self { folder, variables: Vec::new(), path };
        env.write("chatroom.yaml", example());
        env
    }

    /// The same with a local cloud that runs.
    pub(crate) fn with_cloud(arguments: &[&str]) -> Self {
        let env = Self::new();
        env.cloud_up(arguments);
        env
    }

    /// The same with a cloud that has no machines and takes no time.
    pub(crate) fn with_control_plane() -> Self {
        Self::with_cloud(&["--hosts", "none", "--pace", "instant"])
    }

    /// The same with a chatroom that is up.
    pub(crate) fn with_chatroom() -> Self {
        let env = Self::with_cloud(&["--pace", "instant"]);
        env.run(&["--local", "apply", "--yes", "chatroom.yaml"]).expect_code(0);
        env
    }

    pub(crate) fn cloud_up(&self, arguments: &[&str]) {
        self.run(&[&["cloud", "up"], arguments].concat()).expect_code(0);
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.file(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
        fs::write(path, text).expect("writable");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Writes a copy of the chatroom's topology in which something else stands.
    pub(crate) fn write_changed(&self, name: &str, changes: &[(&str, &str)]) {
        let text = changes.iter().fold(example(), |text, (from, to)| {
            assert!(text.contains(from), "the example has no `{from}`");
            text.replace(from, to)
        });
        self.write(name, text);
    }

    /// From now on commands have this variable.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// From now on programs are looked for in this folder first.
    pub(crate) fn search_first(&mut self, folder: &Path) {
        self.path = format!("{}:{}", folder.display(), self.path);
    }

    /// The program with these arguments, in this environment and nothing else.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(ALBATROSS);
        command
            .args(arguments)
            .current_dir(self.folder())
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", self.folder())
            .env("XDG_CONFIG_HOME", self.file("config"))
            .env("TMPDIR", self.folder())
            .env("TZ", "UTC")
            // No test asks an address outside this machine.
            .env("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
            // Whether an image for machine hosts was built here decides nothing.
            .env("MOCK_CLOUD_IMAGES", self.file("images"))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::from(self.command(arguments).output().expect("the program starts"))
    }

    /// Starts the program.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.command(arguments))
    }

    /// Starts a command and kills it when it says a line.
    #[track_caller]
    pub(crate) fn kill_at(&self, line: &str, arguments: &[&str]) {
        let mut command = self.start(arguments);
        command.wait_for_line(line);
        command.kill();
    }

    /// Kills `--local VERB --yes chatroom.yaml` when it says a line.
    #[track_caller]
    pub(crate) fn kill_local_at(&self, line: &str, verb: &str) {
        self.kill_at(line, &["--local", verb, "--yes", "chatroom.yaml"]);
    }

    /// `--local VERB chatroom.yaml`, with `--yes` where it changes something.
    pub(crate) fn local(&self, verb: &str) -> Run {
        match verb {
            "apply" | "destroy" | "deploy" => self.run(&["--local", verb, "--yes", "chatroom.yaml"]),
            _ => self.run(&["--local", verb, "chatroom.yaml"]),
        }
    }

    /// The checks that do not take longer than the listener's timeouts.
    pub(crate) fn verify(&self) -> Run {
        self.run(&["--local", "verify", "--quick", "chatroom.yaml"])
    }

    /// The local cloud of this folder.
    pub(crate) fn cloud(&self) -> LocalCloud {
        LocalCloud::of(&self.read(".albatross/local/cloud.json"))
    }

    /// Folder of the chatroom's state.
    pub(crate) fn state(&self) -> PathBuf {
        let account = self.cloud().account_id();
        self.file(".albatross").join(account).join("cn-hangzhou").join("chatroom")
    }

    #[track_caller]
    pub(crate) fn expect_empty_plan(&self) {
        let plan = self.run(&["--local", "plan", "--detailed-exitcode", "chatroom.yaml"]).expect_code(0);
        assert!(plan.stdout.contains("No changes: 25 resources as the topology says."), "{plan:?}");
    }

    /// Nothing twice, nothing too many, nothing to do.
    #[track_caller]
    pub(crate) fn expect_exactly_the_chatroom(&self) {
        self.expect_empty_plan();
        let expected: Value = CHATROOM_RESOURCES
            .iter()
            .map(|(kind, number)| ((*kind).to_owned(), Value::from(*number)))
            .collect();
        let mut found = self.cloud().status()["resources_by_kind"].clone();
        let kinds = found.as_object_mut().expect("numbers by kind");
        // The cloud also counts what a chatroom has none of.
        kinds.retain(|_, number| *number != 0);
        assert_eq!(found, expected);
    }

    /// Destroys and asks the cloud itself.
    #[track_caller]
    pub(crate) fn expect_destroyed_to_nothing(&self) {
        let destroyed = self.local("destroy").expect_code(0);
        assert!(destroyed.stdout.ends_with("0 resources left\n"), "{destroyed:?}");
        self.cloud().wait_until_empty();
    }
}

impl Drop for TestEnv {
    fn drop(&mut self) {
        if !self.file(".albatross/local/cloud.json").exists() {
            return;
        }
        let ended = self.command(&["cloud", "down"]).output();
        // A second panic would hide the first one.
        if !std::thread::panicking() {
            assert!(ended.is_ok_and(|ended| ended.status.success()), "the local cloud did not end");
        }
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes text");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Run {
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.shown());
        self
    }

    /// Every part stands in what was written, in this order.
    #[track_caller]
    pub(crate) fn expect_in_order(self, parts: &[&str]) -> Self {
        let said = format!("{}{}", self.stdout, self.stderr);
        let mut rest = said.as_str();
        for part in parts {
            let Some(at) = rest.find(part) else {
                panic!("`{part}` is not where it should be in\n{}", self.shown());
            };
            rest = &rest[at + part.len()..];
        }
        self
    }

    #[track_caller]
    pub(crate) fn expect_absent(self, part: &str) -> Self {
        assert!(!self.stdout.contains(part) && !self.stderr.contains(part), "`{part}` in\n{}", self.shown());
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{}", self.shown()))
    }

    fn shown(&self) -> String {
        format!("exit {:?}\n-- stdout\n{}\n-- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

/// The text of the example that all tests begin with. A release counts as soon as it is ready: no test waits for more.
pub(crate) fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/chatroom.yaml");
    let text = fs::read_to_string(path).expect("the example is there");
    let (before, after) = text.split_once("\n  port: 5000\n\nload_balancer").expect("the node's port");
    format!("{before}\n  rollout: {{ min_healthy_time: 0s }}\n  port: 5000\n\nload_balancer{after}")
}

/// A text in which ids, ports and times have names.
pub(crate) fn redacted(text: &str) -> String {
    let rules = [
        (r"\b(vpc|vsw|sg|i|alb|lsn|sgp)-[0-9a-z]{15,}", "[ID]"),
        (r"\b127\.\d+\.\d+\.\d+(:\d+)?", "[ADDRESS]"),
        (r"\b\d+(\.\d)? (s|ms)\b", "[TIME]"),
        (r"\b[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\b", "[REQUEST]"),
        (r"/\S*albatross-it-[^/\s]+", "[FOLDER]"),
    ];
    rules.iter().fold(text.to_owned(), |text, (pattern, name)| {
        Regex::new(pattern).expect("a pattern").replace_all(&text, *name).into_owned()
    })
}
