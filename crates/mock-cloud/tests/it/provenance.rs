//! `mock-cloud provenance`: that it tells everything, and that no code slips by it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use mock_cloud::api::provenance::{Source, UNDOCUMENTED_CODES, behaviours};
use mock_cloud::facts::{GATEWAY_CODES, errors, facts};
use serde_json::Value;

fn printed(arguments: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_mock-cloud")).arg("provenance").args(arguments).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_guess_and_every_action_is_printed() {
    let text = printed(&[]);
    for behaviour in behaviours().iter().filter(|behaviour| behaviour.source == Source::Guessed) {
        let line = text.lines().find(|line| line.split_whitespace().nth(1) == Some(behaviour.id.as_str()));
        let line = line.unwrap_or_else(|| panic!("{} is not printed", behaviour.id));
        assert!(line.starts_with("guessed ") && line.ends_with(&behaviour.sentence), "{line}");
    }
    for action in facts().names() {
        assert!(
            text.lines().any(|line| line.split_whitespace().nth(1) == Some(action)),
            "{action} is not printed"
        );
    }
    let document: Value = serde_json::from_str(&printed(&["--json"])).unwrap();
    let count = |name: &str| document[name].as_array().unwrap().len();
    assert_eq!(count("actions") + count("not_emulated"), 157);
    assert_eq!(count("behaviours"), behaviours().len());
    let guessed = behaviours().iter().filter(|behaviour| behaviour.source == Source::Guessed).count();
    assert_eq!(document["counts"]["guessed"], guessed);
    let closing = text.lines().last().unwrap();
    assert!(closing.contains(&format!("{} of 157 actions emulated", count("actions"))), "{closing}");
    assert!(closing.ends_with(&format!("{guessed} guessed")), "{closing}");
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The text literals of a program, tests and comments left out.
fn literals(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| line.split('"').skip(1).step_by(2).map(str::to_owned)).collect()
}

/// Whether a literal has the form of a code, `Forbidden.RAM`: dotted, or what a refusal is made with in this program,
/// from which all white space was taken.
fn looks_like_a_code(squeezed: &str, code: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_uppercase()) && part.chars().all(|c| c.is_ascii_alphanumeric())
    };
    let parts = code.split('.').count();
    if !code.split('.').all(part) {
        return false;
    }
    let called = ["bad_request", "forbidden", "not_found"];
    let called = called.iter().any(|name| squeezed.contains(&format!("{name}(\"{code}\"")));
    parts > 1 || called
}

/// Every code that a handler names itself. Names of actions and of parameters look the same, and are told apart.
fn codes_in_the_source() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    for folder in ["api", "auth", "server", "wire"] {
        sources(&root.join(folder), &mut files);
    }
    let mut codes = BTreeSet::new();
    for file in files.iter().filter(|file| !file.ends_with("provenance/codes.rs")) {
        let text = std::fs::read_to_string(file).unwrap();
        let squeezed: String = text.split_whitespace().collect();
        let found = literals(&text).into_iter().filter(|literal| looks_like_a_code(&squeezed, literal));
        codes.extend(found.filter(|code| !facts().has(code) && !facts().has_parameter(code)));
    }
    codes
}

#[test]
fn every_code_is_documented_or_listed() {
    let documented = errors().codes();
    let codes = codes_in_the_source();
    assert!(codes.len() > 80, "only {} codes were found", codes.len());
    let listed = |code: &str| UNDOCUMENTED_CODES.iter().any(|(own, _, _)| *own == code);
    let known = |code: &str| documented.contains(code) || GATEWAY_CODES.iter().any(|(own, _)| *own == code);
    let unknown: Vec<&String> =
        codes.iter().filter(|code| !code.starts_with("Mock.") && !known(code) && !listed(code)).collect();
    assert!(unknown.is_empty(), "add to UNDOCUMENTED_CODES in provenance/codes.rs: {unknown:#?}");
    let needless: Vec<&str> =
        UNDOCUMENTED_CODES.iter().map(|(code, _, _)| *code).filter(|code| known(code)).collect();
    assert!(needless.is_empty(), "documented by now: {needless:?}");
}
