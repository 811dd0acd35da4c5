//! The values of conditions: texts with wildcards, or regular expressions behind `~` and `~*`.

use regex::{Regex, RegexBuilder};

/// One value that a text is compared with.
#[derive(Debug)]
pub(super) enum Pattern {
    /// `*` stands for any characters, `?` for one.
    Wild { text: Vec<u8>, ignores_case: bool },
    /// Found somewhere in the text.
    Expression(Regex),
    /// An expression that nobody can read: it matches nothing.
    Never,
}

/// Whether capital letters differ from small ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Matters,
    Ignored,
}

impl Pattern {
    /// A value of a kind that knows expressions.
    pub(super) fn new(value: &str, case: Case) -> Self {
        let Some(expression) = value.strip_prefix('~') else { return Self::wild(value, case) };
        let any_case = expression.strip_prefix('*');
        let built = RegexBuilder::new(any_case.unwrap_or(expression))
            .case_insensitive(any_case.is_some() || case == Case::Ignored)
            .build();
        built.map_or_else(
            |error| {
                tracing::warn!(value, %error, "a condition cannot be read");
                Self::Never
            },
            Self::Expression,
        )
    }

    /// A value of a kind that knows wildcards only.
    pub(super) fn wild(value: &str, case: Case) -> Self {
        let ignores_case = case == Case::Ignored;
        let text = if ignores_case { value.to_ascii_lowercase() } else { value.to_owned() };
        Self::Wild { text: text.into_bytes(), ignores_case }
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Wild { text: pattern, ignores_case: true } => {
                is_like(pattern, text.to_ascii_lowercase().as_bytes())
            }
            Self::Wild { text: pattern, ignores_case: false } => is_like(pattern, text.as_bytes()),
            Self::Expression(expression) => expression.is_match(text),
            Self::Never => false,
        }
    }
}

/// Whether a text has the form of a pattern; a `*` that took too little takes one byte more.
fn is_like(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[seen] => {
                at += 1;
                seen += 1;
            }
            Some(_) | None => {
                let Some((place, taken)) = star else { return false };
                star = Some((place, taken + 1));
                at = place + 1;
                seen = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_match_by_wildcard_or_expression() {
        let cases = [
            ("/chat", "/chat", true),
            ("/chat", "/Chat", false),
            ("/chat", "/chat/1", false),
            ("/chat/*", "/chat/", true),
            ("/chat/*", "/chat", false),
            ("/*/b?c*", "/a/bxc/d", true),
            ("/*/b?c", "/a/bc", false),
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("~^/v[12]/", "/v2/x", true),
            ("~^/v[12]/", "/V2/x", false),
            ("~*^/v[12]/", "/V2/x", true),
            ("~(", "(", false),
        ];
        for (value, text, expected) in cases {
            assert_eq!(Pattern::new(value, Case::Matters).matches(text), expected, "{value} {text}");
        }
        assert!(Pattern::new("*.Example.com", Case::Ignored).matches("a.EXAMPLE.com"));
        assert!(Pattern::new("~^a\\.example", Case::Ignored).matches("A.example.com"));
        assert!(!Pattern::wild("~a", Case::Matters).matches("a"));
    }
}
