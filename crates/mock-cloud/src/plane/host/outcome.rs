//! What a remote command printed and how it ended.

use std::io;
use std::process::Command;

/// Result of one command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Outcome {
    /// Status 0 with this output.
    pub(crate) fn printed(stdout: impl Into<Vec<u8>>) -> Self {
        Self { status: 0, stdout: stdout.into(), stderr: Vec::new() }
    }

    /// Status 0, nothing printed.
    pub(crate) fn done() -> Self {
        Self::default()
    }

    /// A status without a word.
    pub(crate) fn status(status: i32) -> Self {
        Self { status, ..Self::default() }
    }

    /// A status and a line on standard error.
    pub(crate) fn failed(status: i32, line: impl AsRef<str>) -> Self {
        Self { status, stdout: Vec::new(), stderr: format!("{}\n", line.as_ref()).into_bytes() }
    }

    /// Refused: this part is not understood here.
    pub(crate) fn refused(what: impl AsRef<str>) -> Self {
        Self::failed(127, format!("mock host: {} is not understood", what.as_ref()))
    }

    /// Adds what a further step of the same program did.
    pub(crate) fn and(&mut self, other: Self) {
        if other.status != 0 {
            self.status = other.status;
        }
        self.stdout.extend(other.stdout);
        self.stderr.extend(other.stderr);
    }
}

/// What a program of the outer machine prints, when it ends well.
pub(crate) fn outer([program, argument]: [&str; 2]) -> Option<Outcome> {
    let output = Command::new(program).arg(argument).output().ok()?;
    output.status.success().then(|| Outcome::printed(output.stdout))
}

/// The words of the operating system for an error, without its number.
pub(crate) fn sentence(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}
