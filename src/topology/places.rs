//! Where everything in a topology file stands.
//!
//! The file is read twice: once into typed values, once into this tree, which keeps nothing but places. So rules
//! speak of paths (`instances.ecs01.vswitch`) and a finding still gets its line and column.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::Spanned;

use crate::base::diagnostic::Place;

/// A path in the file: keys, and numbers for list items.
pub type Path = Vec<String>;

/// Makes a path from its text form, `network.vswitches.a`.
pub fn path(text: &str) -> Path {
    text.split('.').map(str::to_owned).collect()
}

/// The places of a file.
#[derive(Debug, Default)]
pub struct Places {
    text: String,
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    children: BTreeMap<String, Child>,
}

#[derive(Debug)]
struct Child {
    key: Option<Place>,
    value: Place,
    node: Node,
}

impl Places {
    /// Reads the places; the text must be YAML that was read before.
    pub fn read(text: &str, options: serde_yaml::Options) -> Self {
        let tree = serde_yaml::from_str_with_options::<Tree>(text, options).unwrap_or_default();
        Self { text: text.to_owned(), root: tree.into_node(text) }
    }

    /// The value at a path; when it is not written, the nearest parent that is.
    pub fn value(&self, path: &[String]) -> Option<Place> {
        self.find(path, |child| child.value.clone())
    }

    /// A part of the text at a path; none where it is not written as it is, but with escapes or on several lines.
    pub fn part(&self, path: &[String], text: &str, part: Range<usize>) -> Option<Place> {
        let whole = self.value(path)?;
        let line = self.text.get(whole.bytes.start..)?.lines().next()?;
        // A quote may stand before it.
        let quotes = line.find(text).filter(|before| *before <= 1)?;
        let start = whole.bytes.start + quotes + part.start;
        let before = self.text.get(whole.bytes.start..start)?.chars().count();
        let end = start + (part.end - part.start);
        Some(Place { line: whole.line, column: whole.column + before, bytes: start..end })
    }

    /// The key at a path; when it is not written, the nearest parent that is.
    pub fn key(&self, path: &[String]) -> Option<Place> {
        self.find(path, |child| child.key.clone().unwrap_or_else(|| child.value.clone()))
    }

    /// A place from what the YAML reader calls a location.
    pub fn of(&self, location: serde_yaml::Location) -> Place {
        place(&self.text, location)
    }

    fn find(&self, path: &[String], pick: impl Fn(&Child) -> Place) -> Option<Place> {
        let mut node = &self.root;
        let mut found = None;
        for (depth, part) in path.iter().enumerate() {
            let Some(child) = node.children.get(part) else {
                break;
            };
            // A parent stands for a missing child by its key: its value may be the rest of the file.
            found = Some(if depth + 1 == path.len() {
                pick(child)
            } else {
                child.key.clone().unwrap_or_else(|| child.value.clone())
            });
            node = &child.node;
        }
        found
    }
}

/// Translates a location, which counts characters, into bytes.
pub fn place(text: &str, location: serde_yaml::Location) -> Place {
    let line = usize::try_from(location.line()).unwrap_or(1).max(1);
    let column = usize::try_from(location.column()).unwrap_or(1).max(1);
    let line_start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = &text[line_start.min(text.len())..];
    let line_text = rest.split(['\n', '\r']).next().unwrap_or("");
    let offset = |characters: usize| {
        line_text.char_indices().nth(characters).map_or(line_text.len(), |(index, _)| index)
    };
    let start = offset(column - 1);
    let length = usize::try_from(location.span().len()).unwrap_or(1).max(1);
    let end = offset((column - 1).saturating_add(length)).max(start);
    Place { line, column, bytes: line_start + start..line_start + end }
}

#[derive(Debug, Default)]
enum Tree {
    #[default]
    Leaf,
    Map(Vec<(Spanned<String>, Spanned<Tree>)>),
    List(Vec<Spanned<Tree>>),
}

impl Tree {
    fn into_node(self, text: &str) -> Node {
        let child = |key: Option<Place>, value: Spanned<Tree>| Child {
            key,
            value: place(text, value.referenced),
            node: value.value.into_node(text),
        };
        let children = match self {
            Self::Leaf => BTreeMap::new(),
            Self::Map(entries) => entries
                .into_iter()
                .map(|(key, value)| {
                    let place = place(text, key.referenced);
                    (key.value, child(Some(place), value))
                })
                .collect(),
            Self::List(items) => items
                .into_iter()
                .enumerate()
                .map(|(index, value)| (index.to_string(), child(None, value)))
                .collect(),
        };
        Node { children }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

macro_rules! leaves {
    ($($method:ident: $type:ty),*) => {
        $(fn $method<E: de::Error>(self, _: $type) -> Result<Tree, E> { Ok(Tree::Leaf) })*
    };
}

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("any YAML value")
    }

    leaves!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_i128: i128, visit_u128: u128, visit_f64: f64, visit_str: &str, visit_bytes: &[u8]);

    fn visit_unit<E: de::Error>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }

    fn visit_none<E: de::Error>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Tree::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "stack: demo\ninstances:\n  ecs01: { vswitch: a }\nlist:\n  - one\n  - two\n";

    #[test]
    fn finds_keys_values_and_items() {
        let places = Places::read(TEXT, serde_yaml::Options::default());
        let value = places.value(&path("instances.ecs01.vswitch")).unwrap();
        assert_eq!((value.line, &TEXT[value.bytes]), (3, "a"));
        let key = places.key(&path("instances.ecs01.vswitch")).unwrap();
        assert_eq!(&TEXT[key.bytes], "vswitch");
        let item = places.value(&path("list.1")).unwrap();
        assert_eq!((item.line, item.column, &TEXT[item.bytes]), (6, 5, "two"));
    }

    #[test]
    fn a_part_of_a_value_has_its_column_within_quotes_and_without() {
        let text = "allow: [80 from ü, \"81 from b\", 'it''s']\n";
        let places = Places::read(text, serde_yaml::Options::default());
        let part =
            |index: &str, value: &str, part| places.part(&path(&format!("allow.{index}")), value, part);
        let first = part("0", "80 from ü", 3..7).expect("a place");
        assert_eq!((first.column, &text[first.bytes]), (12, "from"));
        let second = part("1", "81 from b", 8..9).expect("a place");
        assert_eq!((second.column, &text[second.bytes]), (29, "b"));
        assert_eq!(part("2", "it's", 0..2), None);
    }

    #[test]
    fn a_missing_child_is_placed_at_its_parent() {
        let places = Places::read(TEXT, serde_yaml::Options::default());
        let place = places.value(&path("instances.ecs01.zone")).unwrap();
        assert_eq!(&TEXT[place.bytes], "ecs01");
        assert_eq!(places.value(&path("nothing.here")), None);
    }
}
