//! The rules, one after another.

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

/// How many there are.
const NUMBER: usize = a_to_m::RULES.len() + n_to_z::RULES.len();

/// Every rule, by code.
pub static RULES: [RuleExplanation; NUMBER] = joined();

const fn joined() -> [RuleExplanation; NUMBER] {
    let mut all = [a_to_m::RULES[0]; NUMBER];
    let mut index = 0;
    while index < NUMBER {
        let first = a_to_m::RULES.len();
        all[index] = if index < first { a_to_m::RULES[index] } else { n_to_z::RULES[index - first] };
        index += 1;
    }
    all
}
