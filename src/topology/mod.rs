//! Layer 1: what people write. [`load`] turns text into a [`model::Topology`] or says all that is wrong with it.
//!
//! 1. variables, references and what a command sets are put into the text ([`references`]);
//! 2. the text is read into [`schema::Document`]; syntax, duplicate keys and wrong types stop here;
//! 3. unknown fields are collected, with the nearest known name;
//! 4. every rule in [`rules`] runs, whatever the others found;
//! 5. without findings, [`resolve`] fills in the defaults.

mod admission;
mod app;
mod count;
mod disk;
pub mod duration;
mod existing;
mod expiry;
pub mod explain;
mod findings;
pub mod json_schema;
mod login;
pub mod model;
mod outputs;
pub mod places;
pub mod references;
mod resolve;
mod rules;
pub mod schema;
mod spot;
mod user_data;
mod wording;

use serde::Deserialize;

use crate::base::diagnostic::Diagnostic;
pub(crate) use crate::topology::findings::nearest;
use crate::topology::findings::{Finding, Findings, below, one_of};
use crate::topology::model::Topology;
use crate::topology::places::{Path, Places};
use crate::topology::references::{Inputs, Resolved};
use crate::topology::schema::Document;

/// The largest file that is read, in bytes. The largest sensible topology has a few thousand.
pub const LARGEST_FILE: usize = 1024 * 1024;

/// Products whose endpoint can be written, in the spelling of Terraform's provider.
pub const PRODUCTS: [&str; 7] = ["alb", "alidns", "cas", "ecs", "r_kvstore", "sts", "vpc"];

/// Reads a topology to which nothing is given beside it.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(bytes: &[u8]) -> Result<Topology, Vec<Diagnostic>> {
    load_with(bytes, &Inputs::default()).map(|(topology, _)| topology)
}

/// Reads a topology with what a command gives it; also the text that counts.
///
/// # Errors
/// Everything that is wrong with it, at its place in what was written.
pub fn load_with(bytes: &[u8], inputs: &Inputs) -> Result<(Topology, Resolved), Vec<Diagnostic>> {
    let text = readable(bytes).map_err(|diagnostic| vec![diagnostic])?;
    let resolved = references::resolve(text, inputs)?;
    let topology = load_resolved(resolved.text()).map_err(|findings| {
        findings.into_iter().map(|finding| resolved.trace(finding)).collect::<Vec<_>>()
    })?;
    Ok((topology, resolved))
}

/// Reads a text into which everything was put already: `${` is nothing but itself in it.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_resolved(text: &str) -> Result<Topology, Vec<Diagnostic>> {
    let (document, unknown) = parse(text);
    let places = Places::read(text, options());
    let mut findings = Findings::new(&places);
    for path in unknown {
        unknown_field(&mut findings, &path);
    }
    let document = document.map_err(|error| {
        // A mistyped field that is required is both unknown and missing: whoever reads that needs both. Without
        // places the file is not even YAML.
        let found = findings.take_sorted().into_iter().filter(|finding| finding.place.is_some());
        found.chain([syntax(text, &error)]).collect::<Vec<_>>()
    })?;
    let document = resolve::with_default_shape(document, &mut findings);
    rules::check(&document, &mut findings);
    let list = findings.take_sorted();
    if list.is_empty() { Ok(resolve::resolve(document)) } else { Err(list) }
}

/// Where the value at a path stands in a text that [`load_resolved`] accepted.
fn place_of(text: &str, path: &str) -> Option<crate::base::diagnostic::Place> {
    Places::read(text, options()).value(&places::path(path))
}

fn readable(bytes: &[u8]) -> Result<&str, Diagnostic> {
    let whole_file = |code, message, cause: String, help: &str| Diagnostic {
        code,
        message,
        place: None,
        cause,
        help: Some(help.to_owned()),
    };
    if bytes.len() > LARGEST_FILE {
        return Err(whole_file(
            "file-too-large",
            "the file is too large for a topology".to_owned(),
            format!("it has more than {} KiB", LARGEST_FILE / 1024),
            "check that this is the file you meant",
        ));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let line = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).matches('\n').count() + 1;
        whole_file(
            "not-utf-8",
            "the file is not UTF-8 text".to_owned(),
            format!("line {line} has a byte that is not UTF-8"),
            "save it as UTF-8",
        )
    })
}

fn options() -> serde_yaml::Options {
    let mut options = serde_yaml::Options::default();
    options.with_snippet = false;
    // A few hundred replays are generous for a hand-written file; an alias bomb asks for billions.
    options.alias_limits.max_total_replayed_events = 10_000;
    options
}

/// The document, and the unknown fields that were met on the way.
fn parse(text: &str) -> (Result<Document, serde_yaml::Error>, Vec<Path>) {
    let mut unknown = Vec::new();
    let document = serde_yaml::with_deserializer_from_str_with_options(text, options(), |deserializer| {
        let mut note = |path: serde_ignored::Path<'_>| unknown.push(flatten(&path));
        Document::deserialize(serde_ignored::Deserializer::new(deserializer, &mut note))
    });
    (document, unknown)
}

