//! Each reference in a value makes room for what it stands for.

use crate::base::diagnostic::Diagnostic;
use crate::topology::findings::{Finding, below};
use crate::topology::outputs::OF_STACK;
use crate::topology::places::Path;
use crate::topology::references::declarations::{Declarations, SECTION, join};
use crate::topology::references::inputs::Inputs;
use crate::topology::references::outline::{Content, Node};
use crate::topology::references::reference::{NoReference, Part, Reference, escaped, parts};
use crate::topology::references::report::Report;
use crate::topology::references::resolved::Edit;
use crate::topology::references::value::Value;

/// What to put where. A text that is no YAML has nothing: the YAML reader says why.
///
/// # Errors
/// All that is wrong with variables and references.
pub(super) fn edits(text: &str, inputs: &Inputs) -> Result<Vec<Edit>, Vec<Diagnostic>> {
    let Some(root) = Node::read(text) else { return Ok(Vec::new()) };
    let mut report = Report::new(text);
    let declarations = Declarations::read(&root, inputs, &mut report);
    let mut substitution = Substitution { declarations, inputs, report, edits: Vec::new() };
    for entry in root.entries().iter().filter(|entry| entry.name != SECTION) {
        if entry.name == OUTPUTS {
            substitution.outputs(&entry.value);
        } else {
            substitution.visit(&entry.value, &vec![entry.name.clone()]);
        }
    }
    let found = substitution.report.sorted();
    if found.is_empty() { Ok(substitution.edits) } else { Err(found) }
}

struct Substitution<'a> {
    declarations: Declarations,
    inputs: &'a Inputs,
    report: Report<'a>,
    edits: Vec<Edit>,
}

impl Substitution<'_> {
    fn visit(&mut self, node: &Node, path: &Path) {
        match &node.content {
            Content::Scalar { text, .. } if text.contains("${") => {
                let value = self.value(text, path);
                if let Some(value) = self.report.unless_found(&node.bytes, value) {
                    let new = value.to_string();
                    self.edits.push(Edit { old: node.bytes.clone(), new, option: None });
                }
            }
            Content::Scalar { .. } | Content::Alias => {}
            Content::Map { entries, .. } => {
                for entry in entries {
                    self.visit(&entry.value, &below(path, &entry.name));
                }
            }
            Content::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.visit(item, &below(path, index));
                }
            }
        }
    }

    fn value(&self, text: &str, path: &Path) -> Result<Value, Finding> {
        let parts = parts(text).map_err(NoReference::finding)?;
        join(&path.join("."), &parts, |reference| self.referred(reference, path))
    }

    fn referred(&self, reference: &Reference, path: &Path) -> Result<Value, Finding> {
        match reference {
            Reference::Variable(name) => self.declarations.value(name).cloned(),
            Reference::Environment { name, default } => {
                may_hold_a_secret(path, name)?;
                self.inputs.environment_value(name, default.as_deref())
            }
            Reference::Resource(name) => Err(Finding {
                code: "reference-too-early",
                message: format!("`${{{name}}}` cannot be put in here"),
                cause: "it is known only when everything is made, and from this value things are made"
                    .to_owned(),
                help: format!("write it under `{OUTPUTS}`, or refer to a variable"),
            }),
        }
    }

    /// Outputs keep their references to resources, and are read once more when these are there.
    fn outputs(&mut self, section: &Node) {
        for entry in section.entries() {
            let Content::Scalar { text, .. } = &entry.value.content else { continue };
            if text.contains("${") {
                let output = self.output(text, &below(&[OUTPUTS.to_owned()], &entry.name));
                let output = self.report.unless_found(&entry.value.bytes, output);
                if let Some(output) = output.filter(|output| output != text) {
                    let new = Value::Text(output).to_string();
                    self.edits.push(Edit { old: entry.value.bytes.clone(), new, option: None });
                }
            }
        }
    }

    fn output(&self, text: &str, path: &Path) -> Result<String, Finding> {
        let mut output = String::new();
        for part in parts(text).map_err(NoReference::finding)? {
            match part {
                Part::Literal(literal) => output.push_str(&escaped(&literal)),
                Part::Reference(Reference::Resource(name)) => output.extend(["${", name.as_str(), "}"]),
                Part::Reference(Reference::Variable(name)) if OF_STACK.contains(&name.as_str()) => {
                    output.extend(["${", name.as_str(), "}"]);
                }
                Part::Reference(reference) => {
                    let value = self.referred(&reference, path)?;
                    output.push_str(&escaped(&value.inline().unwrap_or_else(|| value.to_string())));
                }
            }
        }
        Ok(output)
    }
}

/// The section of outputs.
const OUTPUTS: &str = "outputs";

/// What is a secret as a rule is never put in from the environment: plans and journals would have it.
fn may_hold_a_secret(path: &Path, name: &str) -> Result<(), Finding> {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    let help = match parts.as_slice() {
        ["app", "env", variable] => {
            format!("write `{variable}: {{ env: {name} }}`: then only the name is kept")
        }
        ["app", "args", _] => {
            format!("let the app read it: `app: {{ env: {{ {name}: {{ env: {name} }} }} }}`")
        }
        ["app", "env", _, _] | ["ssh" | "instances", .., "password", _] => {
            format!("write the name alone: `env: {name}`")
        }
        _ => return Ok(()),
    };
    Err(Finding {
        code: "reference-secret",
        message: format!("`${{env:{name}}}` cannot be put in here"),
        cause: "it may be a secret, and what is put in here gets into plans and the journal".to_owned(),
        help,
    })
}

impl NoReference {
    /// What is said of it.
    pub(in crate::topology) fn finding(self) -> Finding {
        Finding {
            code: "reference-form",
            message: format!("`{}` is no reference", self.0),
            cause: "a reference is `${NAME}`, `${env:NAME}` or `${env:NAME:-default}`".to_owned(),
            help: "write one of these, or `$${` where `${` itself is meant".to_owned(),
        }
    }
}
