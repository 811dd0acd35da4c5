//! The commands of README.md and of the pages of `docs/` are typed, and print what is written below them.
//!
//! Each page has a folder of its own with `examples/` in it, and says by its first commands what else it needs.

use regex::Captures;
use snapbox::{Assert, Data, Redactions};

use super::{assert_same, pages, read, regex};
use crate::parts::lacks_redis;
use crate::walk::Walk;

/// One command of a document and what it says it prints.
#[derive(Debug, PartialEq)]
struct Example {
    line: usize,
    command: String,
    expected: String,
}

/// The commands of all `console` blocks, in order.
fn examples(text: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut inside = false;
    for (line, content) in (1..).zip(text.lines()) {
        match (inside, content.strip_prefix("$ ")) {
            (false, _) => inside = content == "```console",
            (true, _) if content == "```" => inside = false,
            (true, Some(command)) => {
                examples.push(Example { line, command: command.to_owned(), expected: String::new() });
            }
            (true, None) => {
                let example = examples.last_mut().expect("a block begins with a command");
                // A command that goes on takes the line as it is, behind its backslash.
                if example.command.ends_with('\\') {
                    example.command.extend(["\n", content]);
                } else {
                    example.expected.extend([content, "\n"]);
                }
            }
        }
    }
    for example in &mut examples {
        example.expected.truncate(example.expected.trim_end().len());
    }
    examples
}

#[test]
fn a_command_may_go_on_in_the_next_line() {
    let example = |line, command: &str, expected: &str| {
        let [command, expected] = [command, expected].map(str::to_owned);
        Example { line, command, expected }
    };
    let found = examples("```console\n$ one \\\n  two\nsaid\n\n$ three\n```\n$ four\n");
    assert_eq!(found, [example(2, "one \\\n  two", "said"), example(6, "three", "")]);
}

/// What differs from run to run, by name. A name stands in the documents for whatever was there.
fn redactions() -> Redactions {
    let mut redactions = Redactions::new();
    let named = [
        ("[PORT]", r"http://127\.0\.0\.1:(?<redacted>\d+)"),
        ("[TOKEN]", r"token=(?<redacted>[0-9a-f]{32})"),
        ("[TIME]", r"\b(?:in|after|went:) (?<redacted>\d+(?:\.\d+)? m?s)\b"),
        ("[TIME]", r"(?m)^(?<redacted> *\d+\.\d s)  (?:\.\.|ok|--|!!|  ) "),
        ("[ACCOUNT]", r"account +(?<redacted>\d+ \(\w+\))"),
        ("[LOOPBACK]", r"\b(?<redacted>127\.\d+\.\d+\.\d+):(?:5000|10053)\b"),
        ("[ID]", r"\b(?<redacted>(?:vpc|vsw|sg|i|alb|sgp|lsn)-[0-9a-z]{17,24})\b"),
    ];
    for (name, pattern) in named {
        let pattern = regex(pattern);
        redactions.insert(name, pattern).expect("a name in brackets");
    }
    redactions
}

/// Times of the checks stand in a column of their own, to the right of it; their name shall too.
fn with_times_in_line(text: &str) -> String {
    let column = regex(r"(?m)^(  \w+ +[a-z_.]+)( +\d+(?:\.\d+)? m?s)  ");
    let named = |line: &Captures<'_>| format!("{}{:>2$}  ", &line[1], "[TIME]", line[2].len());
    column.replace_all(text, named).into_owned()
}

/// Types all commands of a page, in a folder of its own.
#[track_caller]
fn walk(page: &str, test: &str) {
    if lacks_redis(test) {
        return;
    }
    let walk = Walk::new();
    let assert = Assert::new().redact_with(redactions());
    for Example { line, command, expected } in examples(&read(page)) {
        let said = walk.run(&command);
        let outcome = assert.try_eq(
            Some(&format!("{page}:{line}: $ {command}")),
            Data::text(with_times_in_line(said.text.trim_end())),
            Data::text(expected),
        );
        if let Err(difference) = outcome {
            panic!(
                "{page}:{line}: `{command}` (exit code {:?}) says something else\n{difference}",
                said.code
            );
        }
    }
}

/// A test for each page with commands.
macro_rules! walks {
    ($($test:ident: $page:literal,)*) => {
        const WALKED: &[&str] = &[$($page),*];
        $(
            #[test]
            fn $test() {
                walk($page, stringify!($test));
            }
        )*
    };
}

walks! {
    readme: "README.md",
    changes: "docs/changes.md",
    ci: "docs/ci.md",
    commands: "docs/commands.md",
    crash_safety: "docs/crash-safety.md",
    doctor: "docs/doctor.md",
    drift: "docs/drift.md",
    errors: "docs/errors.md",
    events: "docs/events.md",
    faults: "docs/faults.md",
    https: "docs/https.md",
    mock_cloud: "docs/mock-cloud.md",
    permissions: "docs/permissions.md",
    proof: "docs/proof.md",
    real_account: "docs/real-account.md",
    rollouts: "docs/rollouts.md",
    ssh: "docs/ssh.md",
    tair: "docs/tair.md",
    team_state: "docs/team-state.md",
    terraform: "docs/terraform.md",
    tutorial: "docs/tutorial.md",
    variables: "docs/variables.md",
    verify: "docs/verify.md",
}

#[test]
fn every_page_with_commands_is_walked() {
    let walked = WALKED.iter().map(|page| (*page).to_owned());
    let with_commands = pages().into_iter().filter(|page| !examples(&read(page)).is_empty());
    assert_same(&walked.collect(), &with_commands.collect());
}

/// A block that is indented, or whose commands have another sign before them, would be passed over.
#[test]
fn every_console_block_has_commands() {
    for page in pages() {
        let text = read(&page);
        let blocks = text.matches("```console").count();
        assert_eq!(text.matches("\n```console\n$ ").count(), blocks, "{page}: a console block is not run");
    }
}
