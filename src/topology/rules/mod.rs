//! Every rule a topology must keep. Each looks at the whole document and reports all it finds; none stops another.

mod app;
mod disks;
mod endpoints;
mod existing;
mod expiry;
mod hooks;
mod login;
pub(super) mod machines;
mod network;
mod outputs;
mod redis;
mod rollout;
mod secure;
mod service;
mod state;
mod tags;
mod verify;

use crate::topology::findings::{Finding, Findings};
use crate::topology::places::path;
use crate::topology::schema::Document;

/// Runs all rules.
pub(super) fn check(document: &Document, findings: &mut Findings<'_>) {
    stack_name(document, findings);
    region(document, findings);
    network::check(document, findings);
    existing::check(document, findings);
    login::check(document, findings);
    machines::check(document, findings);
    tags::check(document, findings);
    expiry::check(document, findings);
    redis::check(document, findings);
    service::check(document, findings);
    secure::check(document, findings);
    state::check(document, findings);
    endpoints::check(document, findings);
    rollout::check(document, findings);
    app::check(document, findings);
    hooks::check(document, findings);
    outputs::check(document, findings);
    verify::check(document, findings);
}

fn stack_name(document: &Document, findings: &mut Findings<'_>) {
    let name = &document.stack;
    let good = (2..=30).contains(&name.len())
        && name.starts_with(|letter: char| letter.is_ascii_lowercase())
        && name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-');
    if !good {
        findings.at_value(
            &path("stack"),
            Finding {
                code: "stack-name",
                message: format!("`{name}` cannot be the name of a stack"),
                cause: "2 to 30 lower-case letters, digits and hyphens, beginning with a letter".to_owned(),
                help: "write for example `stack: chatroom`".to_owned(),
            },
        );
    }
}

fn region(document: &Document, findings: &mut Findings<'_>) {
    let region = &document.region;
    if !is_region(region) {
        findings.at_value(
            &path("region"),
            Finding {
                code: "region",
                message: format!("`{region}` is not a region"),
                cause: "a region is written like `cn-hangzhou` or `ap-southeast-1`".to_owned(),
                help: "write the region's id, not its name and not a zone".to_owned(),
            },
        );
    }
}

/// Whether a text has the form of a region's id.
fn is_region(region: &str) -> bool {
    let parts: Vec<&str> = region.split('-').collect();
    let lower = |part: &&str| !part.is_empty() && part.chars().all(|letter| letter.is_ascii_lowercase());
    let number = |part: &&str| !part.is_empty() && part.chars().all(|letter| letter.is_ascii_digit());
    match parts.as_slice() {
        [country, place] => lower(country) && lower(place),
        [country, place, last] => lower(country) && lower(place) && (number(last) || lower(last)),
        // Those for banks, such as `cn-shanghai-finance-1`.
        [country, place, kind, last] => lower(country) && lower(place) && lower(kind) && number(last),
        _ => false,
    }
}

/// Whether a number can be a TCP port.
fn is_port(number: i64) -> bool {
    (1..=65535).contains(&number)
}
