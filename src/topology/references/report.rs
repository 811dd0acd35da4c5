//! What is found wrong with variables and references.

use std::ops::Range;

use crate::base::diagnostic::Diagnostic;
use crate::topology::findings::Finding;
use crate::topology::references::resolved::place_at;

/// Findings so far.
#[derive(Debug)]
pub(super) struct Report<'t> {
    text: &'t str,
    list: Vec<Diagnostic>,
}

impl<'t> Report<'t> {
    /// Nothing about a text yet.
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, list: Vec::new() }
    }

    /// A finding about what stands there.
    pub(super) fn at(&mut self, bytes: &Range<usize>, finding: Finding) {
        let Finding { code, message, cause, help } = finding;
        let place = Some(place_at(self.text, bytes.clone()));
        self.list.push(Diagnostic { code, message, place, cause, help: Some(help) });
    }

    /// A finding about what no file says.
    pub(super) fn nowhere(&mut self, origin: &str, finding: Finding) {
        let Finding { code, message, cause, help } = finding;
        let cause = format!("{origin}: {cause}");
        self.list.push(Diagnostic { code, message, place: None, cause, help: Some(help) });
    }

    /// What came of it, or none and a finding.
    pub(super) fn unless_found<T>(&mut self, bytes: &Range<usize>, outcome: Result<T, Finding>) -> Option<T> {
        outcome.map_err(|finding| self.at(bytes, finding)).ok()
    }

    /// All in the order of the file.
    pub(super) fn sorted(mut self) -> Vec<Diagnostic> {
        let place = |one: &Diagnostic| one.place.as_ref().map_or((0, 0), |place| (place.line, place.column));
        self.list.sort_by_key(place);
        self.list
    }
}
