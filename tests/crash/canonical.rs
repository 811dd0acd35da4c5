//! The world without what differs from run to run: two runs that come to the same end have the same text here.
//!
//! Ids are replaced by addresses or, where a thing has none, by its kind; addresses of the network by whose they are;
//! secrets and host keys by whose they are; times and the history of calls are left out. Whatever is there twice
//! stays there twice. Beside the cloud's own world: the files of the hosts, what runs on them and what the nodes say
//! of themselves, and how far the journal has each resource.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use albatross::resource::phase::Phase;
use albatross::state::Identity;
use albatross::state::journal::Journal;
use anyhow::Context as _;
use regex::Regex;
use serde_json::{Map, Value, json};

use crate::hosts;
use crate::stage::Stage;
use crate::trial::lines;

/// What is there of a stack, each thing once, by name.
const NAMED: [&str; 7] =
    ["vpcs", "vswitches", "security_groups", "instances", "load_balancers", "listeners", "server_groups"];
/// History, and what the account has beside any stack.
const LEFT_OUT: [&str; 6] = ["account", "domains", "invocations", "jobs", "now", "pace"];
/// Times, and what follows from a random id or key.
const FIELDS_LEFT_OUT: [&str; 8] = [
    "started",
    "created",
    "updated",
    "finished",
    "visible_from",
    "serial_number",
    "fingerprint",
    "public_key",
];

/// What is replaced by what, the longest first.
#[derive(Debug, Default)]
pub(crate) struct Names(Vec<(String, String)>);

impl Names {
    pub(crate) fn add(&mut self, text: &str, name: String) {
        if !text.is_empty() {
            self.0.push((text.to_owned(), name));
        }
    }

    fn sort(&mut self) {
        self.0.sort_by(|(one, _), (other, _)| other.len().cmp(&one.len()).then(one.cmp(other)));
    }

    /// The text with names in it, and `*` for ids and times that nobody named.
    pub(crate) fn apply(&self, text: &str) -> String {
        let named = self.0.iter().fold(text.to_owned(), |text, (from, to)| replace_whole(&text, from, to));
        RULES.iter().fold(named, |text, (pattern, name)| match pattern.replace_all(&text, *name) {
            Cow::Borrowed(_) => text,
            Cow::Owned(changed) => changed,
        })
    }
}

/// What nobody named: ids, times, and what follows from random settings.
static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let rules = [
        (r"\b(vpc|vsw|vtb|vrt|sg|sgr|i|d|eni|eip|alb|lsn|sgp)-[0-9a-z]{15,}\b", "$1-*"),
        (r"\balbatross-chatroom-[0-9a-f]{8}\b", "albatross-chatroom-*"),
        (r"\b\d{4}-\d\d-\d\dT[0-9:.]+Z\b", "TIME"),
        (r"\breleases/[0-9a-f]{12}\b", "releases/*"),
        (r#""(release|fingerprint|environment|configuration|unit)": ?"[0-9a-f]+""#, "\"$1\":\"*\""),
    ];
    rules.map(|(pattern, name)| (Regex::new(pattern).expect("a pattern"), name)).into()
});

/// Replaces a text where it is no part of a longer number: 192.168.0.1 is not in 192.168.0.12.
fn replace_whole(text: &str, from: &str, to: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(from) {
        let (before, found) = rest.split_at(at);
        let after = &found[from.len()..];
        let is_digit = |letter: char| letter.is_ascii_digit();
        let is_part = from.ends_with(is_digit) && after.starts_with(is_digit)
            || from.starts_with(is_digit) && before.ends_with(is_digit);
        replaced.push_str(before);
        replaced.push_str(if is_part { from } else { to });
        rest = after;
    }
    replaced + rest
}

