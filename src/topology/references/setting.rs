//! `--set path=value`: a field as if it stood in the file.

use crate::base::diagnostic::Diagnostic;
use crate::topology::findings::Finding;
use crate::topology::references::declarations::SECTION;
use crate::topology::references::inputs::Setting;
use crate::topology::references::outline::{Content, Entry, Node};
use crate::topology::references::report::Report;
use crate::topology::references::resolved::{Edit, Resolved};
use crate::topology::references::value::Value;

/// Puts a field into the text.
///
/// # Errors
/// When there can be no such field.
pub(super) fn set(resolved: &mut Resolved, setting: &Setting) -> Result<(), Vec<Diagnostic>> {
    let Some(root) = Node::read(resolved.text()) else { return Ok(()) };
    let option = setting.option();
    let edit = edit(resolved.text(), &root, setting).map_err(|finding| {
        let mut report = Report::new("");
        report.nowhere(&option, finding);
        report.sorted()
    })?;
    resolved.edit(vec![Edit { option: Some(option), ..edit }]);
    Ok(())
}

impl Setting {
    /// As it was typed.
    fn option(&self) -> String {
        format!("--set {}={}", self.path, self.value)
    }
}

fn edit(text: &str, root: &Node, setting: &Setting) -> Result<Edit, Finding> {
    let parts: Vec<&str> = setting.path.split('.').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(no_field(&setting.path, "a path has a name between its dots"));
    }
    if parts[0] == SECTION {
        let name = parts.get(1).unwrap_or(&"NAME");
        return Err(Finding {
            help: format!("write `--var {name}=...`"),
            ..no_field(&setting.path, "the value of a variable has an option of its own")
        });
    }
    let value = Value::of_typed(&setting.value).to_string();
    let mut node = root;
    for (depth, part) in parts.iter().enumerate() {
        let is_last = depth + 1 == parts.len();
        let Content::Map { .. } = &node.content else {
            let above = parts[..depth].join(".");
            return Err(no_field(&setting.path, &format!("`{above}` has no fields of its own in this file")));
        };
        match node.field(part) {
            Some(entry) if is_last || entry.value.is_empty() => {
                return Ok(replacing(text, entry, &nested(&parts[depth + 1..], &value)));
            }
            Some(entry) => node = &entry.value,
            None => return Ok(inserting(text, node, part, &nested(&parts[depth + 1..], &value))),
        }
    }
    Err(no_field(&setting.path, "a path has a name at least"))
}

fn no_field(path: &str, cause: &str) -> Finding {
    Finding {
        code: "set-path",
        message: format!("the field `{path}` cannot be set"),
        cause: cause.to_owned(),
        help: "name a field as docs/topology.md does, such as `load_balancer.listener.port`".to_owned(),
    }
}

/// `{ "listener": { "port": 8080 } }` for what is missing on the way.
fn nested(names: &[&str], value: &str) -> String {
    names.iter().rev().fold(value.to_owned(), |inner, name| format!("{{ {}: {inner} }}", quoted(name)))
}

fn quoted(name: &str) -> String {
    Value::Text(name.to_owned()).to_string()
}

/// All behind the colon, so that a block makes room for a single line.
fn replacing(text: &str, entry: &Entry, value: &str) -> Edit {
    let behind_name = entry.bytes.end;
    let colon = text[behind_name..].find(':').map_or(behind_name, |at| behind_name + at + 1);
    Edit { old: colon..entry.value.bytes.end.max(colon), new: format!(" {value}"), option: None }
}

fn inserting(text: &str, map: &Node, name: &str, value: &str) -> Edit {
    let field = format!("{}: {value}", quoted(name));
    let (at, new) = match &map.content {
        Content::Map { is_flow: false, entries } => {
            let first = entries.first().map_or(map.bytes.start, |entry| entry.bytes.start);
            let line_start = text[..first].rfind('\n').map_or(0, |newline| newline + 1);
            (first, format!("{field}\n{}", " ".repeat(text[line_start..first].chars().count())))
        }
        Content::Map { .. } | Content::Scalar { .. } | Content::List(_) | Content::Alias => {
            (map.bytes.start + 1, format!(" {field},"))
        }
    };
    Edit { old: at..at, new, option: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a: 1\nb:\n  # ä\n  c: { d: 2 }\n  e:\n  - 3\n  - 4\nf: {}\ng:\nh: |\n  one\n  two\ni: &i { j: 5 }\nk: *i\n";

    fn set_to(path: &str, value: &str) -> Result<serde_json::Value, String> {
        let mut resolved = Resolved::as_written(TEXT);
        let setting = Setting { path: path.to_owned(), value: value.to_owned() };
        set(&mut resolved, &setting).map_err(|found| found[0].cause.clone())?;
        Ok(serde_yaml::from_str(resolved.text())
            .unwrap_or_else(|error| panic!("{}\n{error}", resolved.text())))
    }

    #[test]
    fn a_field_is_set_wherever_it_stands_and_nothing_else_changes() {
        let before: serde_json::Value = serde_yaml::from_str(TEXT).unwrap();
        for (path, value, pointer, expected) in [
            ("a", "7", "/a", serde_json::json!(7)),
            ("b.c.d", "[x, y]", "/b/c/d", serde_json::json!(["x", "y"])),
            ("b.c", "7", "/b/c", serde_json::json!(7)),
            ("b.c.new", "a: b", "/b/c/new", serde_json::json!("a: b")),
            ("b.e", "[5]", "/b/e", serde_json::json!([5])),
            ("b", "7", "/b", serde_json::json!(7)),
            ("b.new", "true", "/b/new", serde_json::json!(true)),
            ("f.new.deep", "60s", "/f/new/deep", serde_json::json!("60s")),
            ("g", "", "/g", serde_json::json!("")),
            ("g.new.deep", "1", "/g/new/deep", serde_json::json!(1)),
            ("h", "x", "/h", serde_json::json!("x")),
            ("new.deep", "1", "/new/deep", serde_json::json!(1)),
            ("k", "1", "/k", serde_json::json!(1)),
        ] {
            let mut after = set_to(path, value).unwrap();
            assert_eq!(after.pointer(pointer), Some(&expected), "{path}={value}: {after}");
            let mut was = before.clone();
            let top = path.split('.').next().unwrap();
            for changed in [&mut after, &mut was] {
                changed.as_object_mut().unwrap().remove(top);
            }
            assert_eq!(after, was, "{path}={value}");
        }
    }

    #[test]
    fn what_cannot_be_a_field_is_refused() {
        for (path, cause) in [
            ("a.b", "`a` has no fields of its own"),
            ("k.j", "`k` has no fields of its own"),
            ("b..c", "a name between its dots"),
            ("variables.X", "an option of its own"),
        ] {
            let refused = set_to(path, "1").unwrap_err();
            assert!(refused.contains(cause), "{path}: {refused}");
        }
    }
}
