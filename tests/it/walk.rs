//! A folder in which somebody types commands: an empty home, the examples, the programs on the search path.
//!
//! What was started in it ends with it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::programs;

/// A folder to walk in.
pub(crate) struct Walk {
    folder: TempDir,
}

/// What a command said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    /// Its output; with its errors in between where a shell joined the two.
    pub(crate) text: String,
    /// Its errors, where they were not joined.
    pub(crate) errors: String,
    /// Its exit code; none when a signal ended it.
    pub(crate) code: Option<i32>,
}

impl Walk {
    /// In a fresh folder with the examples in it.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("albatross-walk-").tempdir().expect("a folder");
        let walk = Self { folder };
        fs::create_dir(walk.path().join("home")).expect("a home");
        fs::create_dir(walk.path().join("examples")).expect("a folder for the examples");
        for entry in fs::read_dir("examples").expect("the examples") {
            let path = entry.expect("readable").path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let copy = walk.path().join(&path);
                fs::copy(&path, copy).expect("copied");
            }
        }
        walk
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a line as a shell would, with nothing of this machine's environment but the search path.
    pub(crate) fn run(&self, line: &str) -> Said {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("exec 2>&1\n{line}"));
        self.run_command(command)
    }

    /// Runs a program in the folder.
    pub(crate) fn run_command(&self, mut command: Command) -> Said {
        command.current_dir(self.path()).env_clear().stdin(Stdio::null());
        for (name, value) in self.environment() {
            command.env(name, value);
        }
        let output = command.output().expect("it can be started");
        Said {
            text: String::from_utf8_lossy(&output.stdout).into_owned(),
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code(),
        }
    }

    fn environment(&self) -> [(&'static str, String); 7] {
        let mut folders = vec![programs().to_owned()];
        folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let path = std::env::join_paths(folders).expect("folders without colons");
        [
            ("PATH", path.to_string_lossy().into_owned()),
            ("HOME", self.path().join("home").display().to_string()),
            ("LANG", "C".to_owned()),
            ("TZ", "UTC".to_owned()),
            ("NO_COLOR", "1".to_owned()),
            // No test asks an address outside this machine.
            ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true".to_owned()),
            // Whether an image for machine hosts was built here decides nothing.
            ("MOCK_CLOUD_IMAGES", self.path().join("images").display().to_string()),
        ]
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        // A test that failed may have left its cloud up; one that runs no cloud says so and that is fine.
        self.run("albatross cloud down");
    }
}
