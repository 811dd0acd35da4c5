//! A remote command as an argument vector, and what came back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::quote::quote;

/// A program and its arguments. Never put a secret into one: argument lists are public on the host and appear in
/// messages. Secrets go by [`Command::stdin`] or by a file of mode 0600.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    argv: Vec<String>,
    stdin: Option<Arc<[u8]>>,
    deadline: Option<Duration>,
}

impl Command {
    /// A command without arguments.
    pub fn new(program: impl Into<String>) -> Self {
        Self { argv: vec![program.into()], stdin: None, deadline: None }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.argv.push(argument.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I, S>(mut self, arguments: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        self.argv.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// What the command reads from its standard input; without it the input is empty.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Arc<[u8]>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// How long it may take in all; the session's `Limits::command` unless told.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The same command run by another one, as `flock FILE COMMAND` does.
    #[must_use]
    pub fn wrapped_by(mut self, wrapper: impl IntoIterator<Item = String>) -> Self {
        self.argv = wrapper.into_iter().chain(self.argv).collect();
        self
    }

    /// The argument vector.
    pub fn argv(&self) -> &[String] {
        &self.argv
    }

    /// What it reads from its standard input.
    pub fn input(&self) -> Option<Arc<[u8]>> {
        self.stdin.clone()
    }

    pub(super) fn limit(&self) -> Option<Duration> {
        self.deadline
    }
}

/// The line a shell on the host reads. Standard input is not part of it.
impl fmt::Display for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, argument) in self.argv.iter().enumerate() {
            if index > 0 {
                formatter.write_str(" ")?;
            }
            formatter.write_str(&quote(argument))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

/// What a command left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit status; 128 plus the signal's number when a signal ended it, as shells count.
    pub status: i32,
    /// Everything it wrote to standard output.
    pub stdout: Vec<u8>,
    /// Everything it wrote to standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Standard output as text, without white space at its ends.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim().to_owned()
    }

    /// The last lines of standard error, or of standard output where there is no error text.
    pub fn tail(&self, lines: usize) -> String {
        let source =
            if self.stderr.iter().all(u8::is_ascii_whitespace) { &self.stdout } else { &self.stderr };
        let text = String::from_utf8_lossy(source);
        let all: Vec<&str> = text.trim_end().lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_quoted_and_hides_the_input() {
        let command = Command::new("flock").args(["-w", "60"]).arg("a b").stdin(b"secret".to_vec());
        assert_eq!(command.to_string(), "flock -w 60 'a b'");
        assert_eq!(format!("{command:?}"), "flock -w 60 'a b'");
    }

    #[test]
    fn the_tail_prefers_standard_error() {
        let output = Output { status: 1, stdout: b"out".to_vec(), stderr: b"one\ntwo\nthree\n".to_vec() };
        assert_eq!(output.tail(2), "two\nthree");
        assert_eq!(Output { stderr: b"\n".to_vec(), ..output }.tail(2), "out");
    }
}
