//! The rules, by their codes.

mod a_to_m;
mod n_to_z;

use crate::topology::explain::RuleExplanation;

const fn rule(
    code: &'static str,
    means: &'static str,
    why: &'static str,
    next: &'static str,
) -> RuleExplanation {
    RuleExplanation { code, means, why, next }
}

/// Every rule, by code.
pub fn rules() -> impl Iterator<Item = &'static RuleExplanation> {
    [a_to_m::RULES, n_to_z::RULES].into_iter().flatten()
}
