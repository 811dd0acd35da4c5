//! A picture in DOT, the notation of Graphviz.

use std::fmt::Write as _;

use super::{Part, Picture};

impl Picture {
    /// As a directed graph from top to bottom.
    pub fn to_dot(&self) -> String {
        let mut text = format!(
            "digraph {} {{\n    rankdir=TB;\n    node [shape=box, style=rounded, fontname=\"sans-serif\"];\n",
            quoted(&self.url)
        );
        for (word, part) in self.parts() {
            let _ = writeln!(text, "    {word} [label={}];", label(&part));
        }
        for (from, to) in self.ways() {
            let _ = writeln!(text, "    {from} -> {to};");
        }
        text.push_str("}\n");
        text
    }
}

fn label(part: &Part) -> String {
    quoted(&part.lines().collect::<Vec<_>>().join("\n"))
}

/// A text as DOT quotes it: its escapes are those of labels.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_ends_where_its_text_ends() {
        let part = Part { name: "a\"b".to_owned(), addresses: vec![r"c\".to_owned()] };
        assert_eq!(label(&part), r#""a\"b\nc\\""#);
    }
}
