//! Starts the program that prints a key, for a profile of mode `External`.

use std::process::Stdio;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::base::secret::Secret;
use crate::cloud::credentials::{RunFailure, RunProgram};

/// Bytes that are read at most; a key has about one thousand.
const LARGEST_OUTPUT: usize = 64 * 1024;

/// Starts programs of this machine, without a shell. They see no standard input; what they say on standard error is
/// for the person who runs the command.
#[derive(Debug)]
pub(super) struct Programs;

impl RunProgram for Programs {
    fn run(
        &self,
        command: Vec<String>,
        limit: Duration,
    ) -> BoxFuture<'_, Result<Secret<Vec<u8>>, RunFailure>> {
        Box::pin(async move {
            let ended = tokio::time::timeout(limit, to_its_end(&command)).await;
            ended.unwrap_or(Err(RunFailure::TooSlow(limit)))
        })
    }
}

/// A program that is given up is ended.
async fn to_its_end(command: &[String]) -> Result<Secret<Vec<u8>>, RunFailure> {
    let (program, arguments) = command.split_first().ok_or_else(|| {
        RunFailure::NotStarted(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it has no name"))
    })?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(RunFailure::NotStarted)?;
    let mut printed = Vec::new();
    if let Some(output) = child.stdout.take() {
        let mut output = output.take(LARGEST_OUTPUT as u64 + 1);
        output.read_to_end(&mut printed).await.map_err(RunFailure::NotStarted)?;
    }
    if printed.len() > LARGEST_OUTPUT {
        return Err(RunFailure::TooMuch(LARGEST_OUTPUT));
    }
    let status = child.wait().await.map_err(RunFailure::NotStarted)?;
    if status.success() { Ok(Secret::new(printed)) } else { Err(RunFailure::Failed(status)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(command: &[&str], limit: Duration) -> Result<Secret<Vec<u8>>, RunFailure> {
        Programs.run(command.iter().map(ToString::to_string).collect(), limit).await
    }

    #[tokio::test]
    async fn what_a_program_prints_is_read_and_no_shell_is_in_between() {
        let printed = run(&["printf", "%s", "$HOME;`id`"], Duration::from_secs(20)).await.unwrap();
        assert_eq!(printed.expose(), b"$HOME;`id`");
    }

    #[tokio::test]
    async fn a_program_that_fails_hangs_or_floods_is_said_to() {
        let soon = Duration::from_millis(200);
        let ample = Duration::from_secs(20);
        assert!(matches!(run(&["false"], ample).await, Err(RunFailure::Failed(_))));
        assert!(matches!(run(&["/nonexistent/tool"], ample).await, Err(RunFailure::NotStarted(_))));
        assert!(matches!(run(&["tail", "-f", "/dev/null"], soon).await, Err(RunFailure::TooSlow(_))));
        assert!(matches!(run(&["cat", "/dev/zero"], ample).await, Err(RunFailure::TooMuch(_))));
        assert!(matches!(run(&[], ample).await, Err(RunFailure::NotStarted(_))));
    }
}
