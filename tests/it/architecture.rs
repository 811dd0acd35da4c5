//! Holds the house to its plan: who may import whom, how large a file may be, what every file begins with.

use std::fs;
use std::path::{Path, PathBuf};

/// Layer, and what it may import. Sideways only where written.
const TABLE: [(&str, &[&str]); 16] = [
    (
        "cli",
        &[
            "apply",
            "diagnosis",
            "deploy",
            "cost",
            "doctor",
            "verify",
            "plan",
            "policy",
            "cloud",
            "ssh",
            "state",
            "socketio",
            "topology",
            "resource",
            "base",
        ],
    ),
    ("apply", &["deploy", "plan", "cloud", "ssh", "state", "resource", "base"]),
    ("diagnosis", &["deploy", "verify", "cloud", "ssh", "base"]),
    ("deploy", &["ssh", "base"]),
    ("cost", &["topology", "cloud", "resource", "base"]),
    ("doctor", &["topology", "cloud", "resource", "base"]),
    ("policy", &["topology", "cloud", "base"]),
    ("verify", &["socketio", "ssh", "base"]),
    ("plan", &["topology", "resource", "base"]),
    ("cloud", &["base"]),
    ("ssh", &["base"]),
    ("state", &["resource", "base"]),
    ("socketio", &["base"]),
    ("topology", &["base"]),
    ("resource", &["base"]),
    ("base", &[]),
];

/// Lines a file may have; a longer one holds two concepts.
const LONGEST_FILE: usize = 600;

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("readable").path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

pub(crate) fn all_files() -> Vec<PathBuf> {
    ["src", "tests", "crates", "examples"].iter().flat_map(|folder| rust_files(Path::new(folder))).collect()
}

/// The layers a file imports, in whatever form: `use crate::cloud::...`, `crate::{cloud, ssh}`, `crate::cloud::f()`.
fn imported(text: &str) -> Vec<&str> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split("crate::").skip(1))
        .flat_map(|rest| {
            rest.trim_start_matches('{').split([',', '}']).take(if rest.starts_with('{') { 20 } else { 1 })
        })
        .filter_map(|path| {
            path.trim().split(|letter: char| !letter.is_ascii_lowercase() && letter != '_').next()
        })
        .filter(|layer| TABLE.iter().any(|(known, _)| known == layer))
        .collect()
}

#[test]
fn imports_go_down_only() {
    let mut wrong = Vec::new();
    for (layer, allowed) in TABLE {
        for file in rust_files(&Path::new("src").join(layer)) {
            let text = fs::read_to_string(&file).expect("readable");
            for import in imported(&text) {
                if import != layer && !allowed.contains(&import) {
                    wrong.push(format!(
                        "{} imports `{import}`; `{layer}` may import {}",
                        file.display(),
                        allowed.join(", ")
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_knows_every_layer() {
    let lib = fs::read_to_string("src/lib.rs").expect("readable");
    let layers: Vec<&str> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(layers.len(), TABLE.len());
    assert!(layers.iter().all(|layer| TABLE.iter().any(|(known, _)| known == layer)), "{layers:?}");
}

#[test]
fn an_import_in_any_form_is_seen() {
    let text = "use crate::cloud::alb;\nuse crate::{ssh, state::Memory};\nlet x = crate::plan::make();\n// crate::cli";
    assert_eq!(imported(text), ["cloud", "ssh", "state", "plan"]);
}

#[test]
fn only_the_command_line_prints_exits_or_reads_the_environment() {
    let forbidden = ["println!", "std::env::var", "std::process::exit", "std::process::Command"];
    for (layer, _) in TABLE.into_iter().filter(|(layer, _)| *layer != "cli") {
        for file in rust_files(&Path::new("src").join(layer)) {
            let text = fs::read_to_string(&file).expect("readable");
            // What unit tests share is compiled for them alone.
            let is_test = file.to_string_lossy().contains("tests") || file.ends_with("base/parts.rs");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for word in forbidden.iter().filter(|_| !is_test) {
                assert!(!code.contains(word), "{} has `{word}`", file.display());
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is_and_none_is_too_long() {
    for file in all_files() {
        let text = fs::read_to_string(&file).expect("readable");
        assert!(text.starts_with("//!"), "{} does not begin with `//!`", file.display());
        let lines = text.lines().count();
        assert!(lines <= LONGEST_FILE, "{} has {lines} lines", file.display());
    }
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not find itself.
    let forbidden =
        ["TO", "FIX", "HA"].into_iter().zip(["DO", "ME", "CK"]).map(|(one, two)| format!("{one}{two}"));
    let forbidden: Vec<String> = forbidden.chain([format!("dbg{}(", '!')]).collect();
    for file in all_files() {
        let text = fs::read_to_string(&file).expect("readable");
        for word in &forbidden {
            assert!(!text.contains(word.as_str()), "{} has `{word}`", file.display());
        }
    }
}

#[test]
fn the_three_programs_share_no_code() {
    for manifest in ["crates/chat-node/Cargo.toml", "crates/mock-cloud/Cargo.toml"] {
        let text = fs::read_to_string(manifest).expect("readable");
        assert!(!text.contains("path = \"../"), "{manifest} depends on a neighbour");
    }
}
