//! Splits the one string of an SSH `exec` into an argument vector.
//!
//! In a script, `A || B` and `>>FILE` at the end of a command are understood as well. On the line of an `exec`, `A; B`
//! is, and `$?` as the last word of a command.
//!
//! Beside that only quotes and backslash are. Whatever a shell would act upon is refused by name, so that a
//! command that would mean something else on a real host never runs quietly here.

/// Why a command line is refused: the character or construct, to be named to the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotUnderstood(pub(crate) String);

/// Characters that mean something to a shell when they are not quoted.
const SPECIAL: &[char] = &['$', '`', '|', '&', ';', '<', '>', '(', ')', '*', '?', '[', ']', '#', '~', '\n'];

/// Splits by the rules of shell words.
pub(crate) fn split(line: &str) -> Result<Vec<String>, NotUnderstood> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => single_quoted(&mut letters, word.get_or_insert_default())?,
            '"' => double_quoted(&mut letters, word.get_or_insert_default())?,
            '\\' => match letters.next() {
                Some(letter) if letter != '\n' => word.get_or_insert_default().push(letter),
                _ => return Err(NotUnderstood("a backslash at the end of a line".to_owned())),
            },
            '\n' => return Err(NotUnderstood("a newline outside of quotes".to_owned())),
            letter if SPECIAL.contains(&letter) => {
                return Err(NotUnderstood(format!("an unquoted '{letter}'")));
            }
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    Ok(words)
}

/// One command of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) argv: Vec<String>,
    /// Whether how the command before it ended is its last word.
    pub(crate) tells_status: bool,
}

/// The commands of a line, each of which is run whatever the one before it ended with.
pub(crate) fn split_line(line: &str) -> Result<Vec<Part>, NotUnderstood> {
    let part = |text: &str| {
        let text = text.trim();
        let without = text.strip_suffix(" $?");
        let argv = split(without.unwrap_or(text))?;
        Ok(Part { argv, tells_status: without.is_some() })
    };
    let parts = parts(line, ";");
    if parts.len() > 1 && parts.iter().any(|text| text.trim().is_empty()) {
        return Err(NotUnderstood("a `;` beside no command".to_owned()));
    }
    parts.into_iter().map(part).collect()
}

/// One command of a line of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Simple {
    pub(crate) argv: Vec<String>,
    /// The file that what it prints is added to.
    pub(crate) append_to: Option<String>,
}

/// The commands of a line of a script: each but the first is run when the one before it failed.
pub(crate) fn split_script(line: &str) -> Result<Vec<Simple>, NotUnderstood> {
    parts(line, "||").into_iter().map(simple).collect()
}

fn simple(text: &str) -> Result<Simple, NotUnderstood> {
    match parts(text, ">>").as_slice() {
        [text] => Ok(Simple { argv: split(text)?, append_to: None }),
        [text, file] => match split(file)?.as_slice() {
            [file] => Ok(Simple { argv: split(text)?, append_to: Some(file.clone()) }),
            _ => Err(NotUnderstood("`>>` with other than one file behind it".to_owned())),
        },
        _ => Err(NotUnderstood("more than one `>>`".to_owned())),
    }
}

/// What stands between the places where an operator stands outside of quotes.
fn parts<'t>(text: &'t str, operator: &str) -> Vec<&'t str> {
    let (mut found, mut begin, mut at, mut quote) = (Vec::new(), 0, 0, None);
    let bytes = text.as_bytes();
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (None | Some(b'"'), b'\\') => at += 1,
            (None, letter @ (b'\'' | b'"')) => quote = Some(letter),
            (Some(open), letter) if letter == open => quote = None,
            (None, _) if text.as_bytes()[at..].starts_with(operator.as_bytes()) => {
                found.push(&text[begin..at]);
                at += operator.len() - 1;
                begin = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    found.push(&text[begin..]);
    found
}

fn single_quoted(letters: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), NotUnderstood> {
    for letter in letters {
        if letter == '\'' {
            return Ok(());
        }
        word.push(letter);
    }
    Err(NotUnderstood("a quote that is not closed".to_owned()))
}

/// Inside double quotes a shell still expands; those two characters are refused unless escaped.
fn double_quoted(letters: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), NotUnderstood> {
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return Ok(()),
            '$' | '`' => return Err(NotUnderstood(format!("an unquoted '{letter}'"))),
            '\\' => match letters.next() {
                Some(escaped @ ('"' | '\\' | '$' | '`')) => word.push(escaped),
                Some('\n') => {}
                Some(other) => word.extend(['\\', other]),
                None => break,
            },
            letter => word.push(letter),
        }
    }
    Err(NotUnderstood("a quote that is not closed".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        let cases: [(&str, &[&str]); 9] = [
            ("mkdir -p /a/b", &["mkdir", "-p", "/a/b"]),
            ("echo 'a b'  \"c d\" e\\ f", &["echo", "a b", "c d", "e f"]),
            ("echo 'it'\\''s'", &["echo", "it's"]),
            ("echo '' \"\"", &["echo", "", ""]),
            ("stat -c '%a %s'", &["stat", "-c", "%a %s"]),
            ("echo '$HOME; rm *'", &["echo", "$HOME; rm *"]),
            ("echo \"a\\$b\\\\c\\d\"", &["echo", "a$b\\c\\d"]),
            ("  true\t", &["true"]),
            ("", &[]),
        ];
        for (line, expected) in cases {
            assert_eq!(split(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn a_line_of_a_script_may_try_something_else_and_add_to_a_file() {
        let simple = |argv: &[&str], append_to: Option<&str>| Simple {
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            append_to: append_to.map(str::to_owned),
        };
        let line = "grep -q 'a || b' /x || printf '%s >>\\n' 'c' >>/y";
        let expected =
            [simple(&["grep", "-q", "a || b", "/x"], None), simple(&["printf", "%s >>\\n", "c"], Some("/y"))];
        assert_eq!(split_script(line).unwrap(), expected);
        assert_eq!(split_script("true").unwrap(), [simple(&["true"], None)]);
        for line in ["a >>b >>c", "a >>b c", "a | b", "a > b", "a && b"] {
            assert!(split_script(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_line_may_have_several_commands_that_tell_how_the_one_before_ended() {
        let part = |argv: &[&str], tells_status| Part {
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            tells_status,
        };
        let line = "cat '/a; b'; echo mark $?; readlink /c";
        let expected =
            [part(&["cat", "/a; b"], false), part(&["echo", "mark"], true), part(&["readlink", "/c"], false)];
        assert_eq!(split_line(line).unwrap(), expected);
        assert_eq!(split_line("true").unwrap(), [part(&["true"], false)]);
        for line in ["a;; b", "; a", "a;", "echo $? b", "echo a$?", "a; b | c", "a & b"] {
            assert!(split_line(line).is_err(), "{line}");
        }
    }

    #[test]
    fn what_a_shell_would_act_upon_is_refused() {
        for line in [
            "echo $HOME",
            "a `b`",
            "a | b",
            "a & b",
            "a; b",
            "a < b",
            "a > b",
            "(a)",
            "a *",
            "a ?",
            "a [b]",
            "# a",
            "~/a",
            "a\nb",
            "echo \"$HOME\"",
            "echo 'open",
            "echo \"open",
            "echo \\",
        ] {
            assert!(split(line).is_err(), "{line}");
        }
    }
}
