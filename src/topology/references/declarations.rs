//! The variables of a topology: what its `variables` say of them, and which value each has in the end.

use std::collections::BTreeMap;

use crate::topology::findings::{Finding, nearest, one_of};
use crate::topology::references::inputs::{Given, Inputs, Said};
use crate::topology::references::outline::{Content, Entry, Node};
use crate::topology::references::reference::{Part, Reference, is_name, parts};
use crate::topology::references::report::Report;
use crate::topology::references::value::{Type, Value};

/// The section they stand in.
pub(super) const SECTION: &str = "variables";

/// All variables, by name.
#[derive(Debug, Default)]
pub(super) struct Declarations(BTreeMap<String, Declaration>);

#[derive(Debug)]
struct Declaration {
    wanted: Option<Type>,
    value: Option<Value>,
}

impl Declarations {
    /// Reads them, and gives them their values: the default, or what was given last.
    pub(super) fn read(root: &Node, inputs: &Inputs, report: &mut Report<'_>) -> Self {
        let mut declarations = Self::default();
        let section = root.field(SECTION).map(|entry| &entry.value);
        for entry in section.into_iter().flat_map(Node::entries) {
            if let Some(declaration) = declaration(entry, inputs, report) {
                declarations.0.insert(entry.name.clone(), declaration);
            }
        }
        for given in &inputs.variables {
            declarations.take(given, report);
        }
        declarations
    }

    /// The value of a variable.
    ///
    /// # Errors
    /// When there is none, or it has none.
    pub(super) fn value(&self, name: &str) -> Result<&Value, Finding> {
        let declaration = self.0.get(name).ok_or_else(|| self.unknown(name))?;
        declaration.value.as_ref().ok_or_else(|| Finding {
            code: "variable-without-value",
            message: format!("the variable `{name}` has no value"),
            cause: "it has no default, and none was given".to_owned(),
            help: format!(
                "add `--var {name}=...` or `--vars FILE` to the command, or a default under `{SECTION}`"
            ),
        })
    }

    fn unknown(&self, name: &str) -> Finding {
        let known = || self.0.keys().map(String::as_str);
        let help = match nearest(name, known()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!(
                "declare it under `{SECTION}`; a variable of the environment is `${{env:{name}}}`, and `$${{` stands for `${{`"
            ),
        };
        Finding {
            code: "unknown-variable",
            message: format!("no variable is called `{name}`"),
            cause: format!("there is {}", one_of(known())),
            help,
        }
    }

    /// Later ones go before earlier ones.
    fn take(&mut self, given: &Given, report: &mut Report<'_>) {
        let Some(declaration) = self.0.get_mut(&given.name) else {
            let finding = self.unknown(&given.name);
            return report.nowhere(&given.origin, finding);
        };
        let wanted = declaration.wanted;
        let value = match (&given.said, wanted) {
            (Said::Typed(text), Some(Type::Text)) => Value::Text(text.clone()),
            (Said::Typed(text), _) => Value::of_typed(text),
            (Said::Written(value), _) => value.clone(),
        };
        match wanted.map_or(Ok(value.clone()), |wanted| value.fit(wanted)) {
            Ok(value) => declaration.value = Some(value),
            Err(value) => report.nowhere(&given.origin, wrong_type(&given.name, wanted, &value)),
        }
    }
}

fn wrong_type(name: &str, wanted: Option<Type>, value: &Value) -> Finding {
    let wanted = wanted.map_or("value", Type::word);
    let example = match wanted {
        "number" => "8080",
        "boolean" => "true",
        "list" => "[a, b]",
        _ => "a word",
    };
    Finding {
        code: "variable-type",
        message: format!("the variable `{name}` cannot be {value}"),
        cause: format!("its type is `{wanted}`"),
        help: format!("give it a {wanted} such as `{example}`, or change its type under `{SECTION}`"),
    }
}

fn malformed(message: String, cause: &str) -> Finding {
    Finding {
        code: "variable-form",
        message,
        cause: cause.to_owned(),
        help: "write `NAME: default`, or `NAME: { type: number, default: 5000, description: the port }`"
            .to_owned(),
    }
}

