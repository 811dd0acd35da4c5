//! What a command gives a topology beside its file: values of variables, fields, and the environment.

use crate::topology::findings::Finding;
use crate::topology::references::outline::{Content, Node};
use crate::topology::references::resolved::place_at;
use crate::topology::references::value::Value;

/// All of it.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// Values of variables; later ones go before earlier ones.
    pub variables: Vec<Given>,
    /// Fields and their values, as if they stood in the file; later ones go before earlier ones.
    pub fields: Vec<Setting>,
    /// Says what a variable of the environment has; only the command line may look.
    pub environment: fn(&str) -> Option<String>,
}

impl Default for Inputs {
    fn default() -> Self {
        Self { variables: Vec::new(), fields: Vec::new(), environment: |_| None }
    }
}

/// A value for a variable.
#[derive(Debug, Clone)]
pub struct Given {
    pub(super) name: String,
    pub(super) said: Said,
    /// Who says so, for messages.
    pub(super) origin: String,
}

/// A value as it was given.
#[derive(Debug, Clone)]
pub(super) enum Said {
    /// Behind `NAME=`; what it is depends on the type of the variable.
    Typed(String),
    /// In a file.
    Written(Value),
}

/// A field and its value.
#[derive(Debug, Clone)]
pub struct Setting {
    /// `load_balancer.listener.port`.
    pub path: String,
    /// As it was typed.
    pub value: String,
}

impl Given {
    /// From `--var NAME=VALUE`.
    pub fn typed(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), said: Said::Typed(value.to_owned()), origin: format!("--var {name}") }
    }

    /// All that a file of variables has.
    ///
    /// # Errors
    /// Why it is none, in words.
    pub fn read(text: &str, file: &str) -> Result<Vec<Self>, String> {
        let root = Node::read(text).ok_or("it is no YAML")?;
        let Content::Map { entries, .. } = &root.content else {
            return Err("it has no `NAME: value` lines".to_owned());
        };
        let given = entries.iter().map(|entry| {
            let line = place_at(text, entry.bytes.clone()).line;
            let value = Value::of_node(&entry.value).ok_or_else(|| {
                format!("line {line}: `{}` is no text, number, `true`, `false` or list of these", entry.name)
            })?;
            let origin = format!("{file}, line {line}");
            Ok(Self { name: entry.name.clone(), said: Said::Written(value), origin })
        });
        given.collect()
    }
}

impl Inputs {
    /// What a variable of the environment has, as if it stood there without quotes.
    pub(super) fn environment_value(&self, name: &str, default: Option<&str>) -> Result<Value, Finding> {
        let set = (self.environment)(name);
        set.as_deref().or(default).map(Value::of_plain).ok_or_else(|| Finding {
            code: "environment-not-set",
            message: format!("the variable `{name}` of the environment is not set"),
            cause: "it is not set, or empty, and has no default here".to_owned(),
            help: format!("run `export {name}=...`, or write `${{env:{name}:-DEFAULT}}`"),
        })
    }
}
