//! Rules of how long instances live.

use crate::topology::duration::Seconds;
use crate::topology::findings::{Finding, Findings, below};
use crate::topology::places::{Path, path};
use crate::topology::schema::{Document, ExpiryForm};

/// The shortest and the longest that the cloud takes.
const SHORTEST: Seconds = Seconds::new(30 * 60);
const LONGEST: Seconds = Seconds::new(1095 * 86_400);

/// Runs the rules of this file.
pub(super) fn check(document: &Document, findings: &mut Findings<'_>) {
    let of_all = path("expires");
    range(document.expires, &of_all, findings);
    let lives = document.expires.is_some_and(|form| form.time().is_some());
    if lives && document.protect {
        findings.at_value(&of_all, protected("the stack"));
    }
    for (name, instance) in &document.instances {
        let place = below(&path("instances"), name);
        let own = below(&place, "expires");
        range(instance.expires, &own, findings);
        let expires = instance.expires.or(document.expires).and_then(ExpiryForm::time).is_some();
        let is_protected = instance.protect || document.protect && instance.expires.is_some();
        if expires && is_protected {
            let place = if instance.expires.is_some() { own } else { below(&place, "protect") };
            findings.at_value(&place, protected(&format!("instance `{name}`")));
        }
    }
}

fn range(form: Option<ExpiryForm>, place: &Path, findings: &mut Findings<'_>) {
    let Some(time) = form.and_then(ExpiryForm::time) else { return };
    if !(SHORTEST..=LONGEST).contains(&time) {
        findings.at_value(
            place,
            Finding {
                code: "expires-range",
                message: format!("instances cannot live for {time}"),
                cause: "30m to 1095d, which is three years".to_owned(),
                help: "write for example `expires: 4h`, or `never`".to_owned(),
            },
        );
    }
}

fn protected(what: &str) -> Finding {
    Finding {
        code: "expires-protected",
        message: format!("{what} is protected, and expires"),
        cause: "the cloud releases an instance when its time is over, whatever protects it".to_owned(),
        help: "write `expires: never` for it, or remove `protect`".to_owned(),
    }
}
