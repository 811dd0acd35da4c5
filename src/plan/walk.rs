//! A walk over operations: which can begin, now that some are done.
//!
//! Every step of it costs as much as the edges it goes over, so that a walk of very many operations takes no longer for
//! each of them.

use std::collections::BTreeSet;

use crate::plan::graph::Operation;

/// How far a walk is.
#[derive(Debug)]
pub struct Walk {
    /// Of each operation, how many it still waits for.
    left: Vec<usize>,
    /// Of each operation, those that wait for it.
    behind: Vec<Vec<usize>>,
    ready: BTreeSet<usize>,
    begun: Vec<bool>,
}

impl Walk {
    /// At its beginning.
    pub fn over(operations: &[Operation]) -> Self {
        let left: Vec<usize> = operations.iter().map(|operation| operation.after.len()).collect();
        let mut behind = vec![Vec::new(); operations.len()];
        for (index, operation) in operations.iter().enumerate() {
            for before in &operation.after {
                behind[*before].push(index);
            }
        }
        let ready = left.iter().enumerate().filter(|(_, left)| **left == 0).map(|(index, _)| index);
        Self { ready: ready.collect(), begun: vec![false; left.len()], left, behind }
    }

    /// The first that can begin, which then has begun.
    pub fn begin_next(&mut self) -> Option<usize> {
        let index = self.ready.pop_first()?;
        self.begun[index] = true;
        Some(index)
    }

    /// One that has begun is done.
    pub fn done(&mut self, index: usize) {
        for behind in &self.behind[index] {
            self.left[*behind] -= 1;
            if self.left[*behind] == 0 {
                self.ready.insert(*behind);
            }
        }
    }

    /// Those that have not begun.
    pub fn not_begun(&self) -> impl Iterator<Item = usize> {
        self.begun.iter().enumerate().filter(|(_, begun)| !**begun).map(|(index, _)| index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::graph::Verb;
    use crate::plan::rollout::Traffic;
    use crate::resource::{Kind, ResourceAddress};

    fn operation(after: &[usize]) -> Operation {
        let address = ResourceAddress::only(Kind::Vpc);
        let (step, after) = (address.clone(), after.to_vec());
        Operation { address, verb: Verb::Put, after, step, order: None, traffic: Traffic::Stays }
    }

    #[test]
    fn each_begins_when_all_it_waits_for_are_done_the_first_one_first() {
        let mut walk = Walk::over(&[operation(&[]), operation(&[0]), operation(&[]), operation(&[1, 2])]);
        assert_eq!((walk.begin_next(), walk.begin_next(), walk.begin_next()), (Some(0), Some(2), None));
        walk.done(2);
        assert_eq!(walk.begin_next(), None);
        walk.done(0);
        assert_eq!(walk.not_begun().collect::<Vec<_>>(), [1, 3]);
        assert_eq!((walk.begin_next(), walk.begin_next()), (Some(1), None));
        walk.done(1);
        assert_eq!((walk.begin_next(), walk.begin_next()), (Some(3), None));
        assert_eq!(walk.not_begun().count(), 0);
    }
}