fn flatten(path: &serde_ignored::Path<'_>) -> Path {
    use serde_ignored::Path as Ignored;
    match path {
        Ignored::Root => Path::new(),
        Ignored::Seq { parent, index } => below(&flatten(parent), index),
        Ignored::Map { parent, key } => below(&flatten(parent), key),
        Ignored::Some { parent } | Ignored::NewtypeStruct { parent } | Ignored::NewtypeVariant { parent } => {
            flatten(parent)
        }
    }
}

fn syntax(text: &str, error: &serde_yaml::Error) -> Diagnostic {
    let plain = error.without_snippet();
    let (cause, help) = wording::explain(&plain.to_string());
    let place = plain.location().map(|location| places::place(text, location));
    let line = place.as_ref().and_then(|place| text.lines().nth(place.line - 1));
    let help = if line.is_some_and(|line| line.contains("${")) { wording::QUOTED.to_owned() } else { help };
    Diagnostic {
        code: "syntax",
        message: "the topology cannot be read".to_owned(),
        place,
        cause,
        help: Some(help),
    }
}

fn unknown_field(findings: &mut Findings<'_>, path: &Path) {
    let Some((field, parents)) = path.split_last() else {
        return;
    };
    let known = known_fields(parents);
    let help = match nearest(field, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known here: {}", one_of(known.iter().copied())),
    };
    let place = if parents.is_empty() { "a topology".to_owned() } else { format!("`{}`", parents.join(".")) };
    findings.at_key(
        path,
        Finding {
            code: "unknown-field",
            message: format!("unknown field `{field}`"),
            cause: format!("{place} has no such field"),
            help,
        },
    );
}

/// The fields of a topology itself.
const TOP_FIELDS: &[&str] = &[
    "variables",
    "stack",
    "region",
    "network",
    "ssh",
    "instances",
    "redis",
    "node",
    "app",
    "load_balancer",
    "dns",
    "tags",
    "expires",
    "exclusive",
    "protect",
    "state",
    "endpoints",
    "hooks",
    "verify",
    "outputs",
];

/// The fields that may stand below a path. A test holds this against the schema.
fn known_fields(parents: &[String]) -> &'static [&'static str] {
    let parents: Vec<&str> = parents.iter().map(String::as_str).collect();
    match parents.as_slice() {
        [] => TOP_FIELDS,
        ["network"] => &["vpc", "zones", "vswitches", "security_group"],
        ["network", "vpc"] => &["cidr", "id"],
        ["network", "vswitches", _] => &["zone", "cidr", "id"],
        ["network", "security_group"] => &["id", "allow"],
        ["network", "vpc" | "security_group", "id"]
        | ["network", "vswitches", _, "id"]
        | ["load_balancer", "id"] => &["tag", "name"],
        ["ssh"] => &["allow_from", "key", "user", "port", "sudo", "host_keys"],
        ["ssh", "key"] => &["agent"],
        ["ssh", "host_keys"] => &["pinned"],
        ["instances", _] => &[
            "count",
            "vswitch",
            "vswitches",
            "access",
            "via",
            "ssh",
            "types",
            "image",
            "disk",
            "data_disks",
            "spot",
            "user_data",
            "tags",
            "expires",
            "protect",
        ],
        ["instances", _, "disk"] => &["size", "category", "performance_level", "encrypted"],
        ["instances", _, "data_disks", _] => {
            &["name", "size", "category", "performance_level", "encrypted", "delete_with_instance"]
        }
        ["instances", _, "spot"] => &["price_limit"],
        ["instances", _, "user_data"] => &["file", "with"],
        ["instances", _, "ssh"] => &["user", "port", "sudo"],
        ["ssh", "sudo"] | ["instances", _, "ssh", "sudo"] => &["password"],
        ["ssh", "sudo", "password"] | ["instances", _, "ssh", "sudo", "password"] => &["env", "file"],
        ["redis"] => &["on", "tair", "classic", "port", "max_memory", "persistence"],
        ["redis", "tair" | "classic"] => &["class", "engine", "vswitch", "eviction", "protect"],
        ["node"] => &["on", "port", "ping_interval", "ping_timeout", "allowed_origins", "rollout"],
        ["node", "rollout"] => &["max_parallel", "min_healthy_time", "healthy_deadline", "auto_revert"],
        ["app"] => &["binary", "args", "env", "port", "health"],
        ["app", "env", _] => &["env", "file"],
        ["app", "health"] => &["path", "within"],
        ["hooks"] => &[
            "before_apply",
            "after_apply",
            "before_deploy",
            "after_deploy",
            "before_rollback",
            "after_rollback",
            "before_destroy",
            "after_destroy",
            "timeout",
        ],
        ["load_balancer"] => {
            &["id", "vswitches", "address", "edition", "protect", "listener", "redirect_from"]
        }
        ["load_balancer", "listener"] => {
            &["protocol", "port", "idle_timeout", "request_timeout", "certificate"]
        }
        ["load_balancer", "listener", "certificate"] => &["file", "key", "self_signed"],
        ["dns"] => &["domain", "host", "ttl"],
        ["verify"] => &["vantages", "kind", "path", "send", "expect"],
        ["verify", "expect"] => &["status", "body", "headers", "message"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests;
