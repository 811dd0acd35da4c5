//! The shape of a YAML text: which value stands where, byte by byte, so that a value can be put in another's place.

use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};

/// A value of the file.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Where it stands; a block ends with its last value.
    pub bytes: Range<usize>,
    /// What it is.
    pub content: Content,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// One value: its text, and whether it stands there without quotes and on one line.
    Scalar {
        /// After the reader has undone quotes and escapes.
        text: String,
        /// Without quotes it may be a number or a truth.
        is_plain: bool,
    },
    /// Fields.
    Map {
        /// In the order of the file.
        entries: Vec<Entry>,
        /// Whether it stands in braces.
        is_flow: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// What another place says.
    Alias,
}

/// A field: its name, where that stands, and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The name.
    pub name: String,
    /// Where the name stands.
    pub bytes: Range<usize>,
    /// The value.
    pub value: Node,
}

/// Deeper than any topology; what is deeper is the YAML reader's to refuse.
const DEEPEST: usize = 64;

impl Node {
    /// Reads a text; none when it is no YAML, which the YAML reader says better.
    pub(super) fn read(text: &str) -> Option<Self> {
        let events = Parser::new_from_str(text)
            .map(|event| {
                let (event, span) = event.ok()?;
                Some((event, span.byte_range()?))
            })
            .filter(|event| !matches!(event, Some((Event::Comment(..), _))));
        let mut reader = Reader { text, events };
        loop {
            let (event, bytes) = reader.next()?;
            if !matches!(event, Event::StreamStart | Event::DocumentStart(..)) {
                return reader.node(event, bytes, 0);
            }
        }
    }

    /// The fields, when it has some.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.content {
            Content::Map { entries, .. } => entries,
            Content::Scalar { .. } | Content::List(_) | Content::Alias => &[],
        }
    }

    /// The value of a field.
    pub(super) fn field(&self, name: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.name == name)
    }

    /// Whether nothing is written where a value could be.
    pub(super) fn is_empty(&self) -> bool {
        match &self.content {
            Content::Scalar { text, is_plain } => *is_plain && matches!(text.as_str(), "" | "~" | "null"),
            Content::Map { .. } | Content::List(_) | Content::Alias => false,
        }
    }
}

struct Reader<'t, E> {
    text: &'t str,
    events: E,
}

