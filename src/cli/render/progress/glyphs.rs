//! The signs of progress, in what the terminal can show.

/// Signs that go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Glyphs {
    /// Pictures of something that turns, one after the other.
    pub(super) spinner: &'static [char],
    /// Something is done.
    pub(super) done: &'static str,
    /// Something failed.
    pub(super) failed: &'static str,
    /// Something goes on without us.
    pub(super) left: &'static str,
    /// One thing after another.
    pub(super) then: &'static str,
}

/// For every terminal and for files.
pub(super) const ASCII: Glyphs =
    Glyphs { spinner: &['|', '/', '-', '\\'], done: "ok", failed: "!!", left: "--", then: ">" };

/// For terminals that can show more.
pub(super) const UNICODE: Glyphs = Glyphs {
    spinner: &['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'],
    done: " ✓",
    failed: " ✗",
    left: " …",
    then: "→",
};

impl Glyphs {
    /// What fits a terminal of this locale; where there is none, lines are for programs, too.
    pub(super) fn fit(is_terminal: bool, locale: Option<&str>) -> Self {
        let is_unicode = locale.is_some_and(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        if is_terminal && is_unicode { UNICODE } else { ASCII }
    }

    /// The picture of a moment.
    pub(super) fn turn(&self, moment: usize) -> char {
        self.spinner[moment % self.spinner.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_whose_locale_is_utf_8_has_more_than_ascii() {
        for locale in ["en_US.UTF-8", "C.utf8", "de_DE.utf-8@euro"] {
            assert_eq!(Glyphs::fit(true, Some(locale)), UNICODE, "{locale}");
            assert_eq!(Glyphs::fit(false, Some(locale)), ASCII, "{locale}");
        }
        for locale in [None, Some("C"), Some("POSIX"), Some("en_US.ISO-8859-1")] {
            assert_eq!(Glyphs::fit(true, locale), ASCII, "{locale:?}");
        }
    }

    #[test]
    fn the_signs_for_every_terminal_are_ascii() {
        let Glyphs { spinner, done, failed, left, then } = ASCII;
        let signs = spinner.iter().collect::<String>() + done + failed + left + then;
        assert!(signs.is_ascii(), "{signs}");
    }
}
