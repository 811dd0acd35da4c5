//! The programs under test, in a folder of their own: what others build meanwhile does not change them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::cargo::cargo_build;

/// Built with the feature that this test target needs.
const ALBATROSS: &str = env!("CARGO_BIN_EXE_albatross");

/// What is deployed in place of the node.
const STARTER: &str = "crash_starter";

/// What only a build with crash points has in it.
const MARK: &[u8] = b"ALBATROSS_CRASH_POINT";

/// The folder with the three programs.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Builds the others and copies all to `target/crash-programs/`.
    pub(crate) fn prepare() -> anyhow::Result<Self> {
        // The whole workspace and this test: anything less would be built anew with other features of the same
        // dependencies.
        let arguments =
            ["--profile", "crash", "--test", "crash", "--example", STARTER, "--features", "crash-points"];
        let built = cargo_build(&arguments).status()?;
        ensure!(built.success(), "the programs cannot be built");
        let from = Path::new(ALBATROSS).parent().context("a program is in a folder")?;
        let folder = from.parent().context("a profile is in a folder")?.join("crash-programs");
        fs::create_dir_all(folder.join("node"))?;
        for name in ["albatross", "mock-cloud"] {
            copy(&from.join(name), &folder.join(name))?;
        }
        copy(&from.join("chat-node"), &folder.join("node/chat-node"))?;
        copy(&from.join("examples").join(STARTER), &folder.join("chat-node"))?;
        let programs = Self { folder };
        let text = fs::read(programs.albatross())?;
        let armed = text.windows(MARK.len()).any(|window| window == MARK);
        ensure!(armed, "`{}` was built without crash points", programs.albatross().display());
        Ok(programs)
    }

    pub(crate) fn albatross(&self) -> PathBuf {
        self.folder.join("albatross")
    }

    pub(crate) fn mock_cloud(&self) -> PathBuf {
        self.folder.join("mock-cloud")
    }
}

/// Without what debuggers need: each deployment hashes and sends the whole file.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let stripped = Command::new("strip").arg("-o").arg(to).arg(from).status();
    if !stripped.is_ok_and(|status| status.success()) {
        fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(())
}
