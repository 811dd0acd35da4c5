//! The documents say what is so: their commands are typed, their tables are compared with the code, their links lead
//! somewhere.

mod commands;
pub(crate) mod events;
mod links;
mod walks;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use albatross::cloud::credentials::Link;
use albatross::cloud::{Product, permission};

/// `README.md` and the pages of `docs/`, by name.
fn pages() -> BTreeSet<String> {
    let entries = fs::read_dir("docs").expect("the pages");
    let pages = entries.map(|entry| format!("docs/{}", entry.expect("readable").file_name().display()));
    let pages = pages.filter(|page| Path::new(page).extension().is_some_and(|extension| extension == "md"));
    pages.chain(["README.md".to_owned()]).collect()
}

/// The text of a document.
fn read(page: &str) -> String {
    fs::read_to_string(page).unwrap_or_else(|error| panic!("{page}: {error}"))
}

pub(crate) fn regex(pattern: &str) -> regex::Regex {
    regex::Regex::new(pattern).expect("a pattern")
}

/// The cells of the table whose header line begins so.
pub(crate) fn table(text: &str, header: &str) -> Vec<Vec<String>> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with(header));
    assert!(lines.next().is_some(), "no table begins with `{header}`");
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[track_caller]
fn assert_same(written: &BTreeSet<String>, known: &BTreeSet<String>) {
    let missing: Vec<&String> = known.difference(written).collect();
    let invented: Vec<&String> = written.difference(known).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "{missing:?} should be there, and {invented:?} should not"
    );
}

pub(crate) fn bare(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

/// The fields of the schema as paths, read from its source: `network.vswitches.NAME.zone`.
pub(crate) fn schema_fields() -> BTreeSet<String> {
    let source = read("src/topology/schema.rs") + &read("src/topology/schema/instance.rs");
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
    let rows = table(&read("docs/topology.md"), "| Field |");
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
    for row in table(&read("docs/topology.md"), "| Field |") {
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
    for row in table(&read("docs/topology.md"), "| Field |") {
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
        table(&read("docs/errors.md"), "| Code |").into_iter().map(|row| row[0].clone()).collect();
    assert_same(&written, &known);
}

#[test]
fn the_checks_of_doctor_are_those_it_makes() {
    let written: Vec<String> =
        table(&read("docs/doctor.md"), "| Check |").into_iter().map(|row| bare(&row[0])).collect();
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
    let written: BTreeSet<String> = table(&read("docs/permissions.md"), "| Product |")
        .iter()
        .flat_map(|row| row[1].split(", ").map(|action| format!("{}:{action}", row[0])).collect::<Vec<_>>())
        .collect();
    assert_same(&written, &called);
}

/// The actions that a statement of the policy allows.
fn allowed(statement: &serde_json::Value) -> Vec<String> {
    assert_eq!(statement["Effect"], "Allow");
    let actions = statement["Action"].as_array().expect("a list");
    actions.iter().map(|action| action.as_str().expect("an action").to_owned()).collect()
}

#[test]
fn the_policy_allows_what_is_called_and_the_role_of_the_load_balancer() {
    let policy: serde_json::Value =
        serde_json::from_str(&read("examples/ram-policy.json")).expect("a policy");
    let statements = policy["Statement"].as_array().expect("a list");
    let written: Vec<String> = statements.iter().flat_map(allowed).collect();
    let once: BTreeSet<String> = written.iter().cloned().collect();
    assert_eq!(once.len(), written.len(), "an action stands twice");
    let of_roles = ["sts:AssumeRole", "sts:AssumeRoleWithOIDC"];
    let called = called_actions().into_iter().map(|call| {
        let (product, action) = call.split_once(':').expect("a product and an action");
        permission::of(product_of(product), action)
    });
    let known = called.filter(|action| !of_roles.contains(&action.as_str()));
    // Buckets have a client of their own.
    let others = [
        "ram:CreateServiceLinkedRole",
        "oss:GetBucketVersioning",
        "oss:ListObjects",
        "oss:GetObject",
        "oss:PutObject",
    ];
    assert_same(&once, &known.chain(others.map(str::to_owned)).collect());
}

/// The product that `called_actions` names so.
fn product_of(name: &str) -> Product {
    let same = |product: &Product| format!("{product:?}").to_lowercase() == name;
    Product::ALL.into_iter().find(same).unwrap_or_else(|| panic!("no product {name}"))
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
    let rows = table(&read("docs/credentials.md"), "| Variable |");
    let written = rows.iter().map(|row| bare(&row[0]).trim_end_matches("<PRODUCT>").to_owned()).collect();
    assert_same(&written, &known);
}

#[test]
fn the_links_of_the_chain_stand_in_their_order() {
    let written: Vec<String> =
        table(&read("docs/credentials.md"), "| Link |").into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(written, Link::ALL.map(|link| link.to_string()));
}

#[test]
fn the_products_with_endpoints_are_those_of_the_client() {
    let known: BTreeSet<String> = Product::ALL.into_iter().map(|product| product.code().to_owned()).collect();
    let fields = table(&read("docs/topology.md"), "| Field |");
    let field = fields.iter().find(|row| bare(&row[0]) == "endpoints").expect("the field");
    assert_same(&field[2].split(", ").map(bare).collect(), &known);
    let variables = table(&read("docs/credentials.md"), "| Variable |");
    let variable = variables.iter().find(|row| row[0].contains("<PRODUCT>")).expect("the variable");
    let names = variable[1].rsplit(": ").next().unwrap_or_default();
    assert_same(&names.split(", ").map(|name| bare(name).to_lowercase()).collect(), &known);
}
