//! A topology's text with everything put in, and the way back from it to what was written.

use std::ops::Range;

use crate::base::diagnostic::{Diagnostic, Place};
use crate::topology::place_of;

/// The text that counts, and where each of its parts comes from.
#[derive(Debug, Clone)]
pub struct Resolved {
    written: String,
    text: String,
    layers: Vec<Vec<Edit>>,
}

/// A text in another's place.
#[derive(Debug, Clone)]
pub(super) struct Edit {
    /// What it replaces.
    pub old: Range<usize>,
    /// The text.
    pub new: String,
    /// The option that says so, where none of the file does.
    pub option: Option<String>,
}

/// Where a part of the text comes from.
enum Origin {
    File(Range<usize>),
    Option(String),
}

impl Resolved {
    /// A text in which nothing is put in.
    pub fn as_written(text: &str) -> Self {
        Self { written: text.to_owned(), text: text.to_owned(), layers: Vec::new() }
    }

    /// The text that counts.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What was written.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// Where the value at a path was written; none where only an option says it.
    pub fn place_of(&self, path: &str) -> Option<Place> {
        match self.origin(place_of(&self.text, path)?.bytes) {
            Origin::File(bytes) => Some(place_at(&self.written, bytes)),
            Origin::Option(_) => None,
        }
    }

    /// A finding about the text, said of what was written.
    pub fn trace(&self, finding: Diagnostic) -> Diagnostic {
        let Some(place) = &finding.place else { return finding };
        match self.origin(place.bytes.clone()) {
            Origin::File(bytes) => {
                let place = Some(place_at(&self.written, bytes.clone()));
                let cause = match self.put_in(place_of_finding(&finding), &bytes) {
                    Some(text) => format!("{}; here it is {text}", finding.cause),
                    None => finding.cause.clone(),
                };
                Diagnostic { place, cause, ..finding }
            }
            Origin::Option(option) => Diagnostic {
                place: None,
                cause: format!("{}, as `{option}` has it", finding.cause),
                ..finding
            },
        }
    }

    /// What stands in the text where something else was written.
    fn put_in(&self, resolved: Range<usize>, written: &Range<usize>) -> Option<&str> {
        let text = self.text.get(resolved)?;
        (self.written.get(written.clone())? != text).then_some(text)
    }

    /// Puts texts in the places of others; they do not overlap.
    pub(super) fn edit(&mut self, mut edits: Vec<Edit>) {
        edits.sort_by_key(|edit| edit.old.start);
        let mut text = String::new();
        let mut done = 0;
        for edit in &edits {
            text.extend([&self.text[done..edit.old.start], edit.new.as_str()]);
            done = edit.old.end;
        }
        text.push_str(&self.text[done..]);
        self.text = text;
        self.layers.push(edits);
    }

    fn origin(&self, bytes: Range<usize>) -> Origin {
        let mut bytes = bytes;
        for layer in self.layers.iter().rev() {
            if let Some(option) = touched(layer, bytes.start) {
                return Origin::Option(option.to_owned());
            }
            bytes = before(layer, bytes.start, Side::Start)..before(layer, bytes.end, Side::End);
        }
        Origin::File(bytes.start..bytes.end.max(bytes.start))
    }
}

fn place_of_finding(finding: &Diagnostic) -> Range<usize> {
    finding.place.as_ref().map_or(0..0, |place| place.bytes.clone())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Start,
    End,
}

/// Each edit of a layer with where it begins in the text behind it.
fn shifted(layer: &[Edit]) -> impl Iterator<Item = (&Edit, usize)> {
    let mut grown = 0_usize;
    let mut shrunk = 0_usize;
    layer.iter().map(move |edit| {
        let start = edit.old.start + grown - shrunk;
        grown += edit.new.len();
        shrunk += edit.old.len();
        (edit, start)
    })
}

/// The option that says what stands at a byte.
fn touched(layer: &[Edit], byte: usize) -> Option<&str> {
    let mut edits = shifted(layer);
    edits.find(|(edit, start)| (*start..start + edit.new.len()).contains(&byte))?.0.option.as_deref()
}

/// Where a byte was before a layer; one within an edit is at the side of what was there.
fn before(layer: &[Edit], byte: usize, side: Side) -> usize {
    let (mut grown, mut shrunk) = (0, 0);
    for (edit, start) in shifted(layer) {
        let end = start + edit.new.len();
        let is_behind = if side == Side::Start { byte < start } else { byte <= start };
        if is_behind {
            break;
        }
        let is_within = if side == Side::Start { byte < end } else { byte <= end };
        if is_within {
            return if side == Side::Start { edit.old.start } else { edit.old.end };
        }
        grown += edit.new.len();
        shrunk += edit.old.len();
    }
    byte + shrunk - grown
}

/// The place of bytes of a text.
pub(super) fn place_at(text: &str, bytes: Range<usize>) -> Place {
    let start = text.floor_char_boundary(bytes.start);
    let before = &text[..start];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Place {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        bytes: start..text.floor_char_boundary(bytes.end).max(start),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(old: Range<usize>, new: &str) -> Edit {
        Edit { old, new: new.to_owned(), option: None }
    }

    fn written_at(resolved: &Resolved, part: &str) -> String {
        let start = resolved.text().find(part).expect("it is there");
        match resolved.origin(start..start + part.len()) {
            Origin::File(bytes) => resolved.written()[bytes].to_owned(),
            Origin::Option(option) => format!("option {option}"),
        }
    }

    #[test]
    fn each_part_is_traced_back_through_all_layers() {
        let mut resolved = Resolved::as_written("a: ${X} b: ${Y} c: 3\n");
        resolved.edit(vec![edit(3..7, "1234567"), edit(11..15, "2")]);
        assert_eq!(resolved.text(), "a: 1234567 b: 2 c: 3\n");
        let set = Edit { old: 19..20, new: "444".to_owned(), option: Some("--set c=444".to_owned()) };
        resolved.edit(vec![set]);
        assert_eq!(resolved.text(), "a: 1234567 b: 2 c: 444\n");
        for (part, written) in [
            ("a", "a"),
            ("1234567", "${X}"),
            ("345", "${X}"),
            ("b:", "b:"),
            ("2 c", "${Y} c"),
            ("444", "option --set c=444"),
        ] {
            assert_eq!(written_at(&resolved, part), written, "{part}");
        }
    }
}
