//! What each rule for topologies means, why it is there, and what to write, for `albatross explain`.
//!
//! A finding shows the place in the file; this is the longer word on the rule. A test compares the two lists.

mod table;

pub use crate::topology::explain::table::rules;

/// What is said about a rule.
#[derive(Debug, Clone, Copy)]
pub struct RuleExplanation {
    /// Its code, as in `error[cidr-overlap]`.
    pub code: &'static str,
    /// One sentence: lower case, no full stop.
    pub means: &'static str,
    /// Why the rule is there.
    pub why: &'static str,
    /// What to write instead.
    pub next: &'static str,
}

/// What is said about the rule with this code.
pub fn find(code: &str) -> Option<&'static RuleExplanation> {
    rules().find(|rule| rule.code == code)
}
