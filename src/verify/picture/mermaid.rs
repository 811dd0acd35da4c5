//! A picture as a Mermaid flowchart, which many pages draw from its text.

use std::fmt::Write as _;

use super::{Part, Picture};

impl Picture {
    /// As a flowchart from top to bottom.
    pub fn to_mermaid(&self) -> String {
        let mut text = "flowchart TB\n".to_owned();
        for (word, part) in self.parts() {
            let _ = writeln!(text, "    {word}[\"{}\"]", label(&part));
        }
        for (from, to) in self.ways() {
            let _ = writeln!(text, "    {from} --> {to}");
        }
        text
    }
}

fn label(part: &Part) -> String {
    part.lines().map(escape).collect::<Vec<_>>().join("<br/>")
}

/// Text in a label: nothing in it is read as Mermaid or as HTML.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_alphanumeric() || " .,:/@-".contains(letter) {
            safe.push(letter);
        } else {
            let _ = write!(safe, "#{};", u32::from(letter));
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_label_is_read_as_mermaid() {
        let part =
            Part { name: "a\"]; b".to_owned(), addresses: vec!["http 80".to_owned(), "<b>#".to_owned()] };
        assert_eq!(label(&part), "a#34;#93;#59; b<br/>http 80<br/>#60;b#62;#35;");
    }
}
