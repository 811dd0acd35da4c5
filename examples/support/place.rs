//! A folder with a local cloud of its own, in which a bench runs the program.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// A folder with a local cloud that ends with it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// With a cloud that is started with these arguments.
    pub(crate) fn new(arguments: &[&str]) -> Result<Self> {
        let place = Self { folder: tempfile::tempdir()? };
        place.run(&[&["cloud", "up"], arguments].concat())?;
        Ok(place)
    }

    /// Writes a file there.
    #[expect(clippy::disallowed_methods, reason = "a bench that is interrupted begins anew")]
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<()> {
        Ok(std::fs::write(self.folder.path().join(name), text)?)
    }

    /// The program with these arguments, as it runs there.
    pub(crate) fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder.path());
        command.env("XDG_CONFIG_HOME", self.folder.path().join("config"));
        command
    }

    /// Runs the program, and says how many milliseconds it took.
    #[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<u128> {
        let mut command = self.command(&program()?, arguments);
        let started = Instant::now();
        let output = command.output()?;
        let took = started.elapsed().as_millis();
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{arguments:?} ended with {}: {said}", output.status);
        Ok(took)
    }

    /// What the cloud tells beside its API, a value a line.
    pub(crate) fn lines(&self, what: &str) -> Result<Vec<Value>> {
        let ready = self.ready()?;
        let text =
            |field: &str| ready[field].as_str().map(ToOwned::to_owned).context("the cloud says where it is");
        let (url, token) = (format!("{}/_mock/{what}", text("endpoint")?), text("admin_token")?);
        let asked = async {
            let client = reqwest::Client::builder().no_proxy().build()?;
            client.get(url).header("x-mock-token", token).send().await?.error_for_status()?.text().await
        };
        let answer = tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(asked)?;
        answer.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// What the cloud said when it was ready.
    pub(crate) fn ready(&self) -> Result<Value> {
        let ready = std::fs::read(self.folder.path().join(".albatross/local/cloud.json"))?;
        Ok(serde_json::from_slice(&ready)?)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A cloud that is left behind ends by itself; there is nobody to tell.
        let _ = self.run(&["cloud", "down"]);
    }
}

/// The program of the same build as this bench.
pub(crate) fn program() -> Result<PathBuf> {
    let bench = std::env::current_exe()?;
    let folder = bench.parent().and_then(Path::parent).context("a folder")?;
    let program = folder.join("albatross");
    ensure!(program.exists(), "{} is not built: run `make build` first", program.display());
    Ok(program)
}
