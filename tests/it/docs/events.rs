//! The contract of events has every type and field of the program, and no other.

use std::collections::BTreeSet;
use std::fs;

use super::{assert_same, bare, read, regex, table};

/// `started` for `Started`.
fn in_small_letters(name: &str) -> String {
    let capital = regex("(.)([A-Z])");
    capital.replace_all(name, "${1}_$2").to_lowercase()
}

/// Types with their fields, `plan.stack`, and those without a field, `heartbeat.`, as they are in the source.
fn known() -> BTreeSet<String> {
    let source = fs::read_to_string("src/cli/events/line.rs").expect("the source");
    let (_, after) = source.split_once("pub(crate) enum Line<'a> {").expect("the types");
    let (types, _) = after.split_once("\n}").expect("their end");
    let one = regex(r"(?s)\n    (\w+) \{(.*?)\},?(?:\n|$)");
    let field = regex(r"(?:^|[ \n])([a-z_]+): ");
    let mut known = BTreeSet::new();
    for found in one.captures_iter(types) {
        let name = in_small_letters(&found[1]);
        let fields: Vec<String> = field.captures_iter(&found[2]).map(|field| field[1].to_owned()).collect();
        if fields.is_empty() {
            known.insert(format!("{name}."));
        }
        known.extend(fields.iter().map(|field| format!("{name}.{field}")));
    }
    known
}

/// The same as the contract has it.
pub(crate) fn written() -> BTreeSet<String> {
    let rows = table(&read("docs/events.md"), "| Type | Field |");
    rows.iter().map(|row| format!("{}.{}", bare(&row[0]), bare(&row[1]))).collect()
}

#[test]
fn the_contract_of_events_has_every_type_and_field_and_no_other() {
    let known = known();
    assert!(known.len() > 50 && known.contains("heartbeat."), "{known:?}");
    assert_same(&written(), &known);
}
