//! Rules of hooks: each command names a program, and ends.

use crate::topology::findings::{Finding, Findings, below};
use crate::topology::places::path;
use crate::topology::schema::Document;

/// Runs the rules of this file.
pub(super) fn check(document: &Document, findings: &mut Findings<'_>) {
    commands(document, findings);
    timeout(document, findings);
}

fn commands(document: &Document, findings: &mut Findings<'_>) {
    for (moment, commands) in document.hooks.by_moment() {
        let moment = moment.word();
        for (index, command) in commands.iter().enumerate() {
            let cause = match command.first().map(String::as_str) {
                None => "the list of its words is empty".to_owned(),
                Some("") => "its first word, the program, is empty".to_owned(),
                Some(_) if command.iter().any(|word| word.contains('\0')) => {
                    "a word has a NUL character, which no program can be given".to_owned()
                }
                Some(_) => continue,
            };
            findings.at_value(
                &below(&below(&path("hooks"), moment), index),
                Finding {
                    code: "hook-command",
                    message: format!("command {} of `{moment}` cannot be run", index + 1),
                    cause,
                    help: format!("write for example `{moment}: [[./notify, \"a word with blanks\"]]`"),
                },
            );
        }
    }
}

fn timeout(document: &Document, findings: &mut Findings<'_>) {
    if let Some(timeout) = document.hooks.timeout.filter(|timeout| !(1..=3600).contains(&timeout.count())) {
        findings.at_value(
            &path("hooks.timeout"),
            Finding {
                code: "hook-timeout",
                message: format!("a hook cannot be given {timeout}"),
                cause: "it may take 1 second to 1 hour".to_owned(),
                help: "write for example `timeout: 5m`".to_owned(),
            },
        );
    }
}
