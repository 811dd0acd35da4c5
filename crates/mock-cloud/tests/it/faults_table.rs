//! Holds docs/faults.md to what there is: every fault, ranges and defaults as the program has them, tests that exist.

use std::collections::BTreeSet;
use std::path::Path;

use mock_cloud::server::faults::{PLANE_FAULTS, Wish, read};

use crate::balancer_table::{quoted, tests};

/// A row of the table.
struct Row {
    fault: String,
    setting: Option<String>,
    range: Option<(u64, u64)>,
    default: Option<u64>,
    lasts: String,
    tests: Vec<String>,
}

fn rows() -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/faults.md");
    let page = std::fs::read_to_string(path).unwrap();
    let lines = page.lines().filter(|line| line.starts_with("| `"));
    lines
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let word = |cell: &str| cell.split('`').nth(1).map(str::to_owned);
            let range = cells[3].split_once(" to ");
            Row {
                fault: word(cells[0]).unwrap(),
                setting: word(cells[2]),
                range: range.map(|(least, most)| (least.parse().unwrap(), most.parse().unwrap())),
                default: cells[4].parse().ok(),
                lasts: cells[5].to_owned(),
                tests: quoted(cells[6]).into_iter().map(str::to_owned).collect(),
            }
        })
        .collect()
}

/// The wish for a fault with these settings.
fn wish(row: &Row, settings: &str) -> Result<Wish, String> {
    let target = if row.fault == "dns_stale" { "name" } else { "host" };
    let text = format!("[{{{target}: a, fault: {{{}: {{{settings}}}}}}}]", row.fault);
    read(&text).map(|mut wishes| wishes.remove(0)).map_err(|error| error.to_string())
}

/// The settings that a fault cannot do without.
fn least(row: &Row) -> &'static str {
    if row.fault == "network_cut" { "to: b" } else { "" }
}

#[test]
fn the_page_has_every_fault_and_no_other() {
    let rows = rows();
    let written: Vec<&str> = rows.iter().map(|row| row.fault.as_str()).collect();
    assert_eq!(written, PLANE_FAULTS);
}

#[test]
fn ranges_defaults_and_times_are_the_program_s() {
    for row in rows() {
        let plain = format!("{:?}", wish(&row, least(&row)).unwrap());
        let lasts = match row.lasts.as_str() {
            "until lifted" => "lasts: None".to_owned(),
            time => format!("lasts: Some({time})"),
        };
        assert!(plain.contains(&lasts), "{}: {plain}", row.fault);
        let Some((setting, (lowest, highest))) = row.setting.clone().zip(row.range) else { continue };
        let default = row.default.unwrap();
        assert!(plain.contains(&format!("{setting}: {default}")), "{}: {plain}", row.fault);
        for (number, is_taken) in [(lowest, true), (highest, true), (highest + 1, false)] {
            let taken = wish(&row, &format!("{setting}: {number}"));
            assert_eq!(taken.is_ok(), is_taken, "{} {setting} {number}: {taken:?}", row.fault);
        }
        if let Some(below) = lowest.checked_sub(1) {
            assert!(wish(&row, &format!("{setting}: {below}")).is_err(), "{} {setting} {below}", row.fault);
        }
    }
}

#[test]
fn every_test_that_the_page_names_exists() {
    let mut known = BTreeSet::new();
    tests(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut known);
    for row in rows() {
        assert!(!row.tests.is_empty(), "no test shows {}", row.fault);
        for name in &row.tests {
            assert!(known.contains(name), "there is no test {name}");
        }
    }
}
