//! The tools that deploy: how each is started, and how each says that there was nothing to change.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result};

use crate::machine;
use crate::site::{Site, TOPOLOGY};

/// What `.ci/peers` installed.
const PEERS: &str = "target/peers/deploy/bin";
/// What the peers are told to do.
const WORK: &str = "examples/peers/deploy";

/// Who deploys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tool {
    Albatross,
    Ansible,
    Pyinfra,
}

impl fmt::Display for Tool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Albatross => "albatross",
            Self::Ansible => "Ansible",
            Self::Pyinfra => "pyinfra",
        })
    }
}

/// Where the tools are.
pub(crate) struct Workshop {
    peers: PathBuf,
    work: PathBuf,
}

impl Workshop {
    pub(crate) fn find() -> Result<Self> {
        let work = std::fs::canonicalize(WORK).context("run it from the repository's folder")?;
        Ok(Self { peers: std::path::absolute(PEERS)?, work })
    }

    fn has_peers(&self) -> bool {
        ["ansible-playbook", "pyinfra"].iter().all(|program| self.peers.join(program).exists())
    }

    /// Those that are there.
    pub(crate) fn tools(&self) -> Vec<Tool> {
        let peers = self.has_peers().then_some([Tool::Ansible, Tool::Pyinfra]);
        [Tool::Albatross].into_iter().chain(peers.into_iter().flatten()).collect()
    }

    pub(crate) fn versions(&self) -> Result<String> {
        if !self.has_peers() {
            return Ok("the peers are missing: run `.ci/peers deploy`, or there is no ratio".to_owned());
        }
        let version = |program: &str, word| machine::version(&self.peer(program), word);
        Ok(format!(
            "ansible-core {}, {}, Python {}",
            version("ansible-playbook", 2)?.trim_end_matches(']'),
            version("pyinfra", 1).map(|version| version.replacen('v', "pyinfra ", 1))?,
            version("python", 1)?
        ))
    }

    fn peer(&self, program: &str) -> String {
        self.peers.join(program).to_string_lossy().into_owned()
    }

    /// A deploy by a tool.
    pub(crate) fn command(&self, tool: Tool, site: &Site) -> Command {
        let mut command = match tool {
            Tool::Albatross => site.albatross(&["--local", "deploy", "--yes", TOPOLOGY]),
            Tool::Ansible => self.ansible(site),
            Tool::Pyinfra => self.pyinfra(site),
        };
        command.stdin(Stdio::null());
        command
    }

    fn ansible(&self, site: &Site) -> Command {
        let mut command = Command::new(self.peer("ansible-playbook"));
        command
            .env("ANSIBLE_CONFIG", self.work.join("ansible.cfg"))
            .env("ANSIBLE_HOME", site.path("ansible"));
        command.arg("--inventory").arg(site.path("inventory.json")).arg(self.work.join("playbook.yml"));
        command
    }

    fn pyinfra(&self, site: &Site) -> Command {
        let mut command = Command::new(self.peer("pyinfra"));
        // Nothing is to be left beside its files.
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("BENCH_INVENTORY", site.path("inventory.json"));
        command.current_dir(&self.work).args(["--yes", "--parallel", &site.hosts.len().to_string()]);
        command.args(["inventory.py", "deploy.py"].map(Path::new));
        command
    }
}

/// What a tool said.
pub(crate) struct Run {
    pub(crate) said: String,
}

impl Run {
    pub(crate) fn new(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { said: text(&output.stdout) + &text(&output.stderr) }
    }

    /// Whether the tool says that all hosts were as they should be.
    pub(crate) fn found_nothing_to_change(&self, tool: Tool, site: &Site) -> bool {
        let mut lines = self.said.lines();
        match tool {
            Tool::Albatross => lines.any(|line| line.starts_with("No changes: ")),
            Tool::Ansible => lines.filter(|line| line.contains(" changed=0 ")).count() == site.hosts.len(),
            Tool::Pyinfra => lines.any(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                // Of all operations none succeeded, which is to change something, and none failed.
                matches!(words[..], ["Grand", "total", all, "-", "-", none] if all == none)
            }),
        }
    }
}
