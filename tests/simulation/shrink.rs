//! From a run that fails to one that fails with as few faults as it takes.

use std::collections::BTreeSet;

use crate::run;

/// Runs that looking for fewer faults may take.
const MOST_RUNS: usize = 300;

/// What to say of a seed that fails: why, and the line that repeats it.
pub(crate) fn fewest(seed: u64, struck: Vec<String>, why: &str) -> String {
    let mut faults = struck;
    let mut why = why.to_owned();
    let mut runs = 0;
    let mut part = faults.len().div_ceil(2).max(1);
    loop {
        let mut fewer = false;
        let mut start = 0;
        while start < faults.len() && runs < MOST_RUNS {
            let end = (start + part).min(faults.len());
            let rest: Vec<String> = faults[..start].iter().chain(&faults[end..]).cloned().collect();
            runs += 1;
            let report = run::play(seed, Some(rest.into_iter().collect::<BTreeSet<String>>()));
            match report.broken {
                Some(still) => {
                    // What no longer strikes goes too.
                    (faults, why, fewer) = (report.struck, still, true);
                }
                None => start = end,
            }
        }
        if part == 1 && !fewer || runs >= MOST_RUNS {
            break;
        }
        part = part.div_ceil(2).min(part.saturating_sub(1)).max(1);
    }
    let list = faults.join(",");
    format!("seed {seed}: {why}\nrepeat it with: SEED={seed} FAULTS='{list}' cargo test --test simulation")
}
