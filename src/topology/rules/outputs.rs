//! Rules of `outputs`: their names, and what they refer to.

use crate::topology::findings::{Finding, Findings, below, one_of};
use crate::topology::outputs::output;
use crate::topology::places::path;
use crate::topology::schema::Document;

/// Names that `albatross outputs` and hooks have for something else.
const TAKEN: [&str; 4] = ["stack", "region", "url", "hook"];

/// Runs the rules of this file.
pub(super) fn check(document: &Document, findings: &mut Findings<'_>) {
    for (name, text) in &document.outputs {
        let place = below(&path("outputs"), name);
        if !is_name(name) || TAKEN.contains(&name.as_str()) {
            findings.at_key(
                &place,
                Finding {
                    code: "output-name",
                    message: format!("`{name}` cannot be the name of an output"),
                    cause: format!(
                        "a name has letters, digits, hyphens and underscores, and is not {}",
                        one_of(TAKEN)
                    ),
                    help: "write for example `chat_address`".to_owned(),
                },
            );
        }
        if let Err(finding) = output(document, name, text) {
            findings.at_value(&place, finding);
        }
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter))
}
