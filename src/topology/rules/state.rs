//! The rule of where shared state is.

use crate::base::bucket::BucketLocation;
use crate::topology::findings::{Finding, Findings};
use crate::topology::places::path;
use crate::topology::schema::Document;

/// Runs the rule.
pub(super) fn check(document: &Document, findings: &mut Findings<'_>) {
    let Some(Err(error)) = document.state.as_deref().map(BucketLocation::parse) else { return };
    findings.at_value(
        &path("state"),
        Finding {
            code: "state-place",
            message: format!("`{}` cannot be the place of a state", error.text),
            cause: error.why.to_owned(),
            help: "write for example `state: oss://my-team/albatross`".to_owned(),
        },
    );
}
