//! How much is said to people beside what they asked for, and where it appears.
//!
//! What tells how it goes (the plan before it is carried out, progress, notices) is a narration: `--quiet` leaves it
//! out, and so does `--json`, which says the same in events. Errors are always said, on standard error.

use std::sync::{LazyLock, OnceLock};

use indicatif::MultiProgress;

use crate::cli::events;

/// Whether only errors and the last line are said; set once, when the command line has been read.
static QUIET: OnceLock<bool> = OnceLock::new();

/// The lines at the bottom of the terminal that change while something is under way.
static LIVE: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Says from now on only errors and the last line, if it is so wanted.
pub(super) fn set_quiet(is_quiet: bool) {
    // There is one command line.
    let _ = QUIET.set(is_quiet);
}

/// Whether only errors and the last line are wanted.
pub(super) fn is_quiet() -> bool {
    QUIET.get().copied().unwrap_or(false)
}

/// Whether people are told how it goes.
pub(super) fn narrates() -> bool {
    !is_quiet() && !events::are_on_stdout()
}

/// Shows something of how it goes.
pub(super) fn narrate(show: impl FnOnce()) {
    if narrates() {
        show();
    }
}

/// What became of it, on standard output; said even when all else is quiet.
pub(super) fn outcome(line: &str) {
    if !events::are_on_stdout() {
        anstream::println!("{line}");
    }
}

/// Tells something worth knowing, on standard error.
pub(super) fn notice(text: &str) {
    events::tell(&events::Line::Notice { text: text.trim() });
    narrate(|| on_stderr(text));
}

/// Tells something that nobody may miss, on standard error.
pub(super) fn alert(text: &str) {
    events::tell(&events::Line::Notice { text: text.trim() });
    on_stderr(text);
}

/// Writes a line to standard error, above those that change.
pub(super) fn on_stderr(text: &str) {
    above_live_lines(|| anstream::eprintln!("{text}"));
}

/// Writes to the terminal above the lines that change.
pub(super) fn above_live_lines<T>(write: impl FnOnce() -> T) -> T {
    LIVE.suspend(write)
}

/// The lines that change.
pub(super) fn live_lines() -> &'static MultiProgress {
    &LIVE
}
