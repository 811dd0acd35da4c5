//! The documents say what is so: their commands are typed, their tables are compared with the code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use albatross::cloud::Product;
use albatross::cloud::credentials::Link;
use snapbox::{Assert, Data, Redactions};

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
                example.expected += content;
                example.expected.push('\n');
            }
        }
    }
    for example in &mut examples {
        example.expected.truncate(example.expected.trim_end().len());
    }
    examples
}

/// What differs from run to run, by name. A name stands in the documents for whatever was there.
fn redactions() -> Redactions {
    let mut redactions = Redactions::new();
    let named = [
        ("[PORT]", r"http://127\.0\.0\.1:(?<redacted>\d+)"),
        ("[TOKEN]", r"token=(?<redacted>[0-9a-f]{32})"),
        ("[TIME]", r"\b(?:in|after) (?<redacted>\d+(?:\.\d+)? m?s)\b"),
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

fn regex(pattern: &str) -> regex::Regex {
    regex::Regex::new(pattern).expect("a pattern")
}

/// Times of the checks stand in a column of their own, to the right of it; their name shall too.
fn with_times_in_line(text: &str) -> String {
    let column = regex(r"(?m)^(  \w+ +[a-z_.]+)( +\d+(?:\.\d+)? m?s)  ");
    let named = |line: &regex::Captures<'_>| format!("{}{:>2$}  ", &line[1], "[TIME]", line[2].len());
    column.replace_all(text, named).into_owned()
}

#[test]
fn the_readme_does_what_it_shows() {
    if lacks_redis("the_readme_does_what_it_shows") {
        return;
    }
    let text = fs::read_to_string("README.md").expect("the README");
    let examples = examples(&text);
    assert!(examples.len() >= 9, "the walk has become short: {examples:#?}");
    let walk = Walk::new();
    walk.run("cp examples/chatroom.yaml .");
    let assert = Assert::new().redact_with(redactions());
    for Example { line, command, expected } in examples {
        let said = walk.run(&command);
        let outcome = assert.try_eq(
            Some(&format!("README.md:{line}: $ {command}")),
            Data::text(with_times_in_line(said.text.trim_end())),
            Data::text(expected),
        );
        if let Err(difference) = outcome {
            panic!(
                "README.md:{line}: `{command}` (exit code {:?}) says something else\n{difference}",
                said.code
            );
        }
    }
}

/// The cells of the table whose header line begins so.
pub(crate) fn table(text: &str, header: &str) -> Vec<Vec<String>> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with(header));
    assert!(lines.next().is_some(), "no table begins with `{header}`");
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

fn readme() -> String {
    fs::read_to_string("README.md").expect("the README")
}

#[track_caller]
fn assert_same(written: &BTreeSet<String>, known: &BTreeSet<String>) {
    let missing: Vec<&String> = known.difference(written).collect();
    let invented: Vec<&String> = written.difference(known).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "README.md lacks {missing:?} and has {invented:?}, which the code does not know"
    );
}

