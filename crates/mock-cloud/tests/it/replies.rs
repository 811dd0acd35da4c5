//! Every reply of every test is held against the reply trees of the official models: names, nesting, types.
//!
//! `replies.json` has one line an action: objects with their fields, lists with their one item, and leaves that
//! are `text`, `integer`, `number`, `boolean` or `any`.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Value, json};

/// Refuses a reply that has a field the action does not have, or one of another type.
#[track_caller]
pub(crate) fn check(name: &str, reply: &Value) {
    let troubles = troubles(name, reply);
    assert!(troubles.is_empty(), "{name} answers what it should not: {troubles:#?}");
}

fn troubles(name: &str, reply: &Value) -> Vec<String> {
    let mut troubles = Vec::new();
    match trees().get(name) {
        Some(tree) => walk(tree, reply, "", &mut troubles),
        None => troubles.push("there is no tree".to_owned()),
    }
    troubles
}

fn trees() -> &'static BTreeMap<String, Value> {
    static TREES: OnceLock<BTreeMap<String, Value>> = OnceLock::new();
    TREES.get_or_init(|| serde_json::from_str(include_str!("../../src/facts/replies.json")).unwrap())
}

fn walk(tree: &Value, reply: &Value, place: &str, troubles: &mut Vec<String>) {
    let mut expected = |what: &str| troubles.push(format!("{place} is {reply}, not {what}"));
    match (tree, reply) {
        (Value::Object(fields), Value::Object(own)) => {
            for (name, value) in own {
                let place = format!("{place}.{name}");
                match fields.get(name).or_else(|| fields.get("*")) {
                    Some(tree) => walk(tree, value, &place, troubles),
                    None => troubles.push(format!("{place} is not a field of this action")),
                }
            }
        }
        (Value::Array(items), Value::Array(own)) => {
            for (index, value) in own.iter().enumerate() {
                walk(&items[0], value, &format!("{place}[{index}]"), troubles);
            }
        }
        (Value::Object(_), _) => expected("an object"),
        (Value::Array(_), _) => expected("a list"),
        (leaf, _) => {
            let kind = leaf.as_str().unwrap();
            let good = match kind {
                "text" => reply.is_string(),
                "integer" => reply.is_i64() || reply.is_u64(),
                "number" => reply.is_number(),
                "boolean" => reply.is_boolean(),
                _ => true,
            };
            if !good {
                expected(kind);
            }
        }
    }
}

#[test]
fn a_reply_of_another_shape_is_noticed() {
    let good =
        json!({"RequestId": "r", "Vpcs": {"Vpc": [{"VpcId": "vpc-1", "IsDefault": false}]}, "TotalCount": 1});
    assert_eq!(troubles("Vpc.DescribeVpcs", &good), Vec::<String>::new());
    for bad in [
        json!({"Vpcs": [{"VpcId": "vpc-1"}]}),
        json!({"Vpcs": {"Vpc": {"VpcId": "vpc-1"}}}),
        json!({"Vpcs": {"Vpc": [{"Vpcid": "vpc-1"}]}}),
        json!({"Vpcs": {"Vpc": [{"IsDefault": "false"}]}}),
        json!({"TotalCount": "1"}),
        json!({"TotalCount": null}),
    ] {
        assert_eq!(troubles("Vpc.DescribeVpcs", &bad).len(), 1, "{bad}");
    }
}
