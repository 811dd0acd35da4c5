//! Holds the table of the load balancer to what there is: every parameter of the API, and tests that exist.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

/// The actions by which traffic is configured.
const ACTIONS: [&str; 4] =
    ["Alb.CreateListener", "Alb.CreateServerGroup", "Alb.CreateRule", "Alb.AddServersToServerGroup"];
/// What every action has, and what has nothing to do with traffic.
const GENERAL: [&str; 5] = ["ClientToken", "DryRun", "ResourceGroupId", "Tag.Key", "Tag.Value"];

fn table() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/load-balancer.md");
    std::fs::read_to_string(path).unwrap()
}

/// What stands between backticks.
pub(crate) fn quoted(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Names of all test functions below a folder.
pub(crate) fn tests(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            let functions = lines.windows(2).filter(|pair| {
                pair[0].trim().starts_with("#[test") || pair[0].trim().starts_with("#[tokio::test")
            });
            names.extend(functions.filter_map(|pair| {
                let name = pair[1].trim().trim_start_matches("async ").strip_prefix("fn ")?;
                Some(name.split('(').next()?.to_owned())
            }));
        }
    }
}

#[test]
fn every_test_that_the_table_names_exists() {
    let table = table();
    let mut known = BTreeSet::new();
    tests(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut known);
    let mut named = 0;
    for row in table.lines().filter(|line| line.starts_with("| ") && line.contains('`')) {
        let cell = row.trim_end_matches('|').rsplit('|').next().unwrap();
        assert!(cell.contains('`'), "no test shows it: {row}");
        for name in quoted(cell) {
            assert!(known.contains(name), "there is no test {name}");
            named += 1;
        }
    }
    let sentences = table.lines().filter(|line| !line.starts_with('|')).collect::<Vec<_>>().join("\n");
    let words = quoted(&sentences).into_iter().filter(|word| {
        word.contains('_')
            && word.chars().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '_')
    });
    for name in words {
        assert!(known.contains(name), "there is no test {name}");
        named += 1;
    }
    assert!(named > 50, "only {named} tests were found");
}

#[test]
fn the_table_has_every_parameter_of_traffic() {
    let facts: Value = serde_json::from_str(include_str!("../../src/facts/actions.json")).unwrap();
    let table = table();
    let named = quoted(&table);
    for action in ACTIONS {
        let parameters = facts["actions"][action]["parameters"].as_object().unwrap();
        let all: Vec<String> = parameters.keys().map(|name| name.replace(".N", "")).collect();
        let is_leaf = |name: &&String| !all.iter().any(|other| other.starts_with(&format!("{name}.")));
        for name in all.iter().filter(is_leaf).filter(|name| !GENERAL.contains(&name.as_str())) {
            assert!(named.contains(name.as_str()), "the table does not have {name} of {action}");
        }
    }
}
