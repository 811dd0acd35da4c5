//! Where a trial plays: a folder, an environment with nothing of the machine's, a cloud, and the commands.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use anyhow::{Context as _, ensure};
use tokio::process::{Child, Command};

use crate::cloud::{Cloud, PATIENCE};
use crate::point::Verb;
use crate::programs::Programs;

/// The topology of the project's example.
const EXAMPLE: &str = include_str!("../../examples/chatroom.yaml");
/// The file that every command is given.
const FILE: &str = "chatroom.yaml";

/// A release counts as soon as it is ready: nobody waits for it thousands of times.
const AT_ONCE: [(&str, &str); 1] =
    [("  port: 5000\n\nload_balancer", "  rollout: { min_healthy_time: 0s }\n  port: 5000\n\nload_balancer")];

/// What `update` changes: a setting of the nodes, the idle timeout, the record's TTL.
const UPDATES: [(&str, &str); 3] = [
    ("  port: 5000\n\nload_balancer", "  port: 5000\n  ping_interval: 8s\n\nload_balancer"),
    ("idle_timeout: 60s", "idle_timeout: 50s"),
    ("  host: \"@\"  ", "  ttl: 900\n  host: \"@\"  "),
];

/// What `replace` changes: the type of a node through which another instance is reached.
const REPLACEMENT: [(&str, &str); 1] = [(
    "ecs01: { vswitch: a, access: public }",
    "ecs01: { vswitch: a, access: public, types: [ecs.g7.large] }",
)];

impl Verb {
    /// The topology a command brings about, or removes.
    fn topology(self) -> anyhow::Result<String> {
        match self {
            Self::Apply => changed(EXAMPLE.to_owned(), &AT_ONCE),
            Self::Update => changed(Self::Apply.topology()?, &UPDATES),
            Self::Replace | Self::Destroy => changed(Self::Update.topology()?, &REPLACEMENT),
        }
    }

    /// The command whose end is this one's beginning.
    pub(crate) fn before(self) -> Option<Self> {
        match self {
            Self::Apply => None,
            Self::Update => Some(Self::Apply),
            Self::Replace => Some(Self::Update),
            Self::Destroy => Some(Self::Replace),
        }
    }

    fn arguments(self) -> [&'static str; 4] {
        let verb = match self {
            Self::Apply | Self::Update | Self::Replace => "apply",
            Self::Destroy => "destroy",
        };
        ["--local", verb, "--yes", FILE]
    }
}

/// Memory where there is any: every write of a journal waits for its disk, and machines are folders with many files.
fn scratch() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

fn changed(text: String, changes: &[(&str, &str)]) -> anyhow::Result<String> {
    changes.iter().try_fold(text, |text, (from, to)| {
        ensure!(text.contains(from), "the example has no `{from}`");
        Ok(text.replace(from, to))
    })
}

/// A place with a cloud of its own.
#[derive(Debug)]
pub(crate) struct Stage {
    folder: tempfile::TempDir,
    pub(crate) cloud: Cloud,
    programs: Programs,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) said: String,
}

impl Stage {
    /// A new cloud with nothing in it.
    pub(crate) async fn new(programs: &Programs) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("albatross-crash-").tempdir_in(scratch())?;
        let local = folder.path().join(".albatross/local");
        std::fs::create_dir_all(&local)?;
        let cloud = Cloud::start(programs, &local).await?;
        std::fs::write(local.join("cloud.json"), &cloud.ready)?;
        Ok(Self { folder, cloud, programs: programs.clone() })
    }

    /// Brings a new stage to where a command begins.
    pub(crate) async fn prepare(&self, verb: Verb) -> anyhow::Result<()> {
        let Some(before) = verb.before() else { return Ok(()) };
        self.write_topology(before)?;
        let ran = finish(self.command(Verb::Apply.arguments()).spawn()?).await?;
        ensure!(ran.status.success(), "the stage for {} cannot be made: {}", verb.word(), ran.said);
        Ok(())
    }

    /// The program with what `verb` asks for, ready to be started.
    pub(crate) fn verb(&self, verb: Verb) -> anyhow::Result<Command> {
        self.write_topology(verb)?;
        Ok(self.command(verb.arguments()))
    }

    /// `plan --detailed-exitcode` of the topology of the last command.
    pub(crate) async fn plan(&self) -> anyhow::Result<Ran> {
        finish(self.command(["--local", "plan", "--detailed-exitcode", FILE]).spawn()?).await
    }

    /// The stack's own state folder.
    pub(crate) fn state(&self) -> anyhow::Result<PathBuf> {
        let ready: serde_json::Value = serde_json::from_str(&self.cloud.ready)?;
        let account = ready["account"]["id"].as_str().context("an account")?;
        Ok(self.folder.path().join(".albatross").join(account).join("cn-hangzhou/chatroom"))
    }

    /// The roots of the hosts, each under its instance's id.
    pub(crate) fn hosts(&self) -> PathBuf {
        self.folder.path().join(".albatross/local/data/hosts")
    }

    /// A file of the stage.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Keeps the folder for a person to look at.
    pub(crate) fn keep(mut self) -> PathBuf {
        self.folder.disable_cleanup(true);
        self.folder.path().to_owned()
    }

    fn write_topology(&self, verb: Verb) -> anyhow::Result<()> {
        Ok(std::fs::write(self.file(FILE), verb.topology()?)?)
    }

    fn command(&self, arguments: [&str; 4]) -> Command {
        let mut command = Command::new(self.programs.albatross());
        let folder: &Path = self.folder.path();
        command
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", folder)
            .env("XDG_CONFIG_HOME", folder.join("config"))
            .env("TMPDIR", folder)
            .env("TZ", "UTC")
            // Nothing is asked outside this machine.
            .env("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

/// Waits for a command's end; one that takes too long is killed and is an error.
pub(crate) async fn finish(child: Child) -> anyhow::Result<Ran> {
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
    let output = output.context("the command did not end in time")??;
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    Ok(Ran { status: output.status, said })
}
