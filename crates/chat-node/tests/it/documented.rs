//! What `docs/chat-node.md` says of flags and metrics is what the program has.

use std::collections::BTreeSet;
use std::process::Command;

use crate::cluster::Node;
use crate::redis_server::redis_or_skip;

const PAGE: &str = include_str!("../../../../docs/chat-node.md");

/// The cells of the rows whose first one is code that begins so.
fn rows(start: &str) -> Vec<Vec<&'static str>> {
    let cells = |row: &'static str| row.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect();
    PAGE.lines().filter(|line| line.starts_with(&format!("| `{start}"))).map(cells).collect()
}

fn code(cell: &str) -> &str {
    cell.trim_matches('`')
}

#[test]
fn every_flag_is_documented_with_its_default() {
    let output = Command::new(env!("CARGO_BIN_EXE_chat-node")).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    // Each begins a line, and reaches to the next.
    let flags: Vec<(&str, &str)> = help
        .split("\n      --")
        .skip(1)
        .map(|text| text.split_once([' ', '\n']).expect("a flag has a help text"))
        .collect();
    let documented = rows("--");
    let named: BTreeSet<&str> = documented.iter().map(|row| code(row[0]).trim_start_matches("--")).collect();
    assert_eq!(named, flags.iter().map(|(flag, _)| *flag).collect::<BTreeSet<_>>());
    for (flag, text) in flags {
        // Defaults that are a word of their own, not those told in a sentence.
        let Some((_, rest)) = text.split_once("[default: ") else { continue };
        let default = rest.split(']').next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        let row = documented.iter().find(|row| code(row[0]) == format!("--{flag}")).unwrap();
        let is_said = row[1] == default || default.ends_with(row[1]);
        assert!(is_said || default.starts_with("the "), "--{flag} is {default}, documented as {}", row[1]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_is_documented_with_its_kind() {
    let redis = redis_or_skip!();
    let node = Node::ready("ecs01", &redis.url()).await;
    let text = node.get("/metrics").await.text().await.unwrap();
    let measured: BTreeSet<(&str, &str)> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let documented: BTreeSet<(&str, &str)> =
        rows("chat_").iter().filter(|row| row.len() == 3).map(|row| (code(row[0]), row[1])).collect();
    assert_eq!(documented, measured);
}