/// One variable; none when what is said of it makes no sense.
fn declaration(entry: &Entry, inputs: &Inputs, report: &mut Report<'_>) -> Option<Declaration> {
    let name = &entry.name;
    if !is_name(name) {
        let cause = "a name has letters, digits and underscores, and does not begin with a digit";
        report.at(&entry.bytes, malformed(format!("`{name}` cannot be the name of a variable"), cause));
        return None;
    }
    let is_long = matches!(entry.value.content, Content::Map { .. });
    if is_long {
        unknown_fields(entry, report);
    }
    let wanted = entry.value.field("type").and_then(|field| wanted(&field.value, name, report));
    let default =
        if is_long { entry.value.field("default").map(|field| &field.value) } else { Some(&entry.value) };
    let default = default.filter(|node| !node.is_empty());
    let value = default.and_then(|node| self::default(node, name, inputs, report));
    let value = match (value, wanted) {
        (Some(value), Some(wanted)) => match value.fit(wanted) {
            Ok(value) => Some(value),
            Err(value) => {
                let bytes = default.map_or(&entry.bytes, |node| &node.bytes);
                report.at(bytes, wrong_type(name, Some(wanted), &value));
                None
            }
        },
        (value, _) => value,
    };
    // Without a type it is that of its default, so that nothing else is given by mistake.
    let wanted = wanted.or(value.as_ref().map(Value::own_type));
    Some(Declaration { wanted, value })
}

fn unknown_fields(entry: &Entry, report: &mut Report<'_>) {
    const KNOWN: [&str; 3] = ["type", "default", "description"];
    for field in entry.value.entries().iter().filter(|field| !KNOWN.contains(&field.name.as_str())) {
        let message = format!("a variable has no `{}`", field.name);
        report.at(&field.bytes, malformed(message, "it has `type`, `default` and `description`"));
    }
}

fn wanted(node: &Node, name: &str, report: &mut Report<'_>) -> Option<Type> {
    let word = match &node.content {
        Content::Scalar { text, .. } => text.as_str(),
        Content::Map { .. } | Content::List(_) | Content::Alias => "",
    };
    let found = Type::ALL.into_iter().find(|known| known.word() == word);
    if found.is_none() {
        let cause = format!("a type is {}", one_of(Type::ALL.map(Type::word)));
        report.at(&node.bytes, malformed(format!("the type of `{name}` is not known"), &cause));
    }
    found
}

/// A default may take from the environment, not from other variables: so there is no order among them.
fn default(node: &Node, name: &str, inputs: &Inputs, report: &mut Report<'_>) -> Option<Value> {
    let Some(value) = Value::of_node(node) else {
        let cause = "it is a text, a number, `true`, `false` or a list of these";
        report.at(&node.bytes, malformed(format!("this cannot be the default of `{name}`"), cause));
        return None;
    };
    let Value::Text(text) = &value else { return Some(value) };
    match parts(text) {
        Ok(parts) => {
            let look = |reference: &Reference| match reference {
                Reference::Variable(other) | Reference::Resource(other) => Err(malformed(
                    format!("the default of `{name}` refers to `{other}`"),
                    "a default may refer to the environment alone",
                )),
                Reference::Environment { name, default } => {
                    inputs.environment_value(name, default.as_deref())
                }
            };
            report.unless_found(&node.bytes, join(name, &parts, look))
        }
        Err(no_reference) => report.unless_found(&node.bytes, Err(no_reference.finding())),
    }
}

/// The value of a text with references: that of its only one, else a text.
pub(super) fn join(
    name: &str,
    parts: &[Part],
    look: impl Fn(&Reference) -> Result<Value, Finding>,
) -> Result<Value, Finding> {
    if let [Part::Reference(only)] = parts {
        return look(only);
    }
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Literal(literal) => text.push_str(literal),
            Part::Reference(reference) => {
                let value = look(reference)?;
                text.push_str(&value.inline().ok_or_else(|| Finding {
                    code: "variable-type",
                    message: format!("a list cannot be a part of the text of `{name}`"),
                    cause: format!("{value} is a list"),
                    help: "write the reference alone, without other text beside it".to_owned(),
                })?);
            }
        }
    }
    Ok(Value::Text(text))
}
