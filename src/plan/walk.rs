//! A walk over operations: which can begin, now that some are done.
//!
//! Every step of it costs as much as the edges it goes over, so that a walk of very many operations takes no longer for
//! each of them.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::plan::graph::Operation;

/// How far a walk is. Operations that one call does begin together, and are known by the first of them.
#[derive(Debug)]
pub struct Walk {
    /// Of each first one, how many it and its like still wait for.
    left: Vec<usize>,
    /// Of each first one, those that wait for it or its like; one that waits for several is there as often.
    behind: Vec<Vec<usize>>,
    /// Of each first one, how many it is the first of, itself among them.
    members: Vec<usize>,
    ready: BTreeSet<usize>,
    begun: Vec<bool>,
}

impl Walk {
    /// At its beginning.
    pub fn over(operations: &[Operation]) -> Self {
        let count = operations.len();
        let first = |index: usize| operations[index].with.unwrap_or(index);
        let (mut left, mut members) = (vec![0; count], vec![0; count]);
        let mut behind = vec![Vec::new(); count];
        for (index, operation) in operations.iter().enumerate() {
            members[first(index)] += 1;
            left[first(index)] += operation.after.len();
            for before in &operation.after {
                behind[first(*before)].push(first(index));
            }
        }
        let ready = (0..count).filter(|index| members[*index] > 0 && left[*index] == 0).collect();
        Self { left, behind, members, ready, begun: vec![false; count] }
    }

    /// The first that can begin, with all that the same call does; they have then begun.
    pub fn begin_next(&mut self) -> Option<Range<usize>> {
        let first = self.ready.pop_first()?;
        let members = first..first + self.members[first];
        self.begun[members.clone()].fill(true);
        Some(members)
    }

    /// All that began together with one are done.
    pub fn done(&mut self, first: usize) {
        for behind in &self.behind[first] {
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

    fn operation(after: &[usize], with: Option<usize>) -> Operation {
        let address = ResourceAddress::only(Kind::Vpc);
        let (step, after) = (address.clone(), after.to_vec());
        Operation { address, verb: Verb::Put, after, with, step, order: None, traffic: Traffic::Stays }
    }

    #[test]
    fn each_begins_when_all_it_waits_for_are_done_the_first_one_first() {
        let after: [&[usize]; 4] = [&[], &[0], &[], &[1, 2]];
        let mut walk = Walk::over(&after.map(|after| operation(after, None)));
        assert_eq!((walk.begin_next(), walk.begin_next(), walk.begin_next()), (Some(0..1), Some(2..3), None));
        walk.done(2);
        assert_eq!(walk.begin_next(), None);
        walk.done(0);
        assert_eq!(walk.not_begun().collect::<Vec<_>>(), [1, 3]);
        assert_eq!((walk.begin_next(), walk.begin_next()), (Some(1..2), None));
        walk.done(1);
        assert_eq!((walk.begin_next(), walk.begin_next()), (Some(3..4), None));
        assert_eq!(walk.not_begun().count(), 0);
    }

    #[test]
    fn what_one_call_does_begins_when_all_of_it_can_and_is_done_at_once() {
        let operations = [
            operation(&[], None),
            operation(&[], None),
            operation(&[0], None),
            operation(&[0, 1], Some(2)),
            operation(&[3], None),
        ];
        let mut walk = Walk::over(&operations);
        assert_eq!((walk.begin_next(), walk.begin_next()), (Some(0..1), Some(1..2)));
        walk.done(0);
        assert_eq!(walk.begin_next(), None);
        walk.done(1);
        assert_eq!((walk.begin_next(), walk.begin_next()), (Some(2..4), None));
        walk.done(2);
        assert_eq!(walk.begin_next(), Some(4..5));
    }
}
