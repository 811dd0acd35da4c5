//! How values are shown to people.

pub(super) mod deeds;
pub(super) mod diagnostic;
pub(super) mod drift;
pub(super) mod examination;
pub(super) mod explanation;
pub(super) mod failure;
pub(super) mod plan;
pub(super) mod progress;
pub(super) mod report;
pub(super) mod saved;

use std::time::Duration;

use rustix::termios::tcgetwinsize;

/// Prints names with what they stand for, in two columns.
pub(super) fn print_pairs(pairs: &[(String, String)]) {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in pairs {
        anstream::println!("{}", format!("{name:width$}  {value}").trim_end());
    }
}

/// `1 check`, `2 checks`.
pub(super) fn count(number: usize, one: &str) -> String {
    match (number, one.strip_suffix('y')) {
        (1, _) => format!("1 {one}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {one}s"),
    }
}

/// A duration as people say it: `20 seconds`, `4 minutes`.
pub(super) fn about(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..90 => {
            count(usize::try_from(seconds.max(1).next_multiple_of(5)).unwrap_or(usize::MAX), "second")
        }
        seconds => count(usize::try_from((seconds + 30) / 60).unwrap_or(usize::MAX), "minute"),
    }
}

/// Columns of the terminal that standard output is; none where lines have no end.
pub(super) fn columns() -> Option<usize> {
    let size = tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// A text in lines of at most so many columns.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last().map_or(0, |line| line.chars().count());
        match lines.last_mut() {
            Some(line) if last == 0 => line.push_str(word),
            Some(line) if last + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn numbers_and_their_words_agree() {
        assert_eq!(count(1, "check"), "1 check");
        assert_eq!(count(0, "check"), "0 checks");
        assert_eq!(count(2, "query"), "2 queries");
    }
}