/// The canonical text of everything a stage has.
pub(crate) async fn world(stage: &Stage) -> anyhow::Result<String> {
    let world = stage.cloud.world().await?;
    let status = stage.cloud.status().await?;
    let mut names = names(&world);
    hosts::add_secrets(&world, &stage.hosts(), &mut names)?;
    names.sort();
    let things = things(&world)?;
    let cloud = sorted(serde_json::from_str(&names.apply(&things.to_string()))?);
    let whole = json!({
        "cloud": cloud,
        "hosts": hosts::all(&world, &stage.hosts(), &names)?,
        "processes": hosts::processes(&status),
        "nodes": hosts::nodes(stage, &status).await?,
        "journal": phases(&stage.state()?)?,
    });
    Ok(serde_json::to_string_pretty(&whole)?)
}

/// Lines that only one of two texts has.
pub(crate) fn difference(expected: &str, found: &str) -> String {
    let counted = |text: &str| {
        let mut counted: BTreeMap<String, i64> = BTreeMap::new();
        for line in text.lines() {
            *counted.entry(line.trim().trim_end_matches(',').to_owned()).or_default() += 1;
        }
        counted
    };
    let (expected, found) = (counted(expected), counted(found));
    let only = |mark: &str, these: &BTreeMap<String, i64>, those: &BTreeMap<String, i64>| {
        let more = these.iter().filter(|(line, count)| **count > those.get(*line).copied().unwrap_or(0));
        lines(more.map(|(line, _)| format!("    {mark} {line}")))
    };
    only("-", &expected, &found) + &only("+", &found, &expected)
}

fn names(world: &Value) -> Names {
    let mut names = Names::default();
    for kind in NAMED {
        for thing in entries(&world[kind]) {
            let address = thing["meta"]["tags"]["albatross:resource"].as_str();
            let Some(address) = address else { continue };
            names.add(text(&thing["id"]), address.to_owned());
            for field in ["private_address", "public_address"] {
                names.add(text(&thing[field]), format!("<{field} of {address}>"));
            }
            for zone in entries(&thing["zones"]) {
                let place = text(&zone["zone"]);
                names.add(
                    text(&zone["private_address"]),
                    format!("<private address of {address} in {place}>"),
                );
                names.add(text(&zone["public"][0]), format!("<public address of {address} in {place}>"));
            }
        }
    }
    for record in entries(&world["records"]) {
        names.add(text(&record["id"]), "record".to_owned());
    }
    names
}

/// Collections become lists, since their keys are ids.
fn things(world: &Value) -> anyhow::Result<Value> {
    let world = world.as_object().context("a world of collections")?;
    let kept = world.iter().filter(|(kind, _)| !LEFT_OUT.contains(&kind.as_str()));
    Ok(kept.map(|(kind, things)| (kind.clone(), entries(things).cloned().collect::<Vec<_>>())).collect())
}

/// Without the fields that differ, and in an order that does not.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(sorted).collect();
            items.sort_by_cached_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(name, _)| !FIELDS_LEFT_OUT.contains(&name.as_str()));
            Value::Object(fields.map(|(name, value)| (name, sorted(value))).collect::<Map<_, _>>())
        }
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
    }
}

/// Where the journal has each resource, read as the program reads it; what is gone is left out.
fn phases(state: &Path) -> anyhow::Result<BTreeMap<String, &'static str>> {
    let text = std::fs::read_to_string(state.join("journal")).context("cannot read the journal")?;
    let first = text.lines().next().and_then(|line| line.find('{').map(|start| &line[start..]));
    let first: Value = serde_json::from_str(first.context("the journal is empty")?)?;
    let identity: Identity = serde_json::from_value(first["event"]["opened"].clone())?;
    let journal = Journal::open_for_reading(state, &identity)?;
    let known = journal.memory().resources.iter().map(|(address, remembered)| {
        let word = match &remembered.phase {
            Phase::Absent => "absent",
            Phase::Intended(_) => "intended",
            Phase::Accepted(_) => "accepted",
            Phase::Ready(_) => "ready",
            Phase::Tainted(_) => "tainted",
        };
        (address.to_string(), word)
    });
    Ok(known.filter(|(_, word)| *word != "absent").collect())
}

pub(crate) fn entries(collection: &Value) -> Box<dyn Iterator<Item = &Value> + Send + '_> {
    match collection {
        Value::Object(things) => Box::new(things.values()),
        Value::Array(things) => Box::new(things.iter()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Box::new(std::iter::empty()),
    }
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
