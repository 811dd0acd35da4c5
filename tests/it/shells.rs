//! What goes with the program on a machine: completions for its shells, a manual page of each command.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use crate::support::TestEnv;

/// All commands by their words, those below a command too, as the help lists them.
fn commands(env: &TestEnv) -> BTreeSet<String> {
    let mut found = BTreeSet::from([String::new()]);
    let mut open = vec![Vec::<String>::new()];
    while let Some(words) = open.pop() {
        let line: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
        let help = env.run(&line).expect_code(0).stdout;
        let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let listed = listed.take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("    "));
        for name in listed.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
            let below = [words.as_slice(), &[name.to_owned()]].concat();
            found.insert(below.join(" "));
            open.push(below);
        }
    }
    assert!(found.len() > 25 && found.contains("cloud fault"), "{found:?}");
    found
}

#[test]
fn help_fits_80_columns_and_new_words_are_shown_in_use() {
    let env = TestEnv::new();
    for words in commands(&env) {
        let line: Vec<&str> = words.split(' ').filter(|word| !word.is_empty()).chain(["--help"]).collect();
        let help =
            crate::support::Run::from(env.command(&line).env("COLUMNS", "80").output().expect("it starts"));
        let help = help.expect_code(0).stdout;
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "albatross {words} --help: {line}");
        }
        let is_new =
            ["outputs", "graph", "schema", "completions", "man", "state list", "state show", "state rm"];
        if is_new.contains(&words.as_str()) {
            assert!(help.contains(&format!("\n  albatross {words}")), "{help}");
        }
    }
}

#[test]
fn bash_completes_commands_options_and_their_values() {
    let env = TestEnv::new();
    let script = env.run(&["completions", "bash"]).expect_code(0).stdout;
    env.write("albatross.bash", script);
    // As bash itself does on <TAB>: the function that is registered for the program, with the words typed so far.
    let completed = |words: &[&str]| {
        let last = words.len() - 1;
        let line = format!(
            "source ./albatross.bash || exit 1; [[ $(complete -p albatross) =~ -F\\ ([^ ]+) ]] || exit 2; \
             COMP_WORDS=({words}); COMP_CWORD={last}; COMP_LINE='{words}'; COMP_POINT=${{#COMP_LINE}}; \
             ${{BASH_REMATCH[1]}} albatross '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words[last],
            words[last - 1],
            words = words.join(" "),
        );
        let mut bash = Command::new("bash");
        bash.args(["--norc", "--noprofile", "-c", &line]).current_dir(env.folder()).stderr(Stdio::inherit());
        let output = bash.output().expect("bash is there");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect::<Vec<String>>()
    };
    assert_eq!(completed(&["albatross", "ver"]), ["verify"]);
    assert_eq!(completed(&["albatross", "cloud", "fau"]), ["fault"]);
    assert_eq!(completed(&["albatross", "plan", "--det"]), ["--detailed-exitcode"]);
    assert_eq!(completed(&["albatross", "graph", "--format", "m"]), ["mermaid"]);
}

#[test]
fn zsh_and_fish_are_told_every_command() {
    let env = TestEnv::new();
    for (shell, begins) in [("zsh", "#compdef albatross\n"), ("fish", "# Print an optspec")] {
        let script = env.run(&["completions", shell]).expect_code(0).stdout;
        assert!(script.starts_with(begins), "{shell}: {script}");
        for command in commands(&env) {
            let word = command.rsplit(' ').next().unwrap_or_default();
            assert!(script.contains(word), "{shell}: {command}");
        }
    }
    env.run(&["completions", "tcsh"]).expect_code(64).expect_in_order(&["bash, zsh, fish"]);
}

#[test]
fn each_command_has_a_manual_page() {
    let env = TestEnv::new();
    env.run(&["man", "--into", "pages/man1"]).expect_code(0);
    let entries = fs::read_dir(env.file("pages/man1")).expect("a folder");
    let pages: BTreeSet<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    let expected = commands(&env).into_iter().map(|command| {
        let words = format!("albatross {command}");
        format!("{}.1", words.trim_end().replace(' ', "-"))
    });
    assert_eq!(pages, expected.collect());
    let plan = env.read("pages/man1/albatross-plan.1");
    for part in
        [".SH NAME", "albatross\\-plan \\- Show what would change", ".SH OPTIONS", "detailed\\-exitcode"]
    {
        assert!(plan.contains(part), "no {part} in {plan}");
    }
    let printed = env.run(&["man"]).expect_code(0).stdout;
    assert_eq!(printed, env.read("pages/man1/albatross.1"));
}

#[test]
fn no_formatter_of_manual_pages_complains() {
    let env = TestEnv::new();
    env.run(&["man", "--into", "pages"]).expect_code(0);
    let format = |page: &str| {
        let groff = Command::new("groff").args(["-man", "-ww", "-z", "-Tutf8", "-Kutf8", page]).output();
        groff.ok().map(|output| String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for entry in fs::read_dir(env.file("pages")).expect("a folder") {
        let page = entry.expect("an entry").path();
        let Some(said) = format(&page.to_string_lossy()) else {
            eprintln!("skipped: there is no `groff` here");
            return;
        };
        assert_eq!(said, "", "{}", page.display());
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let env = TestEnv::new();
    env.write("pages", "a file");
    env.run(&["man", "--into", "pages"])
        .expect_code(1)
        .expect_in_order(&["error: cannot create `pages`", "help: name a folder that you may write to"]);
}
