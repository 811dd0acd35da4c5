//! Splits the one string of an SSH `exec` into an argument vector.
//!
//! Only quotes and backslash are understood. Whatever a shell would act upon is refused by name, so that a
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
