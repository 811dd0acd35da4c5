//! `albatross schema`: what an independent validator says of topologies by it, against what `albatross` says.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use jsonschema::Validator;
use serde_json::Value;

use crate::support::TestEnv;

fn schema() -> Value {
    TestEnv::new().run(&["schema"]).expect_code(0).json()
}

fn validator(schema: &Value) -> Validator {
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    jsonschema::draft202012::new(schema).expect("a schema")
}

/// A text of YAML as a validator of JSON sees it.
fn value(text: &str) -> Option<Value> {
    serde_yaml::from_str(text).ok()
}

fn topologies(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect();
    paths.sort();
    paths
}

#[test]
fn the_examples_are_valid_by_the_schema() {
    let schema = schema();
    jsonschema::meta::validate(&schema).expect("a schema by the schema of schemas");
    let validator = validator(&schema);
    let examples = topologies("examples");
    assert!(examples.len() >= 4, "{examples:?}");
    for path in examples {
        let text = fs::read_to_string(&path).expect("readable");
        let errors: Vec<String> =
            validator.iter_errors(&value(&text).expect("YAML")).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
    }
}

/// Whoever opens one in an editor gets its help.
#[test]
fn the_schema_is_beside_the_examples_and_each_of_them_refers_to_it() {
    let env = TestEnv::new();
    env.run(&["schema", "--out", "topology.schema.json"]).expect_code(0);
    let published = fs::read_to_string("examples/topology.schema.json").unwrap_or_default();
    assert!(
        published == env.read("topology.schema.json"),
        "`albatross schema --out examples/topology.schema.json` writes it anew"
    );
    for path in topologies("examples") {
        let text = fs::read_to_string(&path).expect("readable");
        let line = "# yaml-language-server: $schema=topology.schema.json";
        assert!(text.lines().any(|one| one == line), "{} does not refer to it", path.display());
    }
}

/// A field that is not known, a value of another kind or a word that is none is seen without the program.
#[test]
fn what_has_a_wrong_shape_is_refused_by_the_schema() {
    let validator = validator(&schema());
    let mut refused = BTreeSet::new();
    for path in topologies("tests/fixtures") {
        let said = fs::read_to_string(path.with_extension("stderr")).expect("what is said of it");
        let has_wrong_shape = said.contains("error[unknown-field]") || said.contains("error[syntax]");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let Some(value) = value(&text).filter(|_| has_wrong_shape) else { continue };
        assert!(!validator.is_valid(&value), "{} is valid by the schema", path.display());
        refused.insert(path);
    }
    assert!(refused.len() >= 5, "{refused:?}");
}

/// Nobody's editor marks what the program takes.
#[test]
fn what_the_program_takes_is_valid_by_the_schema() {
    let validator = validator(&schema());
    let mut taken = 0;
    for text in crate::fields::variants() {
        if albatross::topology::load(text.as_bytes()).is_ok() {
            let errors: Vec<String> =
                validator.iter_errors(&value(&text).expect("YAML")).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{errors:?} in\n{text}");
            taken += 1;
        }
    }
    assert!(taken > 40, "only {taken} were tried");
}

/// Every value with its path in a topology, through references and the several forms of one.
fn visit(schema: &Value, node: &Value, path: &str, see: &mut dyn FnMut(&str, &Value)) {
    see(path, node);
    if let Some(name) = node["$ref"].as_str() {
        let target = schema.pointer(name.trim_start_matches('#')).expect("what is referred to");
        visit(schema, target, path, see);
    }
    for form in node["anyOf"].as_array().into_iter().flatten() {
        visit(schema, form, path, see);
    }
    for (name, field) in node["properties"].as_object().into_iter().flatten() {
        visit(schema, field, &format!("{path}.{name}"), see);
    }
    if node["additionalProperties"].is_object() {
        visit(schema, &node["additionalProperties"], &format!("{path}.ecs01"), see);
    }
}

#[test]
fn every_field_has_a_description_and_the_fields_are_those_of_a_topology() {
    let schema = schema();
    let (mut described, mut seen) = (BTreeSet::new(), BTreeSet::new());
    visit(&schema, &schema, "", &mut |path, node| {
        seen.insert(path.to_owned());
        if node["description"].as_str().is_some_and(|text| !text.is_empty()) {
            described.insert(path.to_owned());
        }
    });
    for field in crate::docs::schema_fields() {
        let path = format!(".{}", field.replace(".NAME", ".ecs01"));
        assert!(seen.contains(&path), "the schema has no {field}");
        assert!(described.contains(&path), "{field} is not described");
    }
}

#[test]
fn what_is_out_of_range_by_the_schema_is_refused_by_the_program() {
    let schema = schema();
    let mut ranges = BTreeSet::new();
    visit(&schema, &schema, "", &mut |path, node| {
        let below = node["minimum"].as_i64().map(|least| least - 1);
        let above = node["maximum"].as_i64().map(|most| most + 1);
        ranges.extend(below.into_iter().chain(above).map(|outside| (path.to_owned(), outside)));
    });
    assert!(ranges.len() >= 18, "{ranges:?}");
    for (path, outside) in ranges {
        let text = include_str!("../../examples/chatroom.yaml");
        let mut topology = value(text).expect("YAML");
        let mut place = &mut topology;
        for part in path.trim_start_matches('.').split('.') {
            place = &mut place[part];
        }
        *place = outside.into();
        let loaded = albatross::topology::load(topology.to_string().as_bytes());
        assert!(loaded.is_err(), "{path}: {outside} is taken");
    }
}

#[test]
fn it_is_written_where_it_is_wanted() {
    let env = TestEnv::new();
    env.run(&["schema", "--out", "editor/topology.json"]).expect_code(0);
    assert_eq!(env.read("editor/topology.json"), env.run(&["schema"]).expect_code(0).stdout);
    env.write("a-file", "");
    env.run(&["schema", "--out", "a-file/topology.json"]).expect_code(1).expect_in_order(&[
        "error: cannot create `a-file`",
        "help: name a file in a folder that you may write to",
    ]);
}
