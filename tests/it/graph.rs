//! `albatross graph`: the topology as a picture in three notations, each read by what is not ours or by its structure.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

use quick_xml::Reader;
use quick_xml::events::Event;
use regex::Regex;

use crate::support::TestEnv;

/// What leads to what in the example's chatroom.
const WAYS: [(&str, &str); 6] = [
    ("clients", "example.com"),
    ("example.com", "load balancer"),
    ("load balancer", "ecs01"),
    ("load balancer", "ecs02"),
    ("ecs01", "Redis on ecs03"),
    ("ecs02", "Redis on ecs03"),
];

fn graph(env: &TestEnv, format: &str) -> String {
    env.run(&["graph", "chatroom.yaml", "--format", format]).expect_code(0).stdout
}

/// The ways of a text in which parts have words: by the first line of each label.
fn ways(text: &str, label: &str, way: &str) -> BTreeSet<(String, String)> {
    let regex = |pattern: &str| Regex::new(pattern).expect("a pattern");
    let names: BTreeMap<String, String> =
        regex(label).captures_iter(text).map(|found| (found[1].to_owned(), found[2].to_owned())).collect();
    let way = regex(way);
    way.captures_iter(text).map(|found| (names[&found[1]].clone(), names[&found[2]].clone())).collect()
}

fn expected() -> BTreeSet<(String, String)> {
    WAYS.map(|(from, to)| (from.to_owned(), to.to_owned())).into()
}

#[test]
fn the_flowchart_is_the_default_and_leads_from_clients_to_redis() {
    let env = TestEnv::new();
    let drawn = graph(&env, "mermaid");
    assert_eq!(env.run(&["graph", "chatroom.yaml"]).expect_code(0).stdout, drawn);
    assert!(drawn.starts_with("flowchart TB\n"), "{drawn}");
    let line = Regex::new(r#"^    (\w+\["[^"\[\]]+"\]|\w+ --> \w+)$"#).expect("a pattern");
    for one in drawn.lines().skip(1) {
        assert!(line.is_match(one), "`{one}` is no line of a flowchart");
    }
    assert_eq!(ways(&drawn, r#"(?m)^ +(\w+)\["([^"<]+)"#, r"(?m)^ +(\w+) --> (\w+)$"), expected());
}

#[test]
fn the_dot_graph_leads_from_clients_to_redis() {
    let env = TestEnv::new();
    let drawn = graph(&env, "dot");
    let (begins, ends) = ("digraph \"http://example.com:5000/\" {\n", "\n}\n");
    assert!(drawn.starts_with(begins) && drawn.ends_with(ends), "{drawn}");
    let line = Regex::new(r#"^    (\w+ \[label="([^"\\]|\\.)+"\]|\w+ -> \w+|rankdir=TB|node \[[^\]]+\]);$"#);
    let line = line.expect("a pattern");
    for one in drawn[begins.len()..drawn.len() - ends.len()].lines() {
        assert!(line.is_match(one), "`{one}` is no statement of DOT");
    }
    assert_eq!(ways(&drawn, r#"(?m)^ +(\w+) \[label="([^"\\]+)"#, r"(?m)^ +(\w+) -> (\w+);$"), expected());
}

/// The names of all elements of a text of XML, and its texts.
fn elements(xml: &str) -> (Vec<String>, Vec<String>) {
    let mut reader = Reader::from_str(xml);
    let (mut names, mut texts) = (Vec::new(), Vec::new());
    loop {
        let event = reader.read_event().unwrap_or_else(|error| panic!("{error}\n{xml}"));
        if let Event::Start(one) | Event::Empty(one) = &event {
            for attribute in one.attributes() {
                attribute.unwrap_or_else(|error| panic!("{error}\n{xml}"));
            }
            names.push(String::from_utf8_lossy(one.name().as_ref()).into_owned());
        }
        if let Event::Text(text) = &event {
            texts.push(text.decode().expect("UTF-8").trim().to_owned());
        }
        if let Event::Eof = event {
            return (names, texts);
        }
    }
}

#[test]
fn the_svg_is_xml_and_has_every_part_and_way() {
    let env = TestEnv::new();
    let drawn = graph(&env, "svg");
    assert!(drawn.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""), "{drawn}");
    let (names, texts) = elements(&drawn);
    let count = |name: &str| names.iter().filter(|one| *one == name).count();
    assert_eq!(["svg", "rect", "path"].map(count), [1, 6, WAYS.len()]);
    for part in
        WAYS.iter().flat_map(|(from, to)| [*from, *to]).chain(["cn-hangzhou-h", "via ecs01", "port 6379"])
    {
        assert!(texts.iter().any(|text| text == part), "no {part} in {texts:?}");
    }
    assert!(!texts.iter().any(|text| text == "well" || text == "not known"), "{texts:?}");
}

#[test]
fn a_machine_that_serves_nothing_is_drawn_and_redis_that_is_not_there_is_not() {
    let env = TestEnv::new();
    let app = "app: { binary: /bin/true }\nnode:\n";
    env.write_changed(
        "chatroom.yaml",
        &[("  port: 5000\n\nload_balancer", "\nload_balancer"), ("\nnode:\n", &format!("\n{app}"))],
    );
    let text = env.read("chatroom.yaml");
    let (before, rest) = text.split_once("redis:\n").expect("Redis");
    let (_, after) = rest.split_once("\napp:").expect("the app");
    env.write("chatroom.yaml", format!("{before}\napp:{after}"));
    let drawn = graph(&env, "mermaid");
    assert!(!drawn.to_lowercase().contains("redis"), "{drawn}");
    assert!(drawn.contains("    other1[\"ecs03<br/>"), "{drawn}");
    let (names, texts) = elements(&graph(&env, "svg"));
    assert_eq!(names.iter().filter(|name| *name == "path").count(), 4);
    assert!(texts.iter().any(|text| text == "ecs03"), "{texts:?}");
}

/// Where Graphviz is, it has the last word.
#[test]
fn graphviz_reads_the_dot_graph_where_it_is() {
    let env = TestEnv::new();
    let drawn = graph(&env, "dot");
    let dot = Command::new("dot").arg("-Tcanon").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut dot) = dot else {
        eprintln!("skipped: there is no `dot` here");
        return;
    };
    let mut input = dot.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut input, drawn.as_bytes()).expect("it listens");
    drop(input);
    assert!(dot.wait_with_output().expect("it ends").status.success(), "{drawn}");
}
