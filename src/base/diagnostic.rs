//! A message about what somebody wrote, as a value: what, where, why, and what to write instead.
//!
//! Layers make them; only the command line renders them.

use std::ops::Range;

/// One finding about a topology file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable name of the rule, such as `unknown-instance`.
    pub code: &'static str,
    /// One sentence, lower case, no full stop.
    pub message: String,
    /// Where in the file; none when the finding is about the file as a whole.
    pub place: Option<Place>,
    /// What makes it wrong, shown at the place.
    pub cause: String,
    /// What to write or type instead.
    pub help: Option<String>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The bytes meant.
    pub bytes: Range<usize>,
}
