//! How references are written: `${NAME}`, `${env:NAME}`, `${env:NAME:-default}`, and in outputs `${url}` and
//! `${instances.NAME.id}`; `$${` is `${` itself.

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::topology) enum Part {
    /// As it stands.
    Literal(String),
    /// What is put here.
    Reference(Reference),
}

/// What is put somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::topology) enum Reference {
    /// A variable of the topology.
    Variable(String),
    /// A variable of the environment, and what counts where it is not set.
    Environment {
        /// Its name.
        name: String,
        /// Behind `:-`.
        default: Option<String>,
    },
    /// What is known of a resource when it is made: `instances.ecs01.public_address`. Only an output may have it.
    Resource(String),
}

/// What begins like a reference and is none.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::topology) struct NoReference(pub(super) String);

/// Whether a text can be the name of a variable.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// Names with dots between them, of a resource.
fn is_path(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter))
    };
    text.contains('.') && text.split('.').all(is_part)
}

/// A text as it is written where references stand.
pub(super) fn escaped(text: &str) -> String {
    text.replace("${", "$${")
}

/// The parts of a text.
///
/// # Errors
/// When what stands behind `${` is no reference.
pub(in crate::topology) fn parts(text: &str) -> Result<Vec<Part>, NoReference> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('$') {
            literal.extend([before, "${"]);
            rest = &from[2..];
            continue;
        }
        literal.push_str(before);
        let Some(end) = from.find('}') else { return Err(NoReference(from.to_owned())) };
        let reference = reference(&from[2..end]).ok_or_else(|| NoReference(from[..=end].to_owned()))?;
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        parts.push(Part::Reference(reference));
        rest = &from[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(parts)
}

fn reference(text: &str) -> Option<Reference> {
    let Some(environment) = text.strip_prefix("env:") else {
        if is_name(text) {
            return Some(Reference::Variable(text.to_owned()));
        }
        return is_path(text).then(|| Reference::Resource(text.to_owned()));
    };
    let (name, default) = match environment.split_once(":-") {
        Some((name, default)) => (name, Some(default.to_owned())),
        None => (environment, None),
    };
    is_name(name).then(|| Reference::Environment { name: name.to_owned(), default })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Part {
        Part::Literal(text.to_owned())
    }

    fn variable(name: &str) -> Part {
        Part::Reference(Reference::Variable(name.to_owned()))
    }

    fn environment(name: &str, default: Option<&str>) -> Part {
        let default = default.map(str::to_owned);
        Part::Reference(Reference::Environment { name: name.to_owned(), default })
    }

    #[test]
    fn references_stand_anywhere_in_a_text() {
        for (text, expected) in [
            ("${A}", vec![variable("A")]),
            ("a-${B_1}c${d}", vec![literal("a-"), variable("B_1"), literal("c"), variable("d")]),
            ("${env:HOME}", vec![environment("HOME", None)]),
            ("${env:PORT:-50:-00}", vec![environment("PORT", Some("50:-00"))]),
            ("${env:PORT:-}", vec![environment("PORT", Some(""))]),
            ("${a.b-1.c}", vec![Part::Reference(Reference::Resource("a.b-1.c".to_owned()))]),
            ("$${A} $$ $B {C}", vec![literal("${A} $$ $B {C}")]),
            ("", vec![]),
        ] {
            assert_eq!(parts(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_only_begins_like_one_is_told() {
        for text in ["${", "${}", "${A", "${1A}", "${env:}", "${A-B}", "${A:-b}", "${.a}", "${a..b}"] {
            assert_eq!(parts(&format!("x{text}")), Err(NoReference(text.to_owned())), "{text}");
        }
    }
}
