//! Programs of the outer machine that make networks and images: started with argument vectors, judged by their status.

use std::ffi::OsStr;
use std::io;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Nothing of this takes longer on a machine that works.
const LIMIT: Duration = Duration::from_secs(30);
/// Where such programs are, also when the search path is a user's.
pub(crate) const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs a program with this input to its end.
///
/// # Errors
/// It cannot be started, does not end, or fails: then with what it wrote.
pub(crate) async fn run<A: AsRef<OsStr>>(program: &str, arguments: &[A], input: &str) -> io::Result<Output> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("PATH", SEARCH_PATH)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let work = async {
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that ends early does not read all of it; its status says why.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        child.wait_with_output().await
    };
    let output = tokio::time::timeout(LIMIT, work)
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, format!("{program} does not end")))?
        .map_err(|error| io::Error::new(error.kind(), format!("{program} cannot be run: {error}")))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{program}: {}", said.trim())))
}
