//! Values of variables: their types, how they are read, and how they are put into the file.

use std::fmt;

use crate::topology::references::outline::{Content, Node};

/// What a variable may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// Any text.
    Text,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A list of the others.
    List,
}

impl Type {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Text, Self::Number, Self::Boolean, Self::List];

    /// As it is written.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::List => "list",
        }
    }
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A text.
    Text(String),
    /// A number, as it was written.
    Number(String),
    /// `true` or `false`.
    Boolean(bool),
    /// A list.
    List(Vec<Value>),
}

impl Value {
    /// What a text is that has no quotes around it.
    pub(super) fn of_plain(text: &str) -> Self {
        match text {
            "true" => Self::Boolean(true),
            "false" => Self::Boolean(false),
            text if is_number(text) => Self::Number(text.to_owned()),
            text => Self::Text(text.to_owned()),
        }
    }

    /// What stands at a place; none for fields and for what another place says.
    pub(super) fn of_node(node: &Node) -> Option<Self> {
        match &node.content {
            Content::Scalar { text, is_plain: true } => Some(Self::of_plain(text)),
            Content::Scalar { text, is_plain: false } => Some(Self::Text(text.clone())),
            Content::List(items) => items.iter().map(Self::of_node).collect::<Option<_>>().map(Self::List),
            Content::Map { .. } | Content::Alias => None,
        }
    }

    /// What somebody typed behind `=`: a list in brackets, else what it is without quotes.
    pub(super) fn of_typed(text: &str) -> Self {
        let is_list = text.starts_with('[');
        let listed = Node::read(text).filter(|_| is_list).and_then(|node| Self::of_node(&node));
        listed.unwrap_or_else(|| Self::of_plain(text))
    }

    /// Its own type.
    pub(super) fn own_type(&self) -> Type {
        match self {
            Self::Text(_) => Type::Text,
            Self::Number(_) => Type::Number,
            Self::Boolean(_) => Type::Boolean,
            Self::List(_) => Type::List,
        }
    }

    /// The same as a value of a type, if it can be one: `5000` is a text, too, and "5000" a number.
    pub(super) fn fit(self, wanted: Type) -> Result<Self, Self> {
        if self.own_type() == wanted {
            return Ok(self);
        }
        let fitting = match (self.inline(), wanted) {
            (Some(text), Type::Text) => Some(Self::Text(text)),
            (Some(text), Type::Number | Type::Boolean) => {
                Some(Self::of_plain(&text)).filter(|value| value.own_type() == wanted)
            }
            (None, _) | (Some(_), Type::List) => None,
        };
        fitting.ok_or(self)
    }

    /// As a part of a text; a list is none.
    pub(super) fn inline(&self) -> Option<String> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text.clone()),
            Self::Boolean(truth) => Some(truth.to_string()),
            Self::List(_) => None,
        }
    }
}

/// As YAML on one line, in whatever it stands.
impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(formatter, "{}", serde_json::Value::from(text.as_str())),
            Self::Number(text) => formatter.write_str(text),
            Self::Boolean(truth) => write!(formatter, "{truth}"),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                write!(formatter, "[{}]", items.join(", "))
            }
        }
    }
}

/// In decimal, as JSON has them; `007` is a text.
fn is_number(text: &str) -> bool {
    matches!(serde_json::from_str(text), Ok(serde_json::Value::Number(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_as_yaml_has_it_and_written_back_as_one_line() {
        for (typed, written) in [
            ("5000", "5000"),
            ("-1.5", "-1.5"),
            ("true", "true"),
            ("007", "\"007\""),
            ("a \"b\": {c}", "\"a \\\"b\\\": {c}\""),
            ("[a, 1, 'x, y']", "[\"a\", 1, \"x, y\"]"),
            ("[unfinished", "\"[unfinished\""),
            ("", "\"\""),
        ] {
            assert_eq!(Value::of_typed(typed).to_string(), written, "{typed}");
        }
    }

    #[test]
    fn what_can_be_of_the_other_type_is() {
        let number = || Value::Number("5000".to_owned());
        let text = || Value::Text("5000".to_owned());
        assert_eq!(number().fit(Type::Text), Ok(text()));
        assert_eq!(text().fit(Type::Number), Ok(number()));
        assert_eq!(Value::Text("true".to_owned()).fit(Type::Boolean), Ok(Value::Boolean(true)));
        assert_eq!(number().fit(Type::Boolean), Err(number()));
        assert_eq!(number().fit(Type::List), Err(number()));
        let list = || Value::List(vec![number()]);
        assert_eq!(list().fit(Type::Text), Err(list()));
    }
}
