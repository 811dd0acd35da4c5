//! Rules of what is there already and chosen by a tag or its name.

use crate::topology::findings::{Finding, Findings};
use crate::topology::places::path;
use crate::topology::resolve::{choice, existing};
use crate::topology::schema::{Document, ExistingForm};

/// Runs the rules of this file.
pub(super) fn check(document: &Document, findings: &mut Findings<'_>) {
    for (what, form) in existing(document) {
        let ExistingForm::Chosen(fields) = form else { continue };
        if choice(fields).is_some() {
            continue;
        }
        let cause = match (&fields.tag, &fields.name) {
            (Some(_), Some(_)) => "it says both `tag` and `name`",
            (Some(_), None) => "one tag chooses it, with its key and its value",
            (None, _) => "it says neither `tag` nor `name`",
        };
        findings.at_key(
            &path(&what.field()),
            Finding {
                code: "existing-choice",
                message: format!("it is not said which {} is meant", what.noun()),
                cause: cause.to_owned(),
                help: "write its id, `{ tag: { team: network } }` or `{ name: shared }`".to_owned(),
            },
        );
    }
}