pub(crate) fn bare(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

/// The fields of the schema as paths, read from its source: `network.vswitches.NAME.zone`.
pub(crate) fn schema_fields() -> BTreeSet<String> {
    let source = fs::read_to_string("src/topology/schema.rs").expect("the schema");
    let field = regex(r"(?m)^    pub (\w+): (?:Option<|Vec<|BTreeMap<String, )*(\w+)>*,$");
    let shape = regex(r"(?s)pub struct (\w+) \{(.*?)\n\}");
    let shapes: BTreeMap<String, Vec<(String, String, bool)>> = shape
        .captures_iter(&source)
        .map(|shape| {
            let fields = field.captures_iter(&shape[2]);
            let fields =
                fields.map(|one| (one[1].to_owned(), one[2].to_owned(), one[0].contains("BTreeMap")));
            (shape[1].to_owned(), fields.collect())
        })
        .collect();
    let mut found = BTreeSet::new();
    let mut open = vec![(String::new(), "Document".to_owned())];
    while let Some((prefix, shape)) = open.pop() {
        for (name, kind, many) in &shapes[&shape] {
            let path = format!("{prefix}{name}");
            match (shapes.contains_key(kind), many) {
                (true, true) => open.push((format!("{path}.NAME."), kind.clone())),
                (true, false) => open.push((format!("{path}."), kind.clone())),
                (false, _) => drop(found.insert(path)),
            }
        }
    }
    found
}

#[test]
fn the_reference_has_every_field_and_no_other() {
    let rows = table(&readme(), "| Field |");
    let written: BTreeSet<String> = rows.iter().map(|row| bare(&row[0])).collect();
    assert_eq!(written.len(), rows.len(), "a field stands twice");
    assert_same(&written, &schema_fields());
}

/// `examples/chatroom.yaml` with one field set, or the reason why it is refused.
fn with_field(path: &str, value: &str) -> Result<albatross::topology::model::Topology, String> {
    let mut document: serde_json::Value = serde_yaml::from_str(CHATROOM).expect("YAML");
    let mut place = &mut document;
    for part in path.replace("instances.NAME", "instances.ecs01").split('.') {
        place = &mut place[part];
    }
    *place = serde_yaml::from_str(value).expect("a value");
    albatross::topology::load(document.to_string().as_bytes()).map_err(|found| found[0].message.clone())
}

const CHATROOM: &str = include_str!("../../examples/chatroom.yaml");

#[test]
fn writing_a_default_changes_nothing() {
    let without: String = CHATROOM
        .lines()
        .filter(|line| !line.contains("timeout:"))
        .fold(String::new(), |text, line| text + line + "\n");
    let plain = albatross::topology::load(without.as_bytes()).expect("valid");
    let mut tried = 0;
    for row in table(&readme(), "| Field |") {
        let path = bare(&row[0]);
        let Some(default) = row[3].strip_prefix('`').and_then(|cell| cell.split('`').next()) else {
            continue;
        };
        assert_eq!(with_field(&path, default).as_ref(), Ok(&plain), "{path}: {default}");
        tried += 1;
    }
    assert!(tried >= 18, "only {tried} defaults were tried");
}

#[test]
fn ranges_end_where_the_reference_says() {
    let range = regex(r"^(\d+) to (\d+)$");
    let mut tried = 0;
    for row in table(&readme(), "| Field |") {
        let path = bare(&row[0]);
        let Some(found) = range.captures(&row[2]) else { continue };
        let (least, most): (i64, i64) =
            (found[1].parse().expect("a number"), found[2].parse().expect("a number"));
        for outside in [least - 1, most + 1] {
            assert!(with_field(&path, &outside.to_string()).is_err(), "{path}: {outside} is taken");
        }
        // A timeout of a second is in range, but shorter than the ping interval.
        let least = if path.ends_with("_timeout") { least + 10 } else { least };
        for inside in [least, most] {
            let outcome = with_field(&path, &inside.to_string());
            assert!(outcome.is_ok(), "{path}: {inside} is refused: {outcome:?}");
        }
        tried += 1;
    }
    assert!(tried >= 7, "only {tried} ranges were tried");
}

#[test]
fn the_exit_codes_are_those_of_the_program() {
    let source = fs::read_to_string("src/cli/exit.rs").expect("the source");
    let codes = regex(r"Self::\w+ => (\d+),");
    let known: BTreeSet<String> = codes.captures_iter(&source).map(|found| found[1].to_owned()).collect();
    let written: BTreeSet<String> =
        table(&readme(), "| Code |").into_iter().map(|row| row[0].clone()).collect();
    assert_same(&written, &known);
}

#[test]
fn the_checks_of_doctor_are_those_it_makes() {
    let written: Vec<String> = table(&readme(), "| Check |").into_iter().map(|row| bare(&row[0])).collect();
    let made = albatross::doctor::CheckId::ALL.map(|check| check.name().to_owned());
    assert_eq!(written, made);
}

/// What the client calls, as `product:action`.
pub(crate) fn called_actions() -> BTreeSet<String> {
    let call = regex(r#"(?:Call::new\(\s*Product::(\w+),\s*|rule_call\()"(\w+)""#);
    let mut called = BTreeSet::new();
    for entry in fs::read_dir("src/cloud").expect("the client") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            continue;
        }
        let source = fs::read_to_string(path).expect("a source");
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        for found in call.captures_iter(code) {
            let product = found.get(1).map_or("ecs".to_owned(), |product| product.as_str().to_lowercase());
            called.insert(format!("{product}:{}", &found[2]));
        }
        let calls = code.matches("Call::new(").count() + code.matches("rule_call(\"").count();
        let generic = code.matches("Call::new(Product::Ecs, action)").count();
        assert_eq!(
            call.captures_iter(code).count() + generic,
            calls,
            "a call has a form this test does not know"
        );
    }
    called
}

