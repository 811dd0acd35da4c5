//! What a hook prints: to standard error as it comes, and line by line to programs that listen.
//!
//! Where no program listens the hook has our standard error itself, so that it can ask whether that is a terminal. With
//! `--quiet` only what it says on its own standard error is heard.

use std::io;
use std::os::fd::AsFd;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Child;
use tokio::task::JoinSet;

use super::Hook;
use crate::cli::events::{self, Line};
use crate::cli::say;

/// How long the end of what is printed is waited for once the hook has ended: a program that it left behind may hold the
/// other end for ever.
const AFTERWORD: Duration = Duration::from_secs(1);

/// Where the first stream of a hook goes: results are what goes to our standard output.
pub(super) fn first() -> io::Result<Stdio> {
    if events::are_wanted() {
        return Ok(Stdio::piped());
    }
    if say::is_quiet() {
        return Ok(Stdio::null());
    }
    Ok(Stdio::from(io::stderr().as_fd().try_clone_to_owned()?))
}

/// Where its second stream goes.
pub(super) fn second() -> Stdio {
    if events::are_wanted() { Stdio::piped() } else { Stdio::inherit() }
}

/// The stream of a hook that is heard even where all else is quiet.
const ERRORS: &str = "stderr";

/// What passes the lines of a hook on.
pub(super) struct Output {
    streams: JoinSet<()>,
}

/// Passes on what a hook prints, if it does not print to standard error itself.
pub(super) fn pass_on(hook: Hook, child: &mut Child) -> Output {
    let mut streams = JoinSet::new();
    if let Some(stdout) = child.stdout.take() {
        streams.spawn(each_line(hook, "stdout", stdout));
    }
    if let Some(stderr) = child.stderr.take() {
        streams.spawn(each_line(hook, ERRORS, stderr));
    }
    Output { streams }
}

impl Output {
    /// Waits for the last lines of a hook that has ended.
    pub(super) async fn finish(mut self) {
        let all = async { while self.streams.join_next().await.is_some() {} };
        // Whoever is still printing then does so to nobody.
        let _ = tokio::time::timeout(AFTERWORD, all).await;
    }
}

async fn each_line(hook: Hook, stream: &'static str, output: impl AsyncRead + Unpin) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    // What cannot be read is no line.
    while output.read_until(b'\n', &mut line).await.is_ok_and(|length| length > 0) {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches('\n');
        events::tell(&Line::HookOutput { moment: hook.moment, number: hook.number, stream, text });
        let is_heard = say::narrates() || (say::is_quiet() && stream == ERRORS);
        if is_heard && !events::are_on_stdout() {
            say::on_stderr(text);
        }
        line.clear();
    }
}
