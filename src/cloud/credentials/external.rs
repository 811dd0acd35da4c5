//! A program that prints a key: what a profile of mode `External` names.
//!
//! It is started without a shell. Its command line is taken apart as the `aliyun` program does on Unix, by the quoting
//! rules of POSIX and with nothing expanded. It prints a profile as JSON.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::base::secret::Secret;
use crate::cloud::credentials::cli_profile::{self, Profile};
use crate::cloud::credentials::error::SourceError;
use crate::cloud::credentials::issued::{self, garbled};
use crate::cloud::credentials::keys::Session;
use crate::cloud::credentials::source::Tools;
use crate::cloud::credentials::sources::Sources;

/// How long it may run.
const LIMIT: Duration = Duration::from_mins(1);

/// Starts programs. Only the command line may do so; it hands this to the chain.
pub trait RunProgram: fmt::Debug + Send + Sync {
    /// Runs a program to its end and gives what it printed on standard output.
    ///
    /// # Errors
    /// When it did not start, did not succeed, took longer than `limit` or printed more than a key.
    fn run(
        &self,
        command: Vec<String>,
        limit: Duration,
    ) -> BoxFuture<'_, Result<Secret<Vec<u8>>, RunFailure>>;
}

/// Why a program gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum RunFailure {
    /// The system did not start it.
    #[error("cannot be started: {0}")]
    NotStarted(std::io::Error),
    /// It ended with an error.
    #[error("ended with {0}")]
    Failed(std::process::ExitStatus),
    /// It took too long.
    #[error("did not end within {} s", .0.as_secs())]
    TooSlow(Duration),
    /// It printed more than this many bytes.
    #[error("printed more than {0} bytes")]
    TooMuch(usize),
}

/// A program that prints a key.
#[derive(Debug)]
pub(super) struct Program {
    /// Its arguments may hold secrets.
    command: Secret<Vec<String>>,
    name: String,
    /// What a role that it prints may be filled up from.
    sources: Arc<Sources>,
}

impl Program {
    /// The program of a command line.
    pub(super) fn new(subject: &str, line: &Secret<String>, sources: &Sources) -> Result<Self, SourceError> {
        let unusable = |why: &str| SourceError::Unusable {
            subject: subject.to_owned(),
            field: "process_command",
            why: why.to_owned(),
        };
        let command = split(line.expose()).map_err(unusable)?;
        let name = command.first().cloned().unwrap_or_default();
        // The name is shown, and what a variable is set to may be a secret.
        if name.contains('=') {
            return Err(unusable(
                "begins with a variable; it is started without a shell, which would set it",
            ));
        }
        Ok(Self { command: Secret::new(command), name, sources: Arc::new(sources.clone()) })
    }

    /// The program without its arguments.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Runs it and reads the key it prints, or gets the key that a profile it prints leads to.
    pub(super) async fn ask(&self, tools: &Tools) -> Result<Session, SourceError> {
        let run = tools.run.run(self.command.expose().clone(), LIMIT).await;
        let printed = run.map_err(|failure| SourceError::Program { program: self.name.clone(), failure })?;
        let service = format!("the program `{}`", self.name);
        let mut profile: Profile = serde_json::from_slice(printed.expose())
            .map_err(|_| garbled(&service, "it is not a profile as JSON"))?;
        profile.name = format!("printed by {}", self.name);
        let source = cli_profile::source_of_printed(&profile, &self.sources)?;
        let session = source.fetch(tools).await?;
        match profile.expiration.as_deref().map(|text| issued::end(&service, text)).transpose()? {
            Some(end) if session.expires.is_none() => Ok(Session { expires: Some(end), ..session }),
            _ => Ok(session),
        }
    }
}

/// Takes a command line apart: blanks separate, quotes hold together, a backslash takes the next letter as it is.
fn split(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = line.trim().chars().peekable();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), close) if open == close => quote = None,
            (Some('\''), inside) => word.get_or_insert_default().push(inside),
            (Some(_), '\\') => match letters.peek() {
                Some('\n') => drop(letters.next()),
                Some(escaped @ ('"' | '\\' | '$' | '`')) => {
                    word.get_or_insert_default().push(*escaped);
                    letters.next();
                }
                Some(_) | None => word.get_or_insert_default().push('\\'),
            },
            (Some(_), inside) => word.get_or_insert_default().push(inside),
            (None, open @ ('\'' | '"')) => {
                quote = Some(open);
                word.get_or_insert_default();
            }
            (None, '\\') => match letters.next() {
                Some('\n') => {}
                Some(escaped) => word.get_or_insert_default().push(escaped),
                None => return Err("ends with a backslash"),
            },
            (None, blank) if blank.is_whitespace() => words.extend(word.take()),
            (None, plain) => word.get_or_insert_default().push(plain),
        }
    }
    if quote.is_some() {
        return Err("has a quote that is not closed");
    }
    words.extend(word);
    if words.first().is_none_or(String::is_empty) {
        return Err("names no program");
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_taken_apart_as_posix_quotes_it() {
        let cases: [(&str, &[&str]); 9] = [
            ("tool", &["tool"]),
            ("  /opt/tool --account  7\t", &["/opt/tool", "--account", "7"]),
            ("'/opt/my tool' \"a b\"'c'", &["/opt/my tool", "a bc"]),
            ("tool '' \"\"", &["tool", "", ""]),
            (r#"tool "a\"b\\c\$d\e""#, &["tool", r#"a"b\c$d\e"#]),
            (r#"tool a\ b '\' 'c\\"'"#, &["tool", "a b", r"\", r#"c\\""#]),
            ("tool a\\\nb \"c\\\nd\"", &["tool", "ab", "cd"]),
            ("tool $HOME `id` *", &["tool", "$HOME", "`id`", "*"]),
            ("tool a;b|c>d", &["tool", "a;b|c>d"]),
        ];
        for (line, words) in cases {
            assert_eq!(split(line).unwrap(), words, "{line}");
        }
        for line in ["", "  ", "tool 'a", "tool \"a", "tool \\", "'' a"] {
            assert!(split(line).is_err(), "{line}");
        }
    }
}
