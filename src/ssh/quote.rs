//! The one place where an argument becomes shell text.

/// Quotes one argument so that a POSIX shell reads exactly these bytes back.
///
/// What needs no quotes gets none, so that command lines in messages stay readable.
pub fn quote(argument: &str) -> String {
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

/// Characters no shell gives a meaning to, wherever they stand.
fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_@%+=:,./-".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_words_stay_and_the_rest_is_quoted() {
        assert_eq!(quote("/opt/albatross/current"), "/opt/albatross/current");
        assert_eq!(quote(""), "''");
        assert_eq!(quote("%{http_code}"), "'%{http_code}'");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote("a\nb"), "'a\nb'");
        assert_eq!(quote("~root"), "'~root'");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_shell_reads_back_the_same_bytes(argument in "[^\0]{0,40}") {
            let output = std::process::Command::new("sh")
                .arg("-c")
                .arg(format!("printf %s {}", quote(&argument)))
                .output()
                .unwrap();
            prop_assert_eq!(output.stdout, argument.into_bytes());
        }
    }
}