#[test]
fn the_actions_are_those_the_client_calls() {
    let called = called_actions();
    let written: BTreeSet<String> = table(&readme(), "| Product |")
        .iter()
        .flat_map(|row| row[1].split(", ").map(|action| format!("{}:{action}", row[0])).collect::<Vec<_>>())
        .collect();
    assert_same(&written, &called);
}

#[test]
fn the_variables_are_those_that_are_read() {
    let variable = regex(r#""((?:ALIBABA_CLOUD|ALBATROSS)_[A-Z0-9_]+)"#);
    let mut known = BTreeSet::new();
    for file in ["src/cli/environment.rs", "src/cli/mod.rs"] {
        let source = fs::read_to_string(file).expect("the source");
        known.extend(variable.captures_iter(&source).map(|found| found[1].to_owned()));
    }
    // Of no part in credentials and endpoints.
    let of_the_crash_harness = ["ALBATROSS_CRASH_POINT", "ALBATROSS_CRASH_POINTS_TO"];
    for other in ["ALBATROSS_STATE_DIR", "ALBATROSS_CHAT_NODE"].into_iter().chain(of_the_crash_harness) {
        assert!(known.remove(other), "{other} is not read any more");
    }
    let rows = table(&readme(), "| Variable |");
    let written = rows.iter().map(|row| bare(&row[0]).trim_end_matches("<PRODUCT>").to_owned()).collect();
    assert_same(&written, &known);
}

#[test]
fn the_links_of_the_chain_stand_in_their_order() {
    let written: Vec<String> = table(&readme(), "| Link |").into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(written, Link::ALL.map(|link| link.to_string()));
}

#[test]
fn the_products_with_endpoints_are_those_of_the_client() {
    let known: BTreeSet<String> = Product::ALL.into_iter().map(|product| product.code().to_owned()).collect();
    let text = readme();
    let fields = table(&text, "| Field |");
    let field = fields.iter().find(|row| bare(&row[0]) == "endpoints").expect("the field");
    assert_same(&field[2].split(", ").map(bare).collect(), &known);
    let variables = table(&text, "| Variable |");
    let variable = variables.iter().find(|row| row[0].contains("<PRODUCT>")).expect("the variable");
    let names = variable[1].rsplit(": ").next().unwrap_or_default();
    assert_same(&names.split(", ").map(|name| bare(name).to_lowercase()).collect(), &known);
}

#[test]
fn links_between_documents_lead_somewhere() {
    let link = regex(r"\]\(([^)#]+)[^)]*\)");
    for document in ["README.md", "ARCHITECTURE.md"] {
        let text = fs::read_to_string(document).expect("the document");
        for found in link.captures_iter(&text) {
            assert!(
                found[1].starts_with("https://") || Path::new(&found[1]).exists(),
                "{document}: {}",
                &found[1]
            );
        }
    }
}

#[test]
fn files_and_folders_named_in_the_documents_are_there() {
    let named = regex(r"`((?:src|crates|tests|examples|templates)/[\w./-]+)`");
    for document in ["README.md", "ARCHITECTURE.md"] {
        let text = fs::read_to_string(document).expect("the document");
        for found in named.captures_iter(&text) {
            assert!(Path::new(&found[1]).exists(), "{document}: `{}` is not there", &found[1]);
        }
    }
}
