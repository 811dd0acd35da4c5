//! Shows what would be done on machines: commands as they are run, files with what changes in them.

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};

use crate::apply::rehearsal::{Rehearsed, Untold};
use crate::deploy::rehearsal::{Deed, FileDeed, ProgramDeed};
use crate::ssh::quote;

/// Lines of a file that are shown around a change.
const CONTEXT: usize = 3;

/// Prints all of it, machine by machine.
pub(crate) fn print(all: &[Rehearsed]) {
    if all.is_empty() {
        anstream::println!("\nNothing would be done on any host.");
    }
    for one in all {
        anstream::println!("\nOn the host of {}:", one.address);
        match &one.deeds {
            Ok(deeds) if deeds.is_empty() => anstream::println!("  nothing"),
            Ok(deeds) => deeds.iter().for_each(print_deed),
            Err(untold) => anstream::println!("  {}", why(untold)),
        }
    }
}

/// Why nobody can tell.
fn why(untold: &Untold) -> String {
    match untold {
        Untold::NoMachine => "known after apply: the machine is made by this plan".to_owned(),
        Untold::Unread(reason) => format!("known after apply: {reason}"),
        Untold::Refused(error) => format!("it would fail: {error}"),
    }
}

fn print_deed(deed: &Deed) {
    match deed {
        Deed::Command(words) => anstream::println!("  $ {}", line(words)),
        Deed::File(file) => print_file(file),
        Deed::Program(ProgramDeed { path, mode, sha256, compressed }) => {
            let kilobytes = compressed.div_ceil(1024);
            let added = AnsiColor::Green.on_default();
            anstream::println!("{added}  + {path}{added:#}  mode {mode} root:root");
            anstream::println!("      a program, {kilobytes} KiB compressed, SHA-256 {sha256}");
        }
    }
}

/// The words as a shell would have to read them.
fn line(words: &[String]) -> String {
    words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

fn print_file(file: &FileDeed) {
    let (sign, style) = match file.before {
        Some(_) => ('~', AnsiColor::Yellow.on_default()),
        None => ('+', AnsiColor::Green.on_default()),
    };
    let was = file.found.as_ref().map(|found| format!(", was {found}")).unwrap_or_default();
    anstream::println!("{style}  {sign} {}{style:#}  mode {} root:root{was}", file.path, file.mode);
    let before = file.before.as_deref().unwrap_or_default();
    if file.only_secrets {
        anstream::println!("      (nothing but what is secret in it changes)");
    } else if file.before.as_ref() == Some(&file.after) {
        anstream::println!("      (nothing in it changes)");
    }
    for line in difference(before, &file.after) {
        let style = match line.as_bytes().first() {
            Some(b'+') => AnsiColor::Green.on_default(),
            Some(b'-') => AnsiColor::Red.on_default(),
            _ => Style::new(),
        };
        anstream::println!("{style}      {line}{style:#}");
    }
}

/// The lines of a unified difference, without the names of files.
fn difference(before: &str, after: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(before, after);
    let mut lines = Vec::new();
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        lines.push(hunk.header().to_string());
        for change in hunk.iter_changes() {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push(format!("{sign}{}", change.value().trim_end_matches('\n')));
        }
    }
    lines
}

/// All of it as JSON.
pub(crate) fn to_json(all: &[Rehearsed]) -> Value {
    let one = |one: &Rehearsed| match &one.deeds {
        Ok(deeds) => json!({"address": one.address, "deeds": deeds}),
        Err(untold) => json!({"address": one.address, "untold": why(untold)}),
    };
    all.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_as_patch_does() {
        assert_eq!(
            difference("a\nb\nc\n", "a\nB\nc\nd\n"),
            ["@@ -1,3 +1,4 @@", " a", "-b", "+B", " c", "+d"]
        );
        assert_eq!(difference("", "x\n"), ["@@ -0,0 +1 @@", "+x"]);
        assert!(difference("same\n", "same\n").is_empty());
    }

    #[test]
    fn words_are_told_apart() {
        let words = ["echo", "it's", ""].map(str::to_owned);
        assert_eq!(line(&words), r"echo 'it'\''s' ''");
    }
}
