//! Collects what is wrong with a topology, so that everything is reported at once.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::base::diagnostic::{Diagnostic, Place};
use crate::topology::places::{Path, Places};

/// Findings so far.
#[derive(Debug)]
pub(super) struct Findings<'a> {
    places: &'a Places,
    list: Vec<Diagnostic>,
    /// Where what was not written itself was written: the machines of a declaration with a count.
    followed: BTreeMap<Path, Path>,
}

/// What a rule says about a place.
#[derive(Debug)]
pub(super) struct Finding {
    /// Name of the rule.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// Why, shown at the place.
    pub cause: String,
    /// What to write instead.
    pub help: String,
}

impl<'a> Findings<'a> {
    /// None yet.
    pub(super) fn new(places: &'a Places) -> Self {
        Self { places, list: Vec::new(), followed: BTreeMap::new() }
    }

    /// From now on what is found below one path is shown below the other.
    pub(super) fn follow(&mut self, from: Path, to: Path) {
        if from != to {
            self.followed.insert(from, to);
        }
    }

    /// A finding about the value at a path.
    pub(super) fn at_value(&mut self, path: &[String], finding: Finding) {
        let place = self.places.value(&self.written(path));
        self.push(place, finding);
    }

    /// A finding about a part of the text at a path.
    pub(super) fn at_part(&mut self, path: &[String], (text, part): (&str, Range<usize>), finding: Finding) {
        let path = self.written(path);
        let place = self.places.part(&path, text, part).or_else(|| self.places.value(&path));
        self.push(place, finding);
    }

    /// A finding about the key at a path.
    pub(super) fn at_key(&mut self, path: &[String], finding: Finding) {
        let place = self.places.key(&self.written(path));
        self.push(place, finding);
    }

    /// All so far in the order of the file; none are left.
    pub(super) fn take_sorted(&mut self) -> Vec<Diagnostic> {
        let mut list = std::mem::take(&mut self.list);
        list.sort_by_key(|diagnostic| {
            diagnostic.place.as_ref().map_or((0, 0), |place| (place.line, place.column))
        });
        list
    }

    /// The path at which something was written.
    fn written(&self, path: &[String]) -> Path {
        let mut ends = (1..=path.len()).rev();
        let found = ends.find_map(|end| Some((self.followed.get(&path[..end])?, end)));
        found.map_or_else(|| path.to_vec(), |(written, end)| [written.as_slice(), &path[end..]].concat())
    }

    /// What is wrong with all machines of one declaration is said once.
    fn push(&mut self, place: Option<Place>, finding: Finding) {
        let is_known = |one: &Diagnostic| one.code == finding.code && one.place == place;
        if !self.followed.is_empty() && self.list.iter().any(is_known) {
            return;
        }
        self.list.push(Diagnostic {
            code: finding.code,
            message: finding.message,
            place,
            cause: finding.cause,
            help: Some(finding.help),
        });
    }
}

/// A path with one more part.
pub(super) fn below(parent: &[String], part: impl ToString) -> Path {
    let mut path = parent.to_vec();
    path.push(part.to_string());
    path
}

/// The name most like a mistyped one, when one is like it at all.
pub(crate) fn nearest<'n>(typed: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(typed, name), name))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, name)| name)
}

/// `` `a`, `b` or `c` `` for help lines.
pub(super) fn one_of<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_one_that_is_near() {
        assert_eq!(nearest("ecs1", ["ecs01", "ecs02", "redis"]), Some("ecs01"));
        assert_eq!(nearest("balancer", ["ecs01", "dns"]), None);
    }

    #[test]
    fn lists_read_as_a_sentence() {
        assert_eq!(one_of(["a"]), "`a`");
        assert_eq!(one_of(["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
