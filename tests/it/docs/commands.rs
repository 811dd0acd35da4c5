//! The table of commands is that of the program, and no command is shown with an option that it does not have.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use super::{assert_same, bare, pages, read, regex, table};
use crate::support::program;

/// What a program says of a command.
fn help(words: &[&str]) -> String {
    let mut command = Command::new(program(words[0]));
    let output = command.args(&words[1..]).arg("--help").env("NO_COLOR", "1").output().expect("it starts");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The options of a command, without those that all have.
fn own_options(words: &[&str]) -> BTreeSet<String> {
    let option = regex(r"(?m)^ +(?:-\w, )?(--[a-z-]+)");
    let text = help(words);
    option.captures_iter(&text).map(|found| found[1].to_owned()).filter(|one| !common(one)).collect()
}

fn common(option: &str) -> bool {
    option == "--help" || general().contains(option)
}

/// The options that go with every command, from their table.
fn general() -> BTreeSet<String> {
    let rows = table(&read("docs/commands.md"), "| Option | Does | Default |");
    rows.iter().map(|row| first_word(&bare(&row[0]))).collect()
}

fn first_word(text: &str) -> String {
    text.split_whitespace().next().unwrap_or_default().to_owned()
}

/// The words of `plan --show PLAN` that name the command.
fn words(cell: &str) -> Vec<String> {
    let word = |part: &&str| part.chars().all(|sign| sign.is_ascii_lowercase());
    bare(cell).split_whitespace().take_while(word).map(str::to_owned).collect()
}

/// The commands below these words, but for `help`.
fn commands_of(words: &[&str]) -> Vec<String> {
    let name = regex(r"(?m)^  ([a-z-]+)  ");
    let text = help(words);
    let list = text.split("Options:").next().unwrap_or_default();
    let names = name.captures_iter(list).map(|found| found[1].to_owned());
    names.filter(|name| name != "help").collect()
}

/// Known by the commands below them.
const ABOVE: [&str; 2] = ["cloud", "state"];

#[test]
fn the_table_of_commands_is_that_of_the_program() {
    let rows = table(&read("docs/commands.md"), "| Command |");
    let written: BTreeSet<String> = rows.iter().map(|row| words(&row[0]).join(" ")).collect();
    let others = commands_of(&["albatross"]).into_iter().filter(|name| !ABOVE.contains(&name.as_str()));
    let below = ABOVE.iter().flat_map(|above| {
        commands_of(&["albatross", above]).into_iter().map(move |name| format!("{above} {name}"))
    });
    assert_same(&written, &others.chain(below).collect());
}

#[test]
fn each_command_has_the_options_of_its_rows() {
    let rows = table(&read("docs/commands.md"), "| Command |");
    let commands: BTreeSet<Vec<String>> = rows.iter().map(|row| words(&row[0])).collect();
    for command in commands {
        let of_it = rows.iter().filter(|row| words(&row[0]) == command);
        let written = of_it.flat_map(|row| row[2].split(", ").map(bare)).filter(|option| !option.is_empty());
        let mut line = vec!["albatross"];
        line.extend(command.iter().map(String::as_str));
        assert_same(&written.collect(), &own_options(&line));
    }
}

#[test]
fn the_options_of_all_commands_are_those_of_the_program() {
    let option = regex(r"(?m)^ +(?:-\w, )?(--[a-z-]+)");
    let text = help(&["albatross"]);
    let known = option.captures_iter(&text).map(|found| found[1].to_owned());
    let known = known.filter(|option| option != "--help" && option != "--version");
    assert_same(&general(), &known.collect());
}

/// The help of each command, word for word, is in `tests/cmd`, where `transcripts` holds it against the program.
#[test]
fn the_help_of_each_command_is_written_down() {
    let mut left = vec![vec!["albatross".to_owned()]];
    let mut known = BTreeSet::new();
    while let Some(command) = left.pop() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        left.extend(commands_of(&words).into_iter().map(|name| [command.clone(), vec![name]].concat()));
        known.insert(words.join("-").replacen("albatross", "help", 1));
    }
    let files =
        fs::read_dir("tests/cmd").expect("the transcripts").map(|entry| entry.expect("readable").path());
    let names = files.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned());
    assert_same(&names.filter(|name| name.starts_with("help")).collect(), &known);
}

/// Commands of ours that a text shows: in blocks that nobody runs, and between backticks.
fn shown(text: &str) -> BTreeSet<String> {
    let block = regex(r"(?s)```sh\n(.*?)\n```");
    let line = regex(r"(?m)^(?:albatross|mock-cloud) .*$");
    let span = regex(r"`((?:albatross|mock-cloud)\s[^`]+)`");
    let blocks: Vec<String> = block.captures_iter(text).map(|found| found[1].to_owned()).collect();
    let lines = blocks.iter().flat_map(|block| line.find_iter(block)).map(|found| found.as_str().to_owned());
    let spans = span.captures_iter(text).map(|found| found[1].to_owned());
    lines.chain(spans).collect()
}

/// A shown command as it can be asked for help: without comments, redirections, what runs elsewhere and placeholders.
fn askable(shown: &str) -> Option<Vec<&str>> {
    let end = [" #", " -- ", "[", " 3<", " | ", "; "].into_iter().filter_map(|end| shown.find(end)).min();
    let typed = &shown[..end.unwrap_or(shown.len())];
    let all: Vec<&str> = typed.split_whitespace().collect();
    // What has an `=` is a placeholder, unless it is the value of an option.
    let is_value = |index: usize| index > 0 && all[index - 1].starts_with("--");
    let is_meant = |(index, word): (usize, &&str)| {
        *word != "..." && (word.starts_with('-') || !word.contains('=') || is_value(index))
    };
    let meant = all.iter().enumerate().filter(|(index, word)| is_meant((*index, word)));
    let words: Vec<&str> = meant.map(|(_, word)| *word).collect();
    (!words.contains(&"COMMAND")).then_some(words)
}

#[test]
fn commands_that_are_only_shown_exist_with_their_options() {
    let mut asked = 0;
    for page in pages() {
        for command in shown(&read(&page)) {
            let Some(words) = askable(&command) else { continue };
            let output =
                Command::new(program(words[0])).args(&words[1..]).arg("--help").output().expect("it starts");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{page}: `{command}`: {said}");
            asked += 1;
        }
    }
    assert!(asked >= 60, "only {asked} commands were found");
}
