//! Says in a person's words what the YAML reader says in a programmer's.

/// What is wrong, and what to do about it.
pub(super) fn explain(reader: &str) -> (String, String) {
    // The reader ends its sentence with the place, which is shown by itself.
    let said = reader.split(" at line ").next().unwrap_or(reader);
    if let Some(key) = said.strip_prefix("duplicate mapping key: ") {
        let key = key.split(',').next().unwrap_or(key);
        return (format!("`{key}` stands here a second time"), "keep one of the two".to_owned());
    }
    if let Some(field) = said.strip_prefix("missing field ") {
        return (
            format!("{field} is missing"),
            format!("add {field}; examples/chatroom.yaml shows every field"),
        );
    }
    if let Some(rest) = said.strip_prefix("unknown variant ") {
        return (format!("{} is not known here", quoted(rest)), said_to_expect(rest));
    }
    let known = KNOWN.iter().find(|(begins, _, _)| said.starts_with(begins));
    let (cause, help) = known.map_or((said, MEND_FIRST), |(_, cause, help)| (*cause, *help));
    (cause.to_owned(), help.to_owned())
}

/// In braces and brackets YAML takes the brace of a reference for one of its own.
pub(super) const QUOTED: &str = "put `${...}` in quotes where it stands in `{ }` or `[ ]`";

const MEND_FIRST: &str = "mend this first: the rest of the file is checked after it";

/// How the reader begins, what it means, what to do.
const KNOWN: [(&str, &str, &str); 14] = [
    ("expected string scalar", "a text is expected here", "write a plain word, or put it in quotes"),
    ("expected mapping start", "fields are expected here", "write `name: value` lines below it"),
    ("expected sequence start", "a list is expected here", "write `[one, two]`"),
    ("invalid i64", "a whole number is expected here", "write digits only"),
    ("invalid u32", "a whole number of 0 or more is expected here", "write digits only"),
    (
        "unexpected end of input",
        "the file ends before the topology does",
        "see examples/minimal.yaml for the least one can write",
    ),
    ("recursive references", "an alias refers to itself", "write the value out"),
    (
        "alias replay limit",
        "its aliases stand for more than 10000 values",
        "write the values out, or use fewer aliases",
    ),
    ("alias expansion limit", "an alias is used too often", "write the values out, or use fewer aliases"),
    ("unclosed quote", "a quote is not closed", "close it on the same line"),
    (
        "mapping values are not allowed",
        "a second `:` stands in one value",
        "put the value in quotes, or indent the line as its neighbours",
    ),
    (
        "while scanning a plain scalar, found a tab",
        "a tab stands where blanks are expected",
        "indent with blanks",
    ),
    ("while scanning", "this is not YAML", MEND_FIRST),
    ("budget", "the file is larger or deeper than any topology", "check that this is the file you meant"),
];

/// The first word in backticks, with them.
fn quoted(text: &str) -> String {
    format!("`{}`", text.split('`').nth(1).unwrap_or(text))
}

/// `expected one of a, b` becomes a help line.
fn said_to_expect(text: &str) -> String {
    let choices = text.split("expected one of ").nth(1).or_else(|| text.split("expected ").nth(1));
    format!("write one of: {}", choices.unwrap_or("what the examples show"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_is_put_into_plain_words() {
        let cases = [
            (
                "duplicate mapping key: stack, set DuplicateKeyPolicy in Options",
                "`stack` stands here a second time",
            ),
            ("invalid i64 at line 3 column 4", "a whole number is expected here"),
            ("unknown variant `private`, expected one of public", "`private` is not known here"),
            ("missing field `region`", "`region` is missing"),
            ("something new at line 1 column 2", "something new"),
        ];
        for (reader, cause) in cases {
            assert_eq!(explain(reader).0, cause, "{reader}");
        }
        assert_eq!(explain("unknown variant `x`, expected one of a, b").1, "write one of: a, b");
    }
}
