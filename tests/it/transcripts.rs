//! What the program prints, word for word, where no cloud is needed: help, usage errors, and every rejected topology.
//!
//! `SNAPSHOTS=overwrite cargo test --test it transcripts` writes the expectations of the topologies anew;
//! `TRYCMD=overwrite` those of the commands.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use snapbox::{Assert, Data};

use crate::walk::Walk;

#[test]
fn commands_print_what_is_written_down() {
    let cases = trycmd::TestCases::new();
    cases.env("NO_COLOR", "1").env("LANG", "C").env("HOME", "/nonexistent");
    cases.env("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
    cases.case("tests/cmd/*.trycmd");
}

/// The rejected topologies, in a folder that also has keys and certificates of every fault.
struct Rejected {
    walk: Walk,
}

impl Rejected {
    fn new() -> Self {
        let walk = Walk::new();
        for path in topologies() {
            let name = path.file_name().expect("a name");
            fs::copy(&path, walk.path().join(name)).expect("copied");
        }
        for (name, mode) in [("open-key", 0o644), ("text-key", 0o600)] {
            let path = walk.path().join(name);
            fs::write(&path, "not a key\n").expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode set");
        }
        let large = "#".repeat(32 * 1024 + 1);
        for (name, text) in [("first.sh", "#!/bin/sh\necho {{ NAME }} {{ NAMME }}\n"), ("large.sh", &large)] {
            fs::write(walk.path().join(name), text).expect("written");
        }
        let rejected = Self { walk };
        rejected.write_certificate("chain", (2020, 2090));
        rejected.write_certificate("other", (2020, 2090));
        rejected.write_certificate("ended", (2020, 2021));
        rejected
    }

    /// A certificate for example.com, from the first day of one year to that of another, and its key beside it.
    fn write_certificate(&self, name: &str, years: (i32, i32)) {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut wanted = rcgen::CertificateParams::new(vec!["example.com".to_owned()]).expect("a name");
        wanted.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        wanted.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let chain = wanted.self_signed(&key).expect("a certificate").pem();
        for (file, text) in [(format!("{name}.pem"), chain), (format!("{name}-key.pem"), key.serialize_pem())]
        {
            let path = self.walk.path().join(file);
            fs::write(&path, text).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode set");
        }
    }

    /// What `validate` says, and its exit code.
    fn validate(&self, topology: &Path) -> (String, Option<i32>) {
        let name = topology.file_name().expect("a name").to_string_lossy();
        let said = self.walk.run(&format!("albatross validate {name}"));
        (said.text, said.code)
    }
}

fn topologies() -> Vec<PathBuf> {
    let entries = fs::read_dir("tests/fixtures").expect("the fixtures");
    let paths = entries.map(|entry| entry.expect("readable").path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect();
    paths.sort();
    paths
}

#[test]
fn every_rejected_topology_reads_as_written_down() {
    let rejected = Rejected::new();
    let assert = Assert::new().action_env("SNAPSHOTS");
    let mut wrong = Vec::new();
    for topology in topologies() {
        let (said, code) = rejected.validate(&topology);
        let expected = Data::read_from(&topology.with_extension("stderr"), None);
        if let Err(difference) = assert.try_eq(Some(&topology.display()), Data::text(said), expected) {
            wrong.push(difference.to_string());
        }
        if code != Some(65) {
            wrong.push(format!("{}: exit code {code:?}", topology.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Codes of the findings in the sources: `code: "..."`, or a line of its own where several are chosen from.
fn codes_in_the_sources() -> BTreeSet<String> {
    let pattern = regex::Regex::new(r#"(?m)(?:code: |^ +)"([a-z0-9]+(?:-[a-z0-9]+)*)",(?:$| message)"#)
        .expect("a pattern");
    let rules = ["src/topology/rules", "src/topology/references"].into_iter();
    let rules = rules.flat_map(|folder| fs::read_dir(folder).expect("the rules"));
    let rules = rules.map(|entry| entry.expect("an entry").path());
    let others = [
        "src/topology/count.rs",
        "src/topology/mod.rs",
        "src/topology/outputs.rs",
        "src/cli/app.rs",
        "src/cli/certificate.rs",
        "src/cli/existing.rs",
        "src/cli/key.rs",
        "src/cli/user_data.rs",
    ]
    .map(PathBuf::from);
    let mut codes = BTreeSet::new();
    for file in rules.chain(others) {
        let source = fs::read_to_string(file).expect("a source");
        // Below come names of fields, which look the same.
        let source = source.split("const TOP_FIELDS").next().unwrap_or_default();
        codes.extend(pattern.captures_iter(source).map(|found| found[1].to_owned()));
    }
    codes
}

#[test]
fn every_rule_has_a_rejected_topology() {
    let pattern = regex::Regex::new(r"(?m)^error\[([a-z0-9-]+)\]").expect("a pattern");
    // No file alone has these: `none_and_several_are_refused_with_what_was_found`, `a_file_of_ten_mebibytes_is_refused_at_once`, `what_cannot_be_given_is_refused`.
    let mut shown = BTreeSet::from(["existing-match", "file-too-large", "set-path"].map(str::to_owned));
    for topology in topologies() {
        let expected = fs::read_to_string(topology.with_extension("stderr")).expect("what it says");
        shown.extend(pattern.captures_iter(&expected).map(|found| found[1].to_owned()));
    }
    assert_eq!(shown, codes_in_the_sources());
}

#[test]
fn every_rule_is_explained_in_order() {
    let explained: Vec<&str> = albatross::topology::explain::rules().map(|rule| rule.code).collect();
    let known = codes_in_the_sources();
    assert_eq!(explained, known.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn a_file_of_ten_mebibytes_is_refused_at_once() {
    let walk = Walk::new();
    fs::write(walk.path().join("large.yaml"), vec![b'#'; 10 * 1024 * 1024]).expect("written");
    let said = walk.run("albatross validate large.yaml");
    assert_eq!(said.code, Some(65));
    assert!(
        said.text.contains("error[file-too-large]: the file is too large for a topology"),
        "{}",
        said.text
    );
}

#[test]
fn the_examples_are_valid() {
    let walk = Walk::new();
    for name in ["chatroom", "chatroom-https", "minimal", "scaled"] {
        let said = walk.run(&format!("albatross validate examples/{name}.yaml"));
        assert_eq!(said.code, Some(0), "{}", said.text);
    }
}

#[test]
fn colours_are_for_terminals_only() {
    let walk = Walk::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_albatross"));
    command.args(["validate", "examples/chatroom.yaml"]);
    assert!(!walk.run_command(command).text.contains('\u{1b}'));
}