impl<'t, E: Iterator<Item = Option<(Event<'t>, Range<usize>)>>> Reader<'t, E> {
    fn next(&mut self) -> Option<(Event<'t>, Range<usize>)> {
        self.events.next().flatten()
    }

    fn node(&mut self, event: Event<'t>, bytes: Range<usize>, depth: usize) -> Option<Node> {
        if depth > DEEPEST {
            return None;
        }
        match event {
            Event::Scalar(text, style, ..) => Some(self.scalar(text.into_owned(), style, bytes)),
            Event::SequenceStart(..) => self.list(bytes, depth),
            Event::MappingStart(style, ..) => self.map(style == StructureStyle::Flow, bytes, depth),
            Event::Alias(_) => Some(Node { bytes, content: Content::Alias }),
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::UnresolvedAlias(_)
            | Event::Comment(..)
            | Event::SequenceEnd
            | Event::MappingEnd => None,
            // The reader may learn more.
            _ => None,
        }
    }

    /// A text of several lines is said to begin behind its `|` or `>`, and to end where the next value begins.
    fn scalar(&self, text: String, style: ScalarStyle, bytes: Range<usize>) -> Node {
        let start = match style {
            ScalarStyle::Literal | ScalarStyle::Folded => self.block_begin(bytes.start),
            ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => bytes.start,
        };
        let end = start + self.text[start..bytes.end].trim_end().len();
        let is_plain = style == ScalarStyle::Plain;
        Node { bytes: start..end.max(start), content: Content::Scalar { text, is_plain } }
    }

    /// Where the line begins to speak of a block whose text begins there.
    fn block_begin(&self, content: usize) -> usize {
        let sign = self.text[..content].rfind(['|', '>']).unwrap_or(content);
        let line = self.text[..sign].rfind('\n').map_or(0, |newline| newline + 1);
        // A comment behind it may have the same sign.
        let first = [" |", " >"].into_iter().filter_map(|sign| self.text[line..content].find(sign)).min();
        first.map_or(sign, |at| line + at + 1)
    }

    fn list(&mut self, start: Range<usize>, depth: usize) -> Option<Node> {
        let mut items: Vec<Node> = Vec::new();
        loop {
            let (event, bytes) = self.next()?;
            if event == Event::SequenceEnd {
                let end = items.last().map_or(0, |item| item.bytes.end).max(self.closing(&bytes));
                return Some(Node { bytes: start.start..end.max(start.end), content: Content::List(items) });
            }
            items.push(self.node(event, bytes, depth + 1)?);
        }
    }

    fn map(&mut self, is_flow: bool, start: Range<usize>, depth: usize) -> Option<Node> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, bytes) = self.next()?;
            if event == Event::MappingEnd {
                let last = entries.last().map_or(0, |entry| entry.value.bytes.end.max(entry.bytes.end));
                let bytes = start.start..last.max(self.closing(&bytes)).max(start.end);
                return Some(Node { bytes, content: Content::Map { entries, is_flow } });
            }
            let key = self.node(event, bytes, depth + 1)?;
            let Content::Scalar { text: name, .. } = key.content else { return None };
            let (event, bytes) = self.next()?;
            let mut value = self.node(event, bytes, depth + 1)?;
            if value.bytes.is_empty() {
                // Nothing is said to stand where the next value begins.
                let colon = self.text[key.bytes.end..].find(':').map_or(0, |at| at + 1);
                value.bytes = key.bytes.end + colon..key.bytes.end + colon;
            }
            entries.push(Entry { name, bytes: key.bytes, value });
        }
    }

    /// Where a bracket or a brace ends; a block has none.
    fn closing(&self, bytes: &Range<usize>) -> usize {
        if self.text[bytes.clone()].ends_with(['}', ']']) { bytes.end } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each scalar with its path and what stands there.
    fn scalars(text: &str) -> Vec<String> {
        fn walk(node: &Node, path: &str, text: &str, found: &mut Vec<String>) {
            let written = &text[node.bytes.clone()];
            match &node.content {
                Content::Scalar { text, .. } => found.push(format!("{path} {text:?} as {written:?}")),
                Content::Map { entries, .. } => {
                    for entry in entries {
                        walk(&entry.value, &format!("{path}.{}", entry.name), text, found);
                    }
                }
                Content::List(items) => items.iter().for_each(|item| walk(item, path, text, found)),
                Content::Alias => found.push(format!("{path} alias {written}")),
            }
        }
        let mut found = Vec::new();
        walk(&Node::read(text).expect("YAML"), "", text, &mut found);
        found
    }

    #[test]
    fn each_value_is_told_with_its_bytes() {
        let text = "# ä\na: &x ä # c\nb: { c: \"d\\n\", e: [1, 'f'] }\ng:\n  h: |  # a | b\n    one\n    two\n  i: *x\nj:\n";
        assert_eq!(
            scalars(text),
            [
                ".a \"ä\" as \"ä\"",
                ".b.c \"d\\n\" as \"\\\"d\\\\n\\\"\"",
                ".b.e \"1\" as \"1\"",
                ".b.e \"f\" as \"'f'\"",
                ".g.h \"one\\ntwo\\n\" as \"|  # a | b\\n    one\\n    two\"",
                ".g.i alias *x",
                ".j \"~\" as \"\"",
            ]
        );
    }

    #[test]
    fn a_block_ends_with_its_last_value_and_a_flow_with_its_brace() {
        let text = "a:\n  b: 1\n\nc: { d: 2 }\ne:\n- 3\n- 4\n";
        let node = Node::read(text).unwrap();
        let written = |name: &str| text[node.field(name).unwrap().value.bytes.clone()].to_owned();
        assert_eq!([written("a"), written("c")], ["b: 1", "{ d: 2 }"]);
        assert!(written("e").ends_with("- 4"), "{:?}", written("e"));
    }

    #[test]
    fn what_is_no_yaml_or_too_deep_is_left_to_the_yaml_reader() {
        assert!(Node::read("a: [").is_none());
        assert!(Node::read("").is_none());
        assert!(Node::read(&"[".repeat(500_000)).is_none());
    }
}
