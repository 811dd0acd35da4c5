//! Cloud Assistant scripts on a machine: run there as a unit of its own, so within its limits and until they end.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::plane::guest::command::SEARCH_PATH;
use crate::plane::spec::CommandResult;

/// What the image has to run a script that comes on standard input; see `image/recipe.rs`.
pub(crate) const RUNNER: &str = "/usr/local/lib/mock-cloud/run-command";
/// How long a short command may take.
const SHORT: Duration = Duration::from_secs(30);
/// Most bytes of output that are kept: as many as the cloud keeps.
const MOST_OUTPUT: usize = 24 * 1024;

/// A command inside the machine whose first process this is.
fn inside(leader: u32, arguments: &[&str]) -> Command {
    let mut command = Command::new("nsenter");
    command
        .args(["--target", &leader.to_string()])
        .args(["--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd=/root", "--"])
        .args(arguments)
        .env_clear()
        .env("PATH", SEARCH_PATH)
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    command
}

/// Runs a short command inside to its end.
///
/// # Errors
/// It cannot be started, does not end, or fails: then with what it wrote.
pub(crate) async fn perform(leader: u32, arguments: &[&str]) -> io::Result<()> {
    output(leader, arguments).await.map(drop)
}

/// The same, and what it printed.
///
/// # Errors
/// As [`perform`].
pub(crate) async fn output(leader: u32, arguments: &[&str]) -> io::Result<Vec<u8>> {
    let mut command = inside(leader, arguments);
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).output();
    let output = tokio::time::timeout(SHORT, output).await.map_err(|_| io::ErrorKind::TimedOut)??;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(io::Error::other(format!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

/// Ends the unit of a script that nobody waits for any more.
struct Unit {
    leader: u32,
    name: String,
    is_over: bool,
}

impl Drop for Unit {
    fn drop(&mut self) {
        if !self.is_over {
            let stop = inside(self.leader, &["systemctl", "kill", "--signal=KILL", &self.name]).spawn();
            drop(stop.map(|mut child| tokio::spawn(async move { child.wait().await })));
        }
    }
}

/// Runs a script; when the future is dropped, the script is ended.
pub(crate) async fn run(leader: u32, script: &str) -> io::Result<CommandResult> {
    let name = format!("cloud-assistant-{:08x}.service", rand::random::<u32>());
    let unit = format!("--unit={name}");
    let mut child = inside(
        leader,
        &[
            "systemd-run",
            "--quiet",
            "--collect",
            "--wait",
            "--pipe",
            &unit,
            "--working-directory=/root",
            RUNNER,
        ],
    )
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .kill_on_drop(true)
    .spawn()?;
    let mut unit = Unit { leader, name, is_over: false };
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(script.as_bytes()).await?;
    }
    let output = child.wait_with_output().await?;
    unit.is_over = true;
    let mut said = output.stdout;
    said.extend(output.stderr);
    said.truncate(MOST_OUTPUT);
    Ok(CommandResult { exit_code: output.status.code().unwrap_or(-1), output: said })
}
